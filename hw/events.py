# SPDX-License-Identifier: Apache-2.0
"""Between spikes as bits of a vector and spikes as events."""

from amaranth import Cat, Module, Mux, Shape, Signal
from amaranth.build import Platform
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.streams import beats_of, dense_layout, event_layout


class Gather(wiring.Component):
    """Spike vectors to events, ascending, with a marker after each vector.

    A beat without spikes takes one cycle, another as many as it has spikes plus one; the marker
    takes one.

    Parameters
    ----------
    size : int
    lanes : int

    Members
    -------
    i : In(stream of dense beats of spikes, ``lanes`` wide)
    o : Out(stream of events)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, size: int, lanes: int):
        self.size = size
        self.lanes = lanes
        super().__init__(
            {
                "i": In(stream.Signature(dense_layout(Shape(1), lanes))),
                "o": Out(stream.Signature(event_layout(size))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        beat, event = self.i.payload, self.o.payload
        spikes = Signal(self.lanes)
        tile = Signal(range(beats_of(self.size, self.lanes)))
        base = Signal(range(self.size))
        held, last, end = Signal(), Signal(), Signal()
        lowest = Signal(range(self.lanes))
        for k in reversed(range(self.lanes)):
            with m.If(spikes[k]):
                m.d.comb += lowest.eq(k)
        silent = spikes == 0
        m.d.comb += [
            event.end_step.eq(silent),
            event.end_frame.eq(silent & end),
            event.index.eq(Mux(silent, 0, base + lowest)),
            self.o.valid.eq(held & (~silent | last)),
            self.i.ready.eq(~held | (silent & (~last | self.o.ready))),
        ]
        with m.If(self.i.valid & self.i.ready):
            bits = Cat(beat.data[k] for k in range(self.lanes))
            within = Mux(beat.last, (1 << self._tail) - 1, (1 << self.lanes) - 1)
            m.d.sync += [
                held.eq(1),
                spikes.eq(bits & within),
                last.eq(beat.last),
                end.eq(beat.end),
                base.eq(tile * self.lanes),
                tile.eq(Mux(beat.last, 0, tile + 1)),
            ]
        with m.Elif(self.i.ready):
            m.d.sync += held.eq(0)
        with m.Elif(self.o.ready):
            m.d.sync += spikes.eq(spikes & (spikes - 1))
        return m

    @property
    def _tail(self) -> int:
        """Elements in a vector's last beat."""
        return self.size - (beats_of(self.size, self.lanes) - 1) * self.lanes


class Scatter(wiring.Component):
    """Events to spike vectors.

    A vector takes one cycle for each element and one for each event; the marker takes none.

    Parameters
    ----------
    size : int

    Members
    -------
    i : In(stream of events)
    o : Out(stream of dense beats of spikes, one lane)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, size: int):
        self.size = size
        super().__init__(
            {
                "i": In(stream.Signature(event_layout(size))),
                "o": Out(stream.Signature(dense_layout(Shape(1), 1))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        event, beat = self.i.payload, self.o.payload
        spikes = Signal(self.size)
        position = Signal(range(self.size))
        sending, first, end = Signal(), Signal(init=1), Signal()
        final = position == self.size - 1
        m.d.comb += [
            self.i.ready.eq(~sending),
            self.o.valid.eq(sending),
            beat.data[0].eq(spikes[0]),
            beat.first.eq(first),
            beat.last.eq(final),
            beat.end.eq(end),
        ]
        with m.If(self.i.valid & ~sending):
            with m.If(event.end_step):
                m.d.sync += [sending.eq(1), end.eq(event.end_frame)]
            with m.Else():
                m.d.sync += spikes.bit_select(event.index, 1).eq(1)
        with m.If(sending & self.o.ready):
            m.d.sync += [spikes.eq(spikes >> 1), position.eq(Mux(final, 0, position + 1))]
            with m.If(final):
                m.d.sync += [sending.eq(0), first.eq(end)]
        return m
