# SPDX-License-Identifier: Apache-2.0
"""From steps to frames: how often each neuron spiked."""

from amaranth import C, Module, Mux, Signal
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.glue.flow import delayed
from spikewright.hw.glue.outlet import CYCLES, Outlet
from spikewright.hw.glue.streams import layout_of
from spikewright.sim.count import Count as Primitive

_CYCLES = BlockMemory.latency + 2
"""Cycles from an address until its word may be read again: reading, adding, writing."""


class Count(PrimitiveComponent):
    """One spike a cycle, three cycles for the end of a step; then the counts leave, one a cycle.

    No neuron spikes twice in a step, and the pause at its end is as long as an addition takes; so
    no addition meets a count that is not written yet. After reset it takes a cycle for each count
    to clear them.

    Parameters
    ----------
    primitive : spikewright.sim.count.Count
    lanes : int
        1.

    Members
    -------
    i_s : In(stream of events)
    o_n : Out(stream of dense beats, one lane)
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int = 1):
        super().__init__(primitive, lanes=lanes, lanes_in=1, lanes_out=1)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, i = self.primitive, self.input("s")
        (port,) = p.ports().outputs.values()
        m.submodules.counts = counts = BlockMemory(width=p.count_format.width, depth=p.size)
        m.submodules.outlet = outlet = Outlet(layout_of(port), depth=_CYCLES + CYCLES)
        wiring.connect(m, outlet.o, wiring.flipped(self.output("n")))
        word, pause = Signal(range(p.size)), Signal(range(_CYCLES))
        final = Signal()
        add, send, clear = Signal(), Signal(), Signal()
        following = Mux(final, 0, word + 1)
        m.d.comb += [final.eq(word == p.size - 1), counts.read_address.eq(word)]
        with m.FSM():
            with m.State("CLEAR"):
                m.d.comb += clear.eq(1)
                m.d.sync += [word.eq(following), pause.eq(_CYCLES - 2)]
                with m.If(final):
                    m.next = "PAUSE"
            with m.State("ADD"):
                m.d.comb += [i.ready.eq(1), counts.read_address.eq(i.payload.index)]
                m.d.comb += add.eq(i.valid & ~i.payload.end_step)
                # The marker's own cycle is one of them.
                m.d.sync += pause.eq(_CYCLES - 3)
                with m.If(i.valid & i.payload.end_step):
                    m.next = "PAUSE"
                    with m.If(i.payload.end_frame):
                        m.next = "SETTLE"
            with m.State("PAUSE"):
                m.d.sync += pause.eq(pause - 1)
                with m.If(pause == 0):
                    m.next = "ADD"
            with m.State("SETTLE"):
                m.d.sync += pause.eq(pause - 1)
                with m.If(pause == 0):
                    m.next = "SEND"
            with m.State("SEND"):
                with m.If(outlet.room):
                    m.d.comb += [send.eq(1), outlet.reserve.eq(1)]
                    m.d.sync += [word.eq(following), pause.eq(_CYCLES - 2)]
                    with m.If(final):
                        m.next = "PAUSE"
        # A count that leaves is written back as zero.
        adding, sending, clearing = (
            delayed(m, command, BlockMemory.latency, init=0) for command in (add, send, clear)
        )
        m.d.comb += [
            counts.write.eq(delayed(m, adding | sending | clearing, 1, init=0)),
            counts.write_address.eq(delayed(m, counts.read_address, BlockMemory.latency + 1)),
            counts.write_data.eq(delayed(m, Mux(adding, counts.read_data + 1, C(0)), 1)),
            outlet.valid.eq(sending),
            outlet.payload.data[0].eq(counts.read_data),
            outlet.payload.last.eq(delayed(m, final, BlockMemory.latency)),
            outlet.payload.first.eq(1),
            outlet.payload.end.eq(1),
        ]
        return m
