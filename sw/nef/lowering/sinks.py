# SPDX-License-Identifier: Apache-2.0
"""What each ensemble, learning rule, node and probe hears, and in what format."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import Connection, LearningRule, Probe
from spikewright.nef.decoders.decoding import Decoded, wants_weights
from spikewright.nef.learning import Pes
from spikewright.nef.lowering.graph import gain_of
from spikewright.nef.lowering.population import Population
from spikewright.nef.network import Network
from spikewright.nef.objects import Ensemble, Neurons, Node
from spikewright.nef.precision import LeakCode, Precision, fitting, fractions
from spikewright.nef.synapses import leak_of
from spikewright.sim.errors import ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import MAX_MEMBRANE

Array = NDArray[np.float64]

HOST_BITS = 8
"""Bits below a value's last that the host gets of what it hears."""
CURRENT_BITS = 4
"""Bits above an ensemble's own currents for those that others bring: inhibition is strong."""
LARGEST_ERROR = 4.0
"""Error, in radii, up to which a change of learned decoders does not saturate."""


@dataclass(frozen=True, eq=False)
class Term:
    """What a sink hears of one connection or probe: ``matrix · function(x)``.

    Attributes
    ----------
    of : Connection or Probe
    matrix : (size of the sink, size of the function) ndarray
    """

    of: Connection | Probe
    matrix: Array


@dataclass(eq=False)
class Sink:
    """A vector that several connections add to.

    Attributes
    ----------
    name : str
    size : int
    format : QFormat
    on_host : bool
        Whether it is handed to the host.
    spiking, driven : list of Term
        From ensembles, and from nodes.
    """

    name: str
    size: int
    format: QFormat
    on_host: bool = False
    spiking: list[Term] = field(default_factory=list)
    driven: list[Term] = field(default_factory=list)

    @property
    def raw(self) -> bool:
        """Whether it hears spikes without a synapse."""
        return any(term.of.synapse is None for term in self.spiking)

    def hear(self, of: Connection, matrix: Array) -> None:
        """Add a connection."""
        terms = self.spiking if isinstance(of.pre, Ensemble) else self.driven
        terms.append(Term(of, matrix))


@dataclass(frozen=True, eq=False)
class Learned:
    """A connection that learns, and how its decoders are held.

    Attributes
    ----------
    connection : Connection
    tensor : str
        Name of the weights, (size of the target, n_neurons): transform, decoders and ``gain / dt``.
    format : QFormat
    scale : float
        Weight for a decoder of 1.
    rule : Pes
    """

    connection: Connection
    tensor: str
    format: QFormat
    scale: float
    rule: Pes

    @property
    def largest(self) -> float:
        """Magnitude that a decoder may reach."""
        return self.format.hi * self.format.lsb / self.scale


