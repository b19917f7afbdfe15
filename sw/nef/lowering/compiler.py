# SPDX-License-Identifier: Apache-2.0
"""From a network of ensembles to an integer program, and what the host keeps for itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import Connection, Probe
from spikewright.nef.decoders.decoding import Decoded, Decoding, decode
from spikewright.nef.lowering.checks import check_circles, check_members, check_synapses
from spikewright.nef.lowering.drawing import draw
from spikewright.nef.lowering.graph import Graph, unique_names
from spikewright.nef.lowering.population import Population, check_times
from spikewright.nef.lowering.sinks import Learned, Sink, Sinks, Term
from spikewright.nef.network import Network
from spikewright.nef.objects import Ensemble, Node
from spikewright.nef.precision import LeakCode, Precision, encoded, fractions
from spikewright.nef.synapses import Synapse, leak_of
from spikewright.sim.errors import ProgramError
from spikewright.sim.event_matvec import EventMatVec
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import MAX_MEMBRANE
from spikewright.sim.learn import Learn
from spikewright.sim.program import Program

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A network as hardware runs it.

    Attributes
    ----------
    program : Program or None
        None where no ensemble is heard by anybody.
    dt : float
        Time step of the program, in s.
    populations : mapping of Ensemble to Population
    decoded : mapping of Connection or Probe to Decoded
        And of Ensemble, for the vector it represents.
    inlets : mapping of str to Sink
        What the host drives, by the program's input.
    outlets : mapping of Node or Probe to str
        Output of the program that each hears.
    learned : mapping of Connection to Learned
    averaged : frozenset of Node or Probe
        Outlets of spikes without a synapse: of several sub-steps, the host hears the mean.
    """

    program: Program | None
    dt: float
    populations: Mapping[Ensemble, Population]
    decoded: Mapping[object, Decoded]
    inlets: Mapping[str, Sink]
    outlets: Mapping[Node | Probe, str]
    learned: Mapping[Connection, Learned]
    averaged: frozenset[Node | Probe]


def compile_network(
    network: Network,
    *,
    dt: float,
    precision: Precision,
    curves: str = "measured",
    substeps: int = 1,
) -> Compiled:
    """Draw, solve and quantize a network.

    Parameters
    ----------
    network : Network
    dt : float
        Time step of the neurons, in s.
    precision : Precision
    curves : {"measured", "analytic"}
        Tuning curves that decoders are solved on.
    substeps : int
        Time steps of the neurons in one of the host.

    Raises
    ------
    ProgramError, DataError, FormatError
        If something cannot be; the sentence names the object.
    """
    check_members(network)
    check_synapses(network, dt)
    check_circles(network)
    names = _names(network)
    populations = {}
    for k, ensemble in enumerate(network.ensembles):
        check_times(ensemble, dt)
        drawn = draw(ensemble, _seed(network.seed, k), dt, substeps)
        populations[ensemble] = Population(
            names[ensemble], ensemble, drawn, dt=dt, precision=precision
        )
    decoded = decode(network, Decoding(populations, curves=curves))
    sinks = Sinks(network, names, populations, decoded, dt=dt, precision=precision)
    return _Compiler(network, names, populations, decoded, sinks, dt, precision).compiled()


def _seed(seed: int, k: int) -> int:
    return int(np.random.SeedSequence([seed, k]).generate_state(1)[0]) + 1


def _names(network: Network) -> dict[object, str]:
    found: dict[object, tuple[str | None, str]] = {}
    for k, ensemble in enumerate(network.ensembles):
        found[ensemble] = ensemble.label, f"ensemble{k}"
    for k, node in enumerate(network.nodes):
        found[node] = node.label, f"node{k}"
    for k, connection in enumerate(network.connections):
        found[connection] = connection.label, f"connection{k}"
    for k, probe in enumerate(network.probes):
        found[probe] = probe.label, f"probe{k}"
    return dict(zip(found, unique_names(found.values()), strict=True))


