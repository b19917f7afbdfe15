# SPDX-License-Identifier: Apache-2.0
"""Connections of a Nengo network that learn, and where their errors go."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import PES, Connection
from spikewright.nef.nengo.folding import Edge
from spikewright.nef.nengo.host import HostLearning
from spikewright.nef.nengo.reading import is_exactly, kind_of
from spikewright.nef.nengo.solving import Given
from spikewright.nef.nengo.sources import Source, Sources, value_of, whole
from spikewright.nef.nengo.targets import Target
from spikewright.nef.objects import Ensemble, Node
from spikewright.nef.placement import HARDWARE, Placement
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pupil:
    """What takes an error.

    Attributes
    ----------
    of : LearningRule or Node
    size : int
        Of its input.
    places : tuple of int
        Dimensions of the input that take those of the error.
    """

    of: Any
    size: int
    places: tuple[int, ...]


class Teaching:
    """Lets decoders learn, on hardware or in nodes of the host.

    What learns is the transform times the decoders, as in Nengo.

    Parameters
    ----------
    sources : Sources

    Attributes
    ----------
    learners : dict of nengo.Connection to HostLearning
    notes : list of Placement
    """

    def __init__(self, sources: Sources):
        self._sources, self._ensembles = sources, sources.ensembles
        self._directory = sources.ensembles.directory
        self.learners: dict[Any, HostLearning] = {}
        self.notes: list[Placement] = []
        self._pupils: dict[Any, Pupil] = {}

    def check(self, edge: Edge) -> None:
        """Refuse what cannot learn.

        Raises
        ------
        ProgramError
            With what can.
        """
        rule, path = edge.of.learning_rule_type, self._directory.path(edge.of)
        if not is_exactly(rule, "PES"):
            name = "several learning rules" if isinstance(rule, list | dict) else kind_of(rule)
            raise ProgramError(f"{path} learns by {name}, which has no form here: use one PES")
        if kind_of(edge.pre) != "Ensemble" or self._ensembles.made[edge.pre].drawn is None:
            raise ProgramError(f"{path} must come from an ensemble of neurons to learn by PES")
        if getattr(edge.of.solver, "weights", False) or kind_of(edge.post) == "Neurons":
            raise ProgramError(
                f"{path} must lead to an ensemble or a node, without weights, to learn by PES"
            )
        if len(set(edge.post_indices)) < len(edge.post_indices):
            raise ProgramError(f"{path} must name each dimension once to learn by PES")
        if self._ensembles.made[edge.pre].ensemble is not None and rule.pre_synapse is not None:
            why = "activities are the spikes themselves, not filtered by pre_synapse"
            self.notes.append(Placement(f"PES of {path}", HARDWARE, why))

    def source(self, edge: Edge, source: Source) -> Source:
        """What sends the transform times the decoders."""
        if isinstance(source.of, Node):
            return self._on_host(edge, source)
        function, matrix, solver = source.function, edge.matrix, source.solver
        if isinstance(solver, Given):
            solver = Given(solver.decoders @ matrix.T)
        return replace(source, function=lambda x: matrix @ value_of(function, x), solver=solver)

    def rule(self, edge: Edge, source: Source) -> PES | None:
        """That of hardware."""
        if not isinstance(source.of, Ensemble):
            return None
        return PES(learning_rate=float(edge.of.learning_rule_type.learning_rate))

    def made(self, edge: Edge, connection: Connection) -> None:
        """Let a connection that learns on hardware take errors."""
        rule = connection.learning_rule
        # A node's input is one, whatever dimensions are meant.
        part = tuple(connection.post_indices) == edge.post_indices
        places = tuple(range(rule.size_in)) if part else edge.post_indices
        self._pupils[edge.of] = Pupil(rule, rule.size_in, places)

    def error(self, edge: Edge) -> Target:
        """Where an edge brings its error."""
        pupil = self._pupils[edge.post.connection]
        matrix = np.zeros((pupil.size, edge.matrix.shape[1]))
        matrix[list(pupil.places)] = edge.placed()
        return Target(pupil.of, matrix)

    def _on_host(self, edge: Edge, source: Source) -> Source:
        """A node between the neurons and the target that holds the decoders."""
        decoders = edge.matrix @ self._sources.decoders[edge.of]
        size, n = decoders.shape
        rule = edge.of.learning_rule_type
        learner = HostLearning(decoders, rule, dt=self._ensembles.dt)
        self._ensembles.stateful.append(learner)
        self.learners[edge.of] = learner
        label = f"PES of {self._directory.path(edge.of)}"
        node = Node(learner, size_in=n + size, size_out=size, label=label)
        Connection(source.of, node, transform=np.eye(n + size)[:, :n], synapse=None)
        self._pupils[edge.of] = Pupil(node, n + size, tuple(range(n, n + size)))
        return Source(node, whole(node))
