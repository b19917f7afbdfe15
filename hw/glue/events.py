# SPDX-License-Identifier: Apache-2.0
"""Between spikes as bits of a vector and spikes as events."""

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.glue.sift import Sift, lowest, without_lowest
from spikewright.hw.glue.streams import dense_layout, event_layout


class Gather(wiring.Component):
    """Spike vectors to events, ascending, with a marker after each vector.

    A beat without spikes takes one cycle, another as many as it has spikes, and one more for each
    eight lanes with a spike; the marker takes one. Latency four cycles to the first event.

    Parameters
    ----------
    size : int
    lanes : int

    Members
    -------
    i : In(stream of dense beats of spikes, ``lanes`` wide)
    o : Out(stream of events)
        Registered.
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
        m.submodules.sift = sift = Sift(size=self.size, lanes=self.lanes)
        wiring.connect(m, wiring.flipped(self.i), sift.i)
        group, given = sift.o.payload, Signal.like(sift.o.payload, name="given")
        # What is left of the group; a group without spikes ends a vector.
        held, silent, free = Signal(), Signal(), Signal()
        rest = without_lowest(given.spikes)
        m.d.comb += sift.o.ready.eq(~held | (silent & free))
        with m.If(sift.o.ready):
            m.d.sync += [held.eq(sift.o.valid), given.eq(group), silent.eq(group.spikes == 0)]
        with m.Elif(free):
            m.d.sync += [
                given.spikes.eq(rest),
                silent.eq(~rest.any()),
                held.eq(rest.any() | given.last),
            ]
        # The place of a spike is numbered in one cycle and added to the first index in the next.
        valid, place = Signal(), Signal(range(self.lanes), reset_less=True)
        event = Signal.like(self.o.payload, name="event", reset_less=True)
        later = self._two_places(m, valid, event, place)
        m.d.comb += free.eq(~valid | later)
        with m.If(free):
            m.d.sync += [
                valid.eq(held),
                event.index.eq(Mux(silent, 0, given.base)),
                event.end_step.eq(silent),
                event.end_frame.eq(silent & given.end),
                place.eq(Mux(silent, 0, Cat(lowest(m, given.spikes), given.number))),
            ]
        return m

    def _two_places(self, m: Module, valid: Value, event: data.View, place: Value) -> Value:
        """Send an event; there is a second place, so that no register hangs on ``o.ready``.

        Returns
        -------
        Value
            Whether the event is taken.
        """
        o, spare = self.o, Signal.like(self.o.payload, name="spare", reset_less=True)
        full = Signal()
        complete = Signal.like(event, name="complete")
        m.d.comb += [complete.eq(event), complete.index.eq(event.index + place)]
        with m.If(~full):
            m.d.sync += spare.eq(complete)
        with m.If(~o.valid | o.ready):
            m.d.sync += [o.valid.eq(full | valid), full.eq(0)]
            m.d.sync += o.payload.eq(Mux(full, spare.as_value(), complete.as_value()))
        with m.Elif(valid):
            m.d.sync += full.eq(1)
        return ~full


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
