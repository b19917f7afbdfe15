# SPDX-License-Identifier: Apache-2.0
"""Connections of a Nengo network between what became of its objects."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from spikewright.nef.connection import Connection
from spikewright.nef.nengo.ensembles import Ensembles
from spikewright.nef.nengo.folding import Edge
from spikewright.nef.nengo.reading import is_simple, kind_of, synapse_of
from spikewright.nef.nengo.sources import Source, Sources, function_of
from spikewright.nef.nengo.targets import Target, Targets
from spikewright.nef.nengo.teaching import Teaching
from spikewright.nef.objects import Ensemble, Node
from spikewright.nef.placement import HARDWARE, HOST, Placement
from spikewright.sim.errors import ProgramError


class Joining:
    """Makes connections.

    Parameters
    ----------
    ensembles : Ensembles
    nodes : mapping of nengo.Node to Node

    Attributes
    ----------
    made : dict of nengo.Connection to Connection
    sources : Sources
    teaching : Teaching
    notes : list of Placement
    """

    def __init__(self, ensembles: Ensembles, nodes: Mapping[Any, Node]):
        self._directory, self._dt = ensembles.directory, ensembles.dt
        self.sources = Sources(ensembles, nodes)
        self._targets = Targets(ensembles, nodes)
        self.teaching = Teaching(self.sources)
        self.made: dict[Any, Connection] = {}
        self.notes: list[Placement] = []

    def join(self, edge: Edge) -> None:
        """Make a connection.

        Raises
        ------
        ProgramError, DataError
            If it can be neither on hardware nor on the host.
        """
        path, learns = self._directory.path(edge.of), edge.of.learning_rule_type is not None
        if learns:
            self.teaching.check(edge)
        source, target = self._ends(edge)
        rule, synapse = None, edge.synapse
        if learns:
            rule = self.teaching.rule(edge, source)
        if not is_simple(synapse):
            source, synapse = self._filtered(source, edge, target.matrix.shape[1]), None
        made = Connection(
            source.view,
            target.of,
            function=source.function,
            transform=target.matrix,
            synapse=synapse_of(synapse, self._dt),
            solver=source.solver,
            eval_points=source.eval_points,
            learning_rule=rule,
            label=path,
        )
        if rule is not None:
            self.teaching.made(edge, made)
        if edge.of not in self.made:
            self.made[edge.of] = made
            self._note(edge, made, path)

    def _ends(self, edge: Edge) -> tuple[Source, Target]:
        function = function_of(edge)
        if has_weights(edge.of):
            function, target = self._targets.weights(edge, function)
            return self.sources.of(edge, function), target
        source = self.sources.of(edge, function)
        if edge.of.learning_rule_type is not None:
            source = self.teaching.source(edge, source)
            edge = replace(edge, matrix=np.eye(len(edge.post_indices)))
        if kind_of(edge.post) == "LearningRule":
            return source, self.teaching.error(edge)
        return source, self._targets.of(edge)

    def _filtered(self, source: Source, edge: Edge, size: int) -> Source:
        if isinstance(source.of, Ensemble):
            raise ProgramError(
                f"Synapse of {self._directory.path(edge.of)} must be Lowpass, Alpha or None on "
                f"hardware, not {kind_of(edge.synapse)}: the nearest is Alpha"
            )
        return self.sources.filtered(source, edge.synapse, size)

    def _note(self, edge: Edge, made: Connection, path: str) -> None:
        if not isinstance(made.pre, Ensemble):
            self.notes.append(Placement(path, HOST, "comes from the host"))
            return
        why = "decoders" if made.rule is None else "decoders that learn by PES"
        if kind_of(edge.pre) == "Neurons":
            why = "weights of single neurons"
        if has_weights(edge.of):
            why = "weights from neurons to neurons"
        if made.synapse is None and not isinstance(made.post, Node):
            why += "; without a synapse single spikes may saturate"
        self.notes.append(Placement(path, HARDWARE, why))


def has_weights(connection: Any) -> bool:
    """Whether a connection of Nengo's is from neurons to neurons, though between ensembles."""
    weights = bool(getattr(connection.solver, "weights", False))
    return weights and kind_of(connection.pre_obj) == "Ensemble"
