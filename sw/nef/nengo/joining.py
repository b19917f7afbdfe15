# SPDX-License-Identifier: Apache-2.0
"""Connections of a Nengo network between what became of its objects."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import PES, Connection
from spikewright.nef.nengo.ensembles import Population, current_of
from spikewright.nef.nengo.folding import Edge
from spikewright.nef.nengo.host import HostLearning, HostSynapse, Stateful
from spikewright.nef.nengo.reading import (
    Directory,
    Drawn,
    Given,
    Tabulated,
    eval_points,
    is_exactly,
    is_simple,
    kind_of,
    solver_of,
    synapse_of,
)
from spikewright.nef.neurons import NeuronType
from spikewright.nef.objects import Ensemble, Node, View
from spikewright.nef.placement import HARDWARE, HOST, Placement
from spikewright.sim.errors import DataError, ProgramError

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


@dataclass(frozen=True, eq=False)
class Target:
    """What a connection of ours leads to, and the transform that brings it there."""

    of: Any
    matrix: Array


class Joining:
    """Makes connections.

    Parameters
    ----------
    directory : Directory
    dt : float
        In s.
    ensembles : mapping of nengo.Ensemble to Population
    nodes : mapping of nengo.Node to Node
    stateful : list
        Gets the functions of nodes that keep a state.

    Attributes
    ----------
    made : dict of nengo.Connection to Connection
    decoders : dict of nengo.Connection to ndarray
        Of ensembles on the host, (size, n_neurons).
    learners : dict of nengo.Connection to HostLearning
    notes : list of Placement
    """

    def __init__(
        self,
        directory: Directory,
        dt: float,
        ensembles: Mapping[Any, Population],
        nodes: Mapping[Any, Node],
        stateful: list[Stateful],
    ):
        self.directory, self.dt, self.ensembles, self.nodes = directory, dt, ensembles, nodes
        self.stateful = stateful
        self.made: dict[Any, Connection] = {}
        self.decoders: dict[Any, Array] = {}
        self.learners: dict[Any, HostLearning] = {}
        self.notes: list[Placement] = []
        self._learning: dict[Any, Node] = {}
        self._places: dict[Any, tuple[int, ...]] = {}

    def join(self, edge: Edge) -> None:
        """Make a connection.

        Raises
        ------
        ProgramError
            If it can be neither on hardware nor on the host.
        """
        path = self.directory.path(edge.of)
        rule = edge.of.learning_rule_type
        if rule is not None:
            self._check_rule(edge, rule, path)
        function = _function(edge)
        if getattr(edge.of.solver, "weights", False) and kind_of(edge.pre) == "Ensemble":
            function, target = self._weights(edge, function, path)
        else:
            target = self._target(edge, path)
        source, synapse = self._source(edge, function), edge.synapse
        if rule is not None and isinstance(source.of, Node):
            source = self._learn_on_host(edge, source, rule)
        if not is_simple(synapse):
            source, synapse = self._filtered(source, edge, path), None
        learning = None
        if rule is not None and isinstance(source.of, Ensemble):
            learning = PES(learning_rate=float(rule.learning_rate))
        made = Connection(
            _view(source.of, source.indices),
            target.of,
            function=source.function,
            transform=target.matrix,
            synapse=synapse_of(synapse, self.dt),
            solver=source.solver,
            eval_points=source.eval_points,
            learning_rule=learning,
            label=path,
        )
        same = tuple(made.post_indices) == edge.post_indices
        count = tuple(range(len(edge.post_indices)))
        self._places[edge.of] = count if same else edge.post_indices
        self._note(edge, made, path)

    def filtered(
        self,
        of: Ensemble | Node,
        indices: Iterable[int],
        function: Function | None,
        synapse: Any,
        size: int,
    ) -> Node:
        """A node that filters what another sends."""
        held = HostSynapse(synapse, size, size, dt=self.dt, seed=0)
        self.stateful.append(held)
        node = Node(held, size_in=size, size_out=size, label=f"{kind_of(synapse)} of {of}")
        Connection(_view(of, tuple(indices)), node, function=function, synapse=None)
        return node

    def solved(self, ensemble: Any, solver: Any, function: Function, points: Array) -> Array:
        """Decoders (n_neurons, size) of an ensemble on the host.

        Raises
        ------
        DataError
            If they cannot be solved.
        """
        drawn = self._drawn(ensemble)
        rates = ensemble.neuron_type.rates(drawn.directions(points), drawn.gain, drawn.bias)
        targets = np.array([np.atleast_1d(function(x)) for x in points], np.float64)
        try:
            return np.asarray(solver.solve(rates, targets), np.float64)
        except DataError as error:
            path = self.directory.path(ensemble)
            raise DataError(f"Decoders of {path} cannot be solved: {error}") from error

    def points(self, ensemble: Any) -> Array:
        """Evaluation points of an ensemble, in units of the represented vector."""
        drawn = self._drawn(ensemble)
        return drawn.eval_points * drawn.radius

    def _drawn(self, ensemble: Any) -> Drawn:
        drawn = self.ensembles[ensemble].drawn
        if drawn is None:
            path = self.directory.path(ensemble)
            raise ProgramError(f"{path} is in direct mode and has no neurons: use LIF neurons")
        return drawn

    def _source(self, edge: Edge, function: Function | None) -> Source:
        pre, indices = edge.pre, edge.pre_indices
        if kind_of(pre) == "Node":
            return Source(self.nodes[pre], indices, function)
        if kind_of(pre) == "Neurons":
            return self._from_neurons(pre.ensemble, indices)
        population = self.ensembles[pre]
        if population.drawn is None and population.node is not None:
            return Source(population.node, indices, function)
        seed, rng = self.directory.seed(edge.of), self.directory.rng(edge.of)
        solver, points = solver_of(edge.of.solver, seed), eval_points(edge.of, rng)
        if population.ensemble is not None:
            return Source(population.ensemble, indices, function, solver, points)
        chosen, own = list(indices), self.points(pre) if points is None else points
        whole = function or _identity
        decoders = self.solved(pre, solver, lambda x: whole(x[chosen]), own).T
        self.decoders[edge.of] = decoders
        if population.node is None:
            raise ProgramError(f"{self.directory.path(pre)} has no node")
        return Source(population.node, _all(population.node), lambda a: decoders @ a)

    def _from_neurons(self, ensemble: Any, indices: tuple[int, ...]) -> Source:
        """What some neurons send: spikes of the height 1 / dt, or rates."""
        population, drawn = self.ensembles[ensemble], self._drawn(ensemble)
        if population.ensemble is None:
            if population.node is None:
                raise ProgramError(f"{self.directory.path(ensemble)} has no node")
            return Source(population.node, indices)
        chosen = list(indices)
        rates = _rates(population.ensemble.neuron_type, drawn, chosen)
        given = Given(np.eye(len(drawn.gain))[:, chosen])
        return Source(population.ensemble, _all(population.ensemble), rates, given)

    def _target(self, edge: Edge, path: str) -> Target:
        post = edge.post
        if post in self.nodes:
            return self._part(edge, self.nodes[post])
        if kind_of(post) == "LearningRule":
            return self._rule(edge)
        if kind_of(post) == "Neurons":
            population = self.ensembles[post.ensemble]
            self._drawn(post.ensemble)
            return Target(*current_of(population, edge.placed()))
        population = self.ensembles[post]
        if population.ensemble is not None:
            return self._part(edge, population.ensemble)
        return self._part(edge, population.node)

    def _part(self, edge: Edge, of: Any) -> Target:
        """Dimensions of an ensemble; all of a node, or where one is named twice."""
        size = of.size_in
        unique = len(set(edge.post_indices)) == len(edge.post_indices)
        if unique and isinstance(of, Ensemble) and edge.post_indices != tuple(range(size)):
            return Target(View(of, edge.post_indices), edge.matrix)
        above = np.zeros((size - edge.post.size_in, edge.matrix.shape[1]))
        return Target(of, np.vstack([edge.placed(), above]))

    def _rule(self, edge: Edge) -> Target:
        learner = edge.post.connection
        node = self._learning.get(learner)
        if node is None:
            rule = self.made[learner].learning_rule
            error = np.zeros((rule.size_in, edge.matrix.shape[1]))
            places = self._places[learner]
            error[list(places)] = edge.placed()
            return Target(rule, error)
        size = node.size_in - edge.post.size_in
        above = np.zeros((size, edge.matrix.shape[1]))
        return Target(node, np.vstack([above, edge.placed()]))

    def _weights(self, edge: Edge, function: Function | None, path: str) -> tuple[Function, Target]:
        """Currents of the neurons as what is solved for."""
        if kind_of(edge.post) != "Ensemble" or self.ensembles[edge.post].drawn is None:
            raise ProgramError(f"Weights of {path} must lead to an ensemble of neurons")
        drawn, whole = self._drawn(edge.post), function or _identity
        encode = drawn.gain[:, None] * drawn.encoders / drawn.radius @ edge.placed()

        def currents(x: Array) -> Array:
            return np.asarray(encode @ np.atleast_1d(whole(x)), np.float64)

        identity = np.eye(len(drawn.gain))
        return currents, Target(*current_of(self.ensembles[edge.post], identity))

    def _filtered(self, source: Source, edge: Edge, path: str) -> Source:
        if isinstance(source.of, Ensemble):
            raise ProgramError(
                f"Synapse of {path} must be Lowpass, Alpha or None on hardware, not "
                f"{kind_of(edge.synapse)}: the nearest is Alpha"
            )
        size = edge.matrix.shape[1]
        node = self.filtered(source.of, source.indices, source.function, edge.synapse, size)
        return Source(node, _all(node))

    def _check_rule(self, edge: Edge, rule: Any, path: str) -> None:
        if not is_exactly(rule, "PES"):
            name = "several learning rules" if isinstance(rule, list | dict) else kind_of(rule)
            raise ProgramError(f"{path} learns by {name}, which has no form here: use one PES")
        if kind_of(edge.pre) != "Ensemble" or self.ensembles[edge.pre].drawn is None:
            raise ProgramError(f"{path} must come from an ensemble of neurons to learn by PES")
        if getattr(edge.of.solver, "weights", False) or kind_of(edge.post) == "Neurons":
            raise ProgramError(
                f"{path} must lead to an ensemble or a node, without weights, to learn by PES"
            )
        on_hardware = self.ensembles[edge.pre].ensemble is not None
        if on_hardware and rule.pre_synapse is not None:
            why = "activities are the spikes themselves, not filtered by pre_synapse"
            self.notes.append(Placement(f"PES of {path}", HARDWARE, why))

    def _learn_on_host(self, edge: Edge, source: Source, rule: Any) -> Source:
        """A node between the neurons and the target that holds the decoders."""
        decoders = self.decoders[edge.of]
        n, size = decoders.shape[1], edge.post_indices
        learner = HostLearning(decoders, edge.matrix.T, rule, dt=self.dt)
        self.stateful.append(learner)
        self.learners[edge.of] = learner
        path = self.directory.path(edge.of)
        node = Node(learner, size_in=n + len(size), size_out=len(decoders), label=f"PES of {path}")
        hands = np.eye(node.size_in)[:, :n]
        Connection(source.of, node, transform=hands, synapse=None)
        self._learning[edge.of] = node
        return replace(source, of=node, indices=_all(node), function=None)

    def _note(self, edge: Edge, made: Connection, path: str) -> None:
        if edge.of in self.made:
            return
        self.made[edge.of] = made
        if not isinstance(made.pre, Ensemble):
            self.notes.append(Placement(path, HOST, "comes from the host"))
            return
        why = "decoders" if made.rule is None else "decoders that learn by PES"
        if kind_of(edge.pre) == "Neurons":
            why = "weights of single neurons"
        if getattr(edge.of.solver, "weights", False):
            why = "weights from neurons to neurons"
        self.notes.append(Placement(path, HARDWARE, why))


def _function(edge: Edge) -> Function | None:
    """What is computed of the chosen dimensions."""
    if edge.function is None or callable(edge.function):
        found: Function | None = edge.function
        return found
    points = np.array(edge.of.eval_points, np.float64)
    if edge.of.scale_eval_points:
        points = points * float(edge.pre.radius)
    values = np.array(edge.function, np.float64)
    return Tabulated(points[:, list(edge.pre_indices)], values.reshape(len(points), -1))


def _rates(neuron: NeuronType, drawn: Drawn, chosen: list[int]) -> Function:
    def rates(x: Array) -> Array:
        along = drawn.directions(x[None])[0]
        return neuron.rates(drawn.gain * along + drawn.bias)[chosen]

    return rates


def _view(of: Ensemble | Node, indices: tuple[int, ...]) -> Any:
    return of if indices == _all(of) else View(of, indices)


def _all(of: Ensemble | Node) -> tuple[int, ...]:
    return tuple(range(of.dimensions))


def _identity(x: Array) -> Array:
    return x
