# SPDX-License-Identifier: Apache-2.0
"""What connections and probes of a Nengo network come from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import Connection
from spikewright.nef.nengo.ensembles import Ensembles
from spikewright.nef.nengo.folding import Edge
from spikewright.nef.nengo.host import HostSynapse
from spikewright.nef.nengo.reading import (
    Drawn,
    Tabulated,
    eval_points,
    kind_of,
)
from spikewright.nef.nengo.solving import Given, solver_of
from spikewright.nef.neurons import NeuronType
from spikewright.nef.objects import Ensemble, Node, View
from spikewright.sim.errors import DataError

Array = NDArray[np.float64]
Function = Callable[[Array], Any]


@dataclass(frozen=True, eq=False)
class Source:
    """What a connection of ours comes from, and what it sends."""

    of: Ensemble | Node
    indices: tuple[int, ...]
    function: Function | None = None
    solver: Any = None
    eval_points: Array | None = None

    @property
    def view(self) -> Any:
        """The dimensions that are meant."""
        return self.of if self.indices == whole(self.of) else View(self.of, self.indices)


class Sources:
    """Finds them, and makes nodes that filter.

    Parameters
    ----------
    ensembles : Ensembles
    nodes : mapping of nengo.Node to Node

    Attributes
    ----------
    decoders : dict of nengo.Connection to ndarray
        Of ensembles on the host, (size, n_neurons).
    """

    def __init__(self, ensembles: Ensembles, nodes: Mapping[Any, Node]):
        self.ensembles, self.nodes = ensembles, nodes
        self.decoders: dict[Any, Array] = {}

    def of(self, edge: Edge, function: Function | None) -> Source:
        """What an edge comes from, where it sends a function of the chosen dimensions.

        Raises
        ------
        ProgramError, DataError
            If it comes from neurons that are not, or its decoders cannot be solved.
        """
        pre, indices = edge.pre, edge.pre_indices
        if kind_of(pre) == "Node":
            return Source(self.nodes[pre], indices, function)
        if kind_of(pre) == "Neurons":
            return self._from_neurons(pre.ensemble, indices)
        made, directory = self.ensembles.made[pre], self.ensembles.directory
        if made.drawn is None:
            return Source(made.on_host(), indices, function)
        solver = solver_of(edge.of.solver, directory.seed(edge.of))
        points = eval_points(edge.of, directory.rng(edge.of))
        if made.ensemble is not None:
            return Source(made.ensemble, indices, function, solver, points)
        decoders = self.solved(pre, solver, function, indices=indices, points=points).T
        self.decoders[edge.of] = decoders
        return Source(made.on_host(), whole(made.on_host()), lambda a: decoders @ a)

    def solved(
        self,
        ensemble: Any,
        solver: Any,
        function: Function | None,
        *,
        indices: Sequence[int],
        points: Array | None = None,
    ) -> Array:
        """Decoders (n_neurons, size) of a function of some dimensions, on the host.

        Parameters
        ----------
        ensemble : nengo.Ensemble
        solver : object with ``solve``
        function : callable or None
        indices : sequence of int
        points : (points, dimensions) ndarray, optional
            In units of the represented vector; the ensemble's if not given.

        Raises
        ------
        DataError
            If they cannot be solved.
        """
        drawn, chosen = self.ensembles.drawn(ensemble), list(indices)
        points = drawn.eval_points * drawn.radius if points is None else points
        rates = ensemble.neuron_type.rates(drawn.directions(points), drawn.gain, drawn.bias)
        targets = np.array([value_of(function, x[chosen]) for x in points])
        try:
            return np.asarray(solver.solve(rates, targets), np.float64)
        except DataError as error:
            path = self.ensembles.directory.path(ensemble)
            raise DataError(f"Decoders of {path} cannot be solved: {error}") from error

    def filtered(self, source: Source, synapse: Any, size: int) -> Source:
        """A node that filters what comes from another, with a synapse that hardware has not."""
        held = HostSynapse(synapse, size, size, dt=self.ensembles.dt, seed=0)
        self.ensembles.stateful.append(held)
        label = f"{kind_of(synapse)} of {source.of}"
        node = Node(held, size_in=size, size_out=size, label=label)
        Connection(source.view, node, function=source.function, synapse=None)
        return Source(node, whole(node))

    def _from_neurons(self, ensemble: Any, indices: tuple[int, ...]) -> Source:
        """What some neurons send: spikes of the height 1 / dt, or rates."""
        made, drawn = self.ensembles.made[ensemble], self.ensembles.drawn(ensemble)
        if made.ensemble is None:
            return Source(made.on_host(), indices)
        chosen = list(indices)
        rates = _rates(made.ensemble.neuron_type, drawn, chosen)
        given = Given(np.eye(len(drawn.gain))[:, chosen])
        return Source(made.ensemble, whole(made.ensemble), rates, given)


def function_of(edge: Edge) -> Function | None:
    """What is computed of the chosen dimensions."""
    if edge.function is None or callable(edge.function):
        found: Function | None = edge.function
        return found
    points = np.array(edge.of.eval_points, np.float64)
    if edge.of.scale_eval_points:
        points = points * float(edge.pre.radius)
    values = np.array(edge.function, np.float64)
    return Tabulated(points[:, list(edge.pre_indices)], values.reshape(len(points), -1))


def value_of(function: Function | None, x: Array) -> Array:
    """A function's value as a vector; None is the identity."""
    return np.atleast_1d(np.asarray(x if function is None else function(x), np.float64))


def whole(of: Ensemble | Node) -> tuple[int, ...]:
    """All dimensions."""
    return tuple(range(of.dimensions))


def _rates(neuron: NeuronType, drawn: Drawn, chosen: list[int]) -> Function:
    def rates(x: Array) -> Array:
        along = drawn.directions(x[None])[0]
        return neuron.rates(drawn.gain * along + drawn.bias)[chosen]

    return rates
