# SPDX-License-Identifier: Apache-2.0
"""The program as a graph of components joined by streams."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from amaranth import Cat, Module, ResetInserter, Signal
from amaranth.build import Platform
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.delay import FRAME_COUNT_BITS, Delay
from spikewright.hw.fixed import shape_of
from spikewright.hw.folding import beat_width
from spikewright.hw.glue.adapt import adapt, through
from spikewright.hw.glue.outlet import CYCLES
from spikewright.hw.glue.streams import Buffer, Fork, Narrow, dense_layout, layout_of
from spikewright.hw.host.ends import at_end, ends_of
from spikewright.hw.host.packets import Packer, Unpacker, word_layout
from spikewright.hw.host.parameter_port import share
from spikewright.hw.host.probe import PROBE_BITS, Probe
from spikewright.hw.liveness import beats_needed
from spikewright.hw.liveness import branches as branches_of
from spikewright.hw.parameters import ParameterHost
from spikewright.sim.ports import Kind, Port
from spikewright.sim.primitive import Primitive
from spikewright.sim.program import Node, Program


def build(
    primitive: Primitive, lanes: int, steps: int | None, lanes_out: int = 1
) -> PrimitiveComponent:
    """The component of a primitive: the class of its name, in the file of its name.

    Parameters
    ----------
    primitive : Primitive
    lanes : int
    steps : int or None
        Steps of a frame, for components that must know.
    lanes_out : int
        Elements in a beat that leaves, for components whose lanes are more than that.
    """
    file = type(primitive).__module__.rpartition(".")[2]
    module = importlib.import_module(f"spikewright.hw.{file}")
    kind: Callable[..., PrimitiveComponent] = getattr(module, type(primitive).__name__)
    options: dict[str, int | None] = {}
    if getattr(kind, "framed", False):
        options["steps"] = steps
    if getattr(kind, "gathers", False):
        options["lanes_out"] = lanes_out
    return kind(primitive, lanes=lanes, **options)


class Datapath(wiring.Component):
    """Every node's component, with forks, width changers and probes between them.

    Parameters
    ----------
    program : Program
    lanes : mapping of str to int
        Of every node, as :func:`spikewright.hw.folding.fold` gives them.

    Members
    -------
    i, o : In, Out(stream of words)
        Frames in and out; ``o``'s ``last`` marks the end of a frame.
    started, cut : Out(1)
        As of the unpacker.
    ended : Out(ends)
        A frame came to its end in one of :func:`spikewright.hw.host.ends.ends_of`'s places.
    resets : In(parts)
        Resets of its parts: what unpacks, each node and what follows it, what packs.
    tensor_K : In(ParameterHost)
        Host port of the K-th tensor.
    probe_fire, probe_data_K, probe_flags_K, crc_K : Out
        As of the probe of the K-th layer.
    """

    i: stream.Interface
    o: stream.Interface
    started: Signal
    cut: Signal
    ended: Signal
    resets: Signal
    probe_fire: Signal
    notice = CYCLES + 1
    """Most cycles from a frame's first word until ``started``: a buffer's and the unpacker's."""

    def __init__(self, program: Program, lanes: Mapping[str, int]):
        self.program = program
        self.lanes = lanes
        self.parts = len(program.nodes) + 2
        self.ends = ends_of(program)
        members = {f"tensor_{k}": In(ParameterHost) for k in range(len(program.tensor_specs))}
        for k in range(len(program.layers)):
            members[f"probe_data_{k}"] = Out(PROBE_BITS)
            members[f"probe_flags_{k}"] = Out(3)
            members[f"crc_{k}"] = Out(32)
        words = stream.Signature(word_layout)
        super().__init__(
            {
                "i": In(words),
                "o": Out(words),
                "started": Out(1),
                "cut": Out(1),
                "ended": Out(len(self.ends)),
                "resets": In(self.parts),
                "probe_fire": Out(len(program.layers)),
                **members,
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        paths = {"": self._path(m, "entry", 0)}
        sources = self._inputs(paths[""])
        components: dict[str, PrimitiveComponent] = {}
        taken: dict[str, stream.Interface] = {}
        frames = Signal(FRAME_COUNT_BITS)
        paths[""].d.sync += frames.eq(frames + self.started)
        for k, node in enumerate(self.program.order, 1):
            component = build(
                node.primitive,
                self.lanes[node.name],
                self.program.steps,
                beat_width(self.lanes, node.name),
            )
            m.submodules[f"node_{node.name}"] = ResetInserter(self.resets[k])(component)
            components[node.name] = component
            paths[node.name] = self._path(m, f"path_{node.name}", k)
            for port in node.primitive.ports().outputs:
                sources[f"{node.name}.{port}"] = component.output(port)
            if isinstance(component, Delay):
                m.d.comb += component.frames.eq(frames)
                taken[node.name] = component.input("x")
        self._tensors(m, components)
        packer = self._packer(m)
        for reference, source in sources.items():
            path = paths["" if reference in self.program.inputs else reference.partition(".")[0]]
            self._distribute(m, path, reference, source, components, packer)
        watched = sources | taken
        ends = [at_end(watched[name], self.program.steps) for name in self.ends]
        m.d.sync += self.ended.eq(Cat(ends))
        return m

    def _path(self, m: Module, name: str, part: int) -> Module:
        """A module for what lies between nodes, reset with the node before."""
        path = Module()
        m.submodules[name] = ResetInserter(self.resets[part])(path)
        return path

    def _inputs(self, m: Module) -> dict[str, stream.Interface]:
        """Unpack the program's inputs, between buffers that keep bus and nodes out of the way."""
        program = self.program
        m.submodules.buffer = buffer = Buffer(word_layout, depth=1)
        m.submodules.unpacker = unpacker = Unpacker(
            [(given.port, given.rate) for given in program.inputs.values()],
            steps=program.steps,
            may_end_early=program.may_end_early,
        )
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        wiring.connect(m, buffer.o, unpacker.i)
        m.d.comb += [self.started.eq(unpacker.started), self.cut.eq(unpacker.cut)]
        sources = {}
        for k, (name, given) in enumerate(program.inputs.items()):
            layout = dense_layout(shape_of(given.port.format), 1)
            m.submodules[f"elements_{name}"] = elements = Buffer(layout, depth=1)
            wiring.connect(m, getattr(unpacker, f"o{k}"), elements.i)
            sources[name] = elements.o
        return sources

    def _packer(self, m: Module) -> Packer:
        """Pack the program's outputs; a buffer keeps the host's bus out of the way."""
        program = self.program
        ports = []
        for reference in program.outputs.values():
            port = replace(program.port(reference), kind=Kind.DENSE)
            ports.append((port, program.rates[reference.partition(".")[0]]))
        packer = Packer(ports, streaming=program.steps is None)
        m.submodules.packer = ResetInserter(self.resets[-1])(packer)
        path = self._path(m, "exit", -1)
        path.submodules.buffer = buffer = Buffer(word_layout, depth=1)
        wiring.connect(path, packer.o, buffer.i)
        wiring.connect(path, buffer.o, wiring.flipped(self.o))
        return packer

    def _tensors(self, m: Module, components: Mapping[str, PrimitiveComponent]) -> None:
        """Host writes go to every reader of a tensor, reads come from the first."""
        for k, tensor in enumerate(self.program.tensor_specs):
            host = getattr(self, f"tensor_{k}")
            readers = [components[node.name].hosts[tensor] for node in self.program.readers(tensor)]
            share(m, host, readers)

    def _distribute(
        self,
        m: Module,
        path: Module,
        reference: str,
        source: stream.Interface,
        components: Mapping[str, PrimitiveComponent],
        packer: Packer,
    ) -> None:
        """Fork a stream to its readers, each in the kind and width that it takes."""
        program = self.program
        port = program.port(reference)
        if reference in program.inputs:
            port = replace(port, kind=Kind.DENSE)
        width = beat_width(self.lanes, reference)
        targets = [
            self._target(node, position, components)
            for node, position in program.consumers.get(reference, [])
        ]
        targets += [
            (getattr(packer, f"i{k}"), Kind.DENSE, 1)
            for k, output in enumerate(program.outputs.values())
            if program.resolve(output) == reference
        ]
        if not targets:
            path.d.comb += source.ready.eq(1)
        name = reference.replace(".", "_")
        others = [kind is Kind.EVENT or lanes != width for _, kind, lanes in targets]
        if port.kind is Kind.DENSE and width > 1 and targets and all(others):
            # One element a beat for all of them, so before the fork: its buffers are then small.
            narrow = Narrow(shape_of(port.format), size=port.size, lanes=width)
            source, width = through(path, f"narrow_{name}", narrow, source), 1
        serial = [source] if port.kind is Kind.EVENT or width == 1 else []
        for k, (branch, (target, kind, lanes)) in enumerate(
            zip(
                self._branches(path, reference, source, port, width, len(targets)),
                targets,
                strict=True,
            )
        ):
            adapted, narrowed = adapt(path, f"{name}_{k}", branch, port, width, kind, lanes)
            serial += narrowed
            wiring.connect(path, adapted, target)
        if reference in program.layers:
            self._probe(m, path, program.layers.index(reference), port, serial[0])

    @staticmethod
    def _target(
        node: Node, position: int, components: Mapping[str, PrimitiveComponent]
    ) -> tuple[stream.Interface, Kind, int]:
        """Stream, kind and beat width of a node's input."""
        name, port = list(node.primitive.ports().inputs.items())[position]
        component = components[node.name]
        return component.input(name), port.kind, component.lanes_in

    def _branches(
        self,
        m: Module,
        reference: str,
        source: stream.Interface,
        port: Port,
        width: int,
        branches: int,
    ) -> list[stream.Interface]:
        """Branches of a stream; each holds a whole vector where others could wait for it.

        Those are the streams that start side by side: of a fork, of a node's several outputs and of
        the program's inputs, which the host sends one after the other.
        """
        program = self.program
        depths = [
            beats_needed(branch, program, self.lanes, width)
            for branch in branches_of(program)
            if branch.reference == reference
        ]
        if not any(depths):
            return [source] * branches
        name, layout = reference.replace(".", "_"), layout_of(port, width)
        sources = [source]
        if branches > 1:
            m.submodules[f"fork_{name}"] = fork = Fork(layout, branches=branches)
            wiring.connect(m, source, fork.i)
            sources = [getattr(fork, f"o{k}") for k in range(branches)]
        found = []
        for k, branch in enumerate(sources):
            m.submodules[f"buffer_{name}_{k}"] = buffer = Buffer(layout, depth=depths[k])
            wiring.connect(m, branch, buffer.i)
            found.append(buffer.o)
        return found

    def _probe(
        self, m: Module, path: Module, layer: int, port: Port, watched: stream.Interface
    ) -> None:
        path.submodules[f"probe_{layer}"] = probe = Probe(port)
        probe.watch(path, watched)
        m.d.comb += [
            self.probe_fire[layer].eq(probe.fire),
            getattr(self, f"probe_data_{layer}").eq(probe.data),
            getattr(self, f"probe_flags_{layer}").eq(probe.flags),
            getattr(self, f"crc_{layer}").eq(probe.crc),
        ]
