# SPDX-License-Identifier: Apache-2.0
"""Payloads of streams, and the glue between components: width changers, forks and buffers."""

from itertools import pairwise

from amaranth import Array, Cat, Module, Mux, Shape, Signal
from amaranth.build import Platform
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.fixed import shape_of
from spikewright.hw.glue.outlet import CYCLES, Outlet
from spikewright.sim.ports import Kind, Port


def dense_layout(shape: Shape, lanes: int) -> data.StructLayout:
    """One beat of a vector: ``lanes`` elements, lowest index first.

    ``last`` marks the last beat of a vector and ``first`` every beat of a frame's first step. On
    the last beat of a vector ``end`` tells whether this is the frame's last step. A per-frame
    vector has both. Lanes beyond the vector are ignored.
    """
    return data.StructLayout(
        {"data": data.ArrayLayout(shape, lanes), "first": 1, "last": 1, "end": 1}
    )


def event_layout(size: int) -> data.StructLayout:
    """A spike of neuron ``index``, or the one marker that ends a step (``end_step``)."""
    return data.StructLayout({"index": range(size), "end_step": 1, "end_frame": 1})


def layout_of(port: Port, lanes: int = 1) -> data.StructLayout:
    """Payload that carries a port."""
    if port.kind is Kind.EVENT:
        return event_layout(port.size)
    return dense_layout(shape_of(port.format), lanes)


def beats_of(size: int, lanes: int) -> int:
    """Beats of a vector."""
    return -(-size // lanes)


class Narrow(wiring.Component):
    """Vectors of ``lanes`` elements a beat to one element a beat.

    Latency one cycle, throughput one element a cycle.

    Parameters
    ----------
    shape : Shape
    size : int
        Elements of a vector.
    lanes : int

    Members
    -------
    i : In(stream of dense beats, lanes wide)
    o : Out(stream of dense beats, one lane)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: Shape, *, size: int, lanes: int):
        self.shape = shape
        self.size = size
        self.lanes = lanes
        super().__init__(
            {
                "i": In(stream.Signature(dense_layout(shape, lanes))),
                "o": Out(stream.Signature(dense_layout(shape, 1))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        elements = [
            Signal(self.shape, name=f"element{k}", reset_less=True) for k in range(self.lanes)
        ]
        left = Signal(range(self.lanes + 1))
        flags = Signal(3, reset_less=True)
        tail = self.size - (beats_of(self.size, self.lanes) - 1) * self.lanes
        beat = self.i.payload
        m.d.comb += [
            self.o.valid.eq(left != 0),
            self.o.payload.data[0].eq(elements[0]),
            Cat(self.o.payload.first, self.o.payload.end).eq(flags[:2]),
            self.o.payload.last.eq(flags[2] & (left == 1)),
            self.i.ready.eq((left == 0) | ((left == 1) & self.o.ready)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [element.eq(beat.data[k]) for k, element in enumerate(elements)]
            m.d.sync += flags.eq(Cat(beat.first, beat.end, beat.last))
            m.d.sync += left.eq(Mux(beat.last, tail, self.lanes))
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [a.eq(b) for a, b in pairwise(elements)]
            m.d.sync += left.eq(left - 1)
        return m


class Widen(wiring.Component):
    """Vectors of one element a beat to ``lanes`` elements a beat.

    Latency one cycle after the beat's last element, throughput one element a cycle.

    Parameters
    ----------
    shape : Shape
    lanes : int

    Members
    -------
    i : In(stream of dense beats, one lane)
    o : Out(stream of dense beats, lanes wide)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: Shape, *, lanes: int):
        self.shape = shape
        self.lanes = lanes
        super().__init__(
            {
                "i": In(stream.Signature(dense_layout(shape, 1))),
                "o": Out(stream.Signature(dense_layout(shape, lanes))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        beat, element = self.o.payload, self.i.payload
        elements = Array(
            Signal(self.shape, name=f"element{k}", reset_less=True) for k in range(self.lanes)
        )
        lane = Signal(range(self.lanes))
        flags = Signal(3, reset_less=True)
        full = Signal()
        m.d.comb += [
            self.o.valid.eq(full),
            Cat(beat.first, beat.end, beat.last).eq(flags),
            self.i.ready.eq(~full | self.o.ready),
        ]
        m.d.comb += [beat.data[k].eq(elements[k]) for k in range(self.lanes)]
        with m.If(self.o.ready):
            m.d.sync += full.eq(0)
        with m.If(self.i.valid & self.i.ready):
            complete = element.last | (lane == self.lanes - 1)
            m.d.sync += elements[lane].eq(element.data[0])
            m.d.sync += flags.eq(Cat(element.first, element.end, element.last))
            m.d.sync += [full.eq(complete), lane.eq(Mux(complete, 0, lane + 1))]
        return m


class Fork(wiring.Component):
    """One stream to several: each branch takes a beat when it can, the next comes when all have.

    Parameters
    ----------
    layout : StructLayout
    branches : int

    Members
    -------
    i : In(stream)
    o0, o1, ... : Out(stream)
        Combinational from ``i``.
    """

    i: stream.Interface

    def __init__(self, layout: data.StructLayout, *, branches: int):
        self.branches = branches
        signature = stream.Signature(layout)
        outputs = {f"o{k}": Out(signature) for k in range(branches)}
        super().__init__({"i": In(signature), **outputs})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        taken = Signal(self.branches)
        outputs = [getattr(self, f"o{k}") for k in range(self.branches)]
        finished = Cat(output.ready for output in outputs) | taken
        m.d.comb += self.i.ready.eq(finished.all())
        for k, output in enumerate(outputs):
            m.d.comb += [
                output.valid.eq(self.i.valid & ~taken[k]),
                output.payload.eq(self.i.payload),
            ]
        with m.If(self.i.valid):
            m.d.sync += taken.eq(Mux(finished.all(), 0, finished))
        return m


class Buffer(wiring.Component):
    """A first-in first-out buffer of at least ``depth`` beats.

    Nothing of one side is in the way of the other: what leaves is registered, and ``ready`` is
    known beforehand. Latency four cycles, ten if it is deep; throughput one beat a cycle.

    Parameters
    ----------
    layout : StructLayout
    depth : int

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, layout: data.StructLayout, *, depth: int):
        self.layout = layout
        self.depth = max(depth, CYCLES + 1)
        signature = stream.Signature(layout)
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        m.submodules.outlet = outlet = Outlet(self.layout, depth=self.depth)
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(outlet.room),
            outlet.reserve.eq(taken),
            outlet.valid.eq(taken),
            outlet.payload.eq(self.i.payload),
        ]
        wiring.connect(m, outlet.o, wiring.flipped(self.o))
        return m