class _Compiler:
    def __init__(
        self,
        network: Network,
        names: dict[object, str],
        populations: dict[Ensemble, Population],
        decoded: dict[object, Decoded],
        sinks: Sinks,
        dt: float,
        precision: Precision,
    ):
        self.network, self.names, self.populations = network, names, populations
        self.decoded, self.sinks, self.dt, self.precision = decoded, sinks, dt, precision
        self.graph = Graph(dt)
        self.inlets: dict[str, Sink] = {}
        self.always_in: Sink | None = None
        self.outlets: dict[Node | Probe, str] = {}

    def compiled(self) -> Compiled:
        """Build the program."""
        self._give_an_input()
        for ensemble, population in self.populations.items():
            self._ensemble(ensemble, population)
        for of, sink in self.sinks.host.items():
            self._output(of, self._sum(sink))
        for probe in self.network.probes:
            if probe.attr != "decoded":
                port = "spike" if probe.attr == "spikes" else "v"
                self._output(probe, f"{self.names[probe.target]}.{port}")
        program = None
        if self.graph.outputs:
            program = self.graph.program({"nef": {"label": self.network.label}})
        return Compiled(
            program=program,
            dt=self.dt,
            populations=self.populations,
            decoded=self.decoded,
            inlets=self.inlets,
            outlets=self.outlets,
            learned=self.sinks.learned,
            averaged=frozenset(of for of, sink in self.sinks.host.items() if sink.raw),
        )

    def _output(self, of: Node | Probe, reference: str) -> None:
        self.outlets[of] = self.names[of]
        self.graph.outputs[self.names[of]] = reference

    def _ensemble(self, ensemble: Ensemble, population: Population) -> None:
        """Encoders and neurons."""
        graph, name = self.graph, self.names[ensemble]
        x = self._sum(self.sinks.values[ensemble])
        graph.tensors |= population.tensors
        sums = graph.add(f"{name}_encode", population.encode, x)
        current = graph.add(f"{name}_current", population.round, sums)
        if ensemble in self.sinks.currents:
            terms = self._terms(self.sinks.currents[ensemble])
            current = graph.sum(f"{name}_currents", [current, *terms])
            widest = QFormat(width=MAX_MEMBRANE, frac=population.current.frac)
            if graph.port(current).format.width > MAX_MEMBRANE:
                current = graph.to(widest, current)
        probed = any(p.target is ensemble and p.attr == "voltage" for p in self.network.probes)
        neurons = population.neurons(
            graph.port(current).format, voltage="after" if probed else "none"
        )
        graph.add(name, neurons, current)

    def _sum(self, sink: Sink) -> str:
        """Reference to the sum of what a sink hears, in the sink's format."""
        terms = self._terms(sink)
        if sink.on_host:
            terms = [self.graph.to(sink.format, term) for term in terms]
        return self.graph.to(sink.format, self.graph.sum(f"{sink.name}_total", terms))

    def _give_an_input(self) -> None:
        """Let a program that hears no node have an input: what comes in counts the steps."""
        sinks = self.sinks.inside()
        if sinks and all(sink.spiking and not sink.driven for sink in sinks):
            self.always_in = sinks[0]

    def _terms(self, sink: Sink) -> list[str]:
        """References to the vectors that a sink adds up."""
        found: list[str] = []
        heard = sink.spiking or sink.on_host
        if sink.driven or not heard or sink is self.always_in:
            found.append(self.graph.input(f"{sink.name}_in", sink.size, sink.format))
            self.inlets[found[0]] = sink
        alike: dict[Synapse | None, list[Term]] = {}
        for term in sink.spiking:
            if term.of in self.sinks.learned:
                found.append(self._learning(sink, self.sinks.learned[term.of]))
            else:
                alike.setdefault(term.of.synapse, []).append(term)
        for k, (synapse, terms) in enumerate(alike.items()):
            name = sink.name if len(alike) == 1 else f"{sink.name}{k}"
            found.append(self._filtered(name, sink, synapse, self._products(name, terms)))
        return found

    def _products(self, name: str, terms: list[Term]) -> str:
        """Sum of weighted spikes: one product for each ensemble, all in one format."""
        matrices: dict[Ensemble, Array] = {}
        for term in terms:
            pre = _ensemble_of(term.of)
            decoders = self.decoded[term.of].decoders
            weights = term.matrix @ decoders.T * self.sinks.scale_of(term.of)
            matrices[pre] = matrices[pre] + weights if pre in matrices else weights
        largest = max(float(np.abs(w).max()) for w in matrices.values())
        fmt = fractions(self.precision.decoder, largest)
        if self.precision.decoder_frac is not None:
            fmt = QFormat(width=fmt.width, frac=self.precision.decoder_frac)
        products = []
        for pre, weights in matrices.items():
            node = f"{name}_from_{self.names[pre]}"
            what = f"Decoders of {pre} for {name}, as weights,"
            self.graph.tensors[f"{node}_decoders"] = encoded(what, weights, fmt)
            product = EventMatVec(
                rows=len(weights),
                columns=pre.n_neurons,
                weight_format=fmt,
                weight=f"{node}_decoders",
            )
            products.append(self.graph.add(node, product, f"{self.names[pre]}.spike"))
        return self.graph.sum(name, products)

    def _filtered(self, name: str, sink: Sink, synapse: Synapse | None, drive: str) -> str:
        """What a sink hears of weighted spikes through a synapse.

        On the hardware it is what the filter held at the end of the last step, so that any
        network may have cycles through synapses; the host hears what it holds now.
        """
        leak = LeakCode.of(1.0 if synapse is None else leak_of(synapse, self.dt))
        held = self.graph.filter(name, synapse, leak, drive, sink.format)
        if sink.on_host:
            return held
        held = self.graph.to(sink.format, held)
        return held if synapse is None else self.graph.delay(held)

    def _learning(self, sink: Sink, learned: Learned) -> str:
        """What a sink hears through decoders that learn."""
        connection, pre = learned.connection, _ensemble_of(learned.connection)
        change = self.sinks.changes[connection]
        product = Learn(
            rows=change.size,
            columns=pre.n_neurons,
            weight=learned.tensor,
            weight_format=learned.format,
            change=change.format,
        )
        weights = connection.transform @ self.decoded[connection].decoders.T * learned.scale
        self.graph.tensors[learned.tensor] = encoded("Decoders", weights, learned.format)
        name = f"{learned.tensor}_product"
        self.graph.add(name, product, f"{self.names[pre]}.spike", self._sum(change))
        return self._filtered(learned.tensor, sink, connection.synapse, name)


def _ensemble_of(of: Connection | Probe) -> Ensemble:
    """The ensemble whose spikes a connection or probe brings.

    Raises
    ------
    ProgramError
        If it brings none.
    """
    found = of.pre if isinstance(of, Connection) else of.target
    if not isinstance(found, Ensemble):
        raise ProgramError(f"{of} must come from an ensemble")
    return found