class Sinks:
    """Every sink of a network.

    Parameters
    ----------
    network : Network
    names : mapping of object to str
    populations : mapping of Ensemble to Population
    decoded : mapping of Connection or Probe to Decoded
    dt : float
        Time step of the neurons, in s.
    precision : Precision

    Raises
    ------
    ProgramError
        If a connection learns and hears no error, or so slowly that nothing changes.
    """

    def __init__(
        self,
        network: Network,
        names: dict[object, str],
        populations: dict[Ensemble, Population],
        decoded: dict[object, Decoded],
        *,
        dt: float,
        precision: Precision,
    ):
        self._network = network
        self._names, self._populations, self._decoded = names, populations, decoded
        self._dt, self._precision = dt, precision
        self.values: dict[Ensemble, Sink] = {
            e: Sink(f"{names[e]}_x", e.dimensions, p.value) for e, p in populations.items()
        }
        self.currents: dict[Ensemble, Sink] = {}
        self.changes: dict[Connection, Sink] = {}
        self.learned: dict[Connection, Learned] = {}
        self.host: dict[Node | Probe, Sink] = {}
        for connection in network.connections:
            if connection.rule is not None:
                self._learn(connection, connection.rule.learning_rate)
        for connection in network.connections:
            self._connect(connection)
        for probe in network.probes:
            if isinstance(probe.target, Ensemble) and probe.attr == "decoded":
                sink = self._on_host(probe, probe.target.dimensions, [probe])
                sink.spiking.append(Term(probe, np.eye(sink.size)))
        for connection, sink in self.changes.items():
            if not (sink.spiking or sink.driven):
                raise ProgramError(
                    f"{connection} learns and hears no error: connect one to its learning_rule"
                )

    def inside(self) -> list[Sink]:
        """Those on the hardware."""
        return [*self.values.values(), *self.currents.values(), *self.changes.values()]

    def _connect(self, connection: Connection) -> None:
        post, transform = connection.post, connection.transform
        if isinstance(post, Node):
            if isinstance(connection.pre, Ensemble):
                heard = [
                    c for c in self._network.connections if c.post is post and c in self._decoded
                ]
                sink = self.host.get(post) or self._on_host(post, post.size_in, heard)
                sink.hear(connection, transform)
        elif isinstance(post, Neurons):
            drive = self._populations[post.ensemble].drive
            self._current(post.ensemble).hear(connection, drive * transform)
        elif isinstance(post, LearningRule):
            learner = post.connection
            back = np.eye(learner.post.size_in)[:, list(learner.post_indices)]
            step = self.learned[learner].rule.per_spike
            self.changes[learner].hear(connection, step * back @ transform)
        elif isinstance(connection.pre, Ensemble) and wants_weights(connection.solver):
            drawn, population = self._populations[post].draw, self._populations[post]
            fold = population.drive * drawn.gain[:, None] * drawn.encoders / post.radius
            self._current(post).hear(connection, fold @ transform)
        else:
            self.values[post].hear(connection, transform)

    def _current(self, ensemble: Ensemble) -> Sink:
        if ensemble not in self.currents:
            name, own = self._names[ensemble], self._populations[ensemble].current
            fmt = QFormat(width=min(own.width + CURRENT_BITS, MAX_MEMBRANE), frac=own.frac)
            self.currents[ensemble] = Sink(f"{name}_current", ensemble.n_neurons, fmt)
        return self.currents[ensemble]

    def _on_host(self, of: Node | Probe, size: int, heard: Sequence[Connection | Probe]) -> Sink:
        """A sink wide enough for what is heard, and with 32 bits for bursts of spikes."""
        usual = sum(self._reach(one) for one in heard) * self._precision.headroom
        value = fitting(self._precision.value, usual)
        fmt = QFormat(width=value.width + HOST_BITS, frac=value.frac + HOST_BITS)
        most = fitting(fmt.width, usual + sum(self._burst(one) for one in heard))
        width = min(fmt.width + fmt.frac - most.frac, MAX_MEMBRANE)
        fmt = QFormat(width=width, frac=most.frac + width - fmt.width)
        self.host[of] = Sink(f"{self._names[of]}_heard", size, fmt, on_host=True)
        return self.host[of]

    def _reach(self, of: Connection | Probe) -> float:
        """Largest magnitude that a connection or probe should bring."""
        largest = self._decoded[of].largest
        if not isinstance(of, Connection):
            return largest
        if of.rule is not None and isinstance(of.pre, Ensemble):
            largest = max(largest, of.pre.radius)
        return largest * float(np.abs(of.transform).sum(axis=1).max())

    def _burst(self, of: Connection | Probe) -> float:
        """What it brings where all neurons fire in one step.

        Of two stages the first has twice the range, and half of what that rises by counts.
        """
        weights, synapse = self._decoded[of].decoders.T, of.synapse
        if isinstance(of, Connection):
            weights = of.transform @ weights
            if (learned := self.learned.get(of)) is not None:
                weights = np.full_like(
                    weights, learned.format.hi * learned.format.lsb / learned.scale
                )
        share = 1.0 if synapse is None else leak_of(synapse, self._dt) / synapse.order
        return float(np.abs(weights).sum(axis=1).max()) * share / self._dt

    def scale_of(self, connection: Connection | Probe) -> float:
        """Weight for a decoder of 1: the filter's gain for a spike of height ``1 / dt``."""
        return self._gain_of(connection) / self._dt

    def _gain_of(self, of: Connection | Probe) -> float:
        leak = LeakCode.of(1.0 if of.synapse is None else leak_of(of.synapse, self._dt))
        return gain_of(of.synapse, leak)

    def _learn(self, connection: Connection, learning_rate: float) -> None:
        scale, precision = self.scale_of(connection), self._precision
        decoders, transform = self._decoded[connection].decoders, connection.transform
        usual = np.abs(self._decoded[connection.pre].decoders).max() * precision.learned_range
        usual *= float(np.abs(transform).sum(axis=1).max()) or 1.0
        largest = max(float(usual), float(np.abs(transform @ decoders.T).max()))
        fmt = fractions(precision.learned, largest * scale)
        rule = Pes(
            learning_rate=learning_rate,
            n_neurons=len(decoders),
            dt=self._dt,
            gain=self._gain_of(connection),
        )
        name = f"{self._names[connection]}_learned"
        self.learned[connection] = Learned(connection, name, fmt, scale, rule)
        radius = connection.post.radius if isinstance(connection.post, Ensemble) else 1.0
        error, least = LARGEST_ERROR * max(radius, 1.0), rule.smallest_error(fmt)
        if error < least:
            raise ProgramError(
                f"Learning rate of {connection} must be at least "
                f"{learning_rate * least / error:.2g}, or an error of {error:g} changes no decoder "
                f"of {fmt}, not {learning_rate:g}"
            )
        change = rule.change_format(error, fmt)
        self.changes[connection] = Sink(f"{name}_change", len(transform), change)
