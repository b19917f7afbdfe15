# SPDX-License-Identifier: Apache-2.0
"""From steps to frames: the last step's vector."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.build import Platform

from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.glue.streams import beats_of
from spikewright.sim.last import Last as Primitive


class Last(PrimitiveComponent):
    """Keep each step's vector in place of the one before; send it at the end of the frame.

    One beat a cycle in; a frame's vector takes three cycles a beat out.

    Parameters
    ----------
    primitive : spikewright.sim.last.Last
    lanes : int

    Members
    -------
    i_x : In(stream of dense beats, ``lanes`` wide)
    o_y : Out(stream of dense beats, ``lanes`` wide)
    """

    primitive: Primitive

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        i, o = self.input("x"), self.output("y")
        beats = beats_of(self.primitive.size, self.lanes)
        elements = i.payload.data.as_value()
        vector = BlockMemory(width=len(elements), depth=beats, one_address=True)
        m.submodules.vector = vector
        beat = Signal(range(beats))
        final = beat == beats - 1
        m.d.comb += [
            vector.read_address.eq(beat),
            vector.write_address.eq(beat),
            vector.write_data.eq(elements),
            o.payload.data.as_value().eq(vector.read_data),
            o.payload.last.eq(final),
            Cat(o.payload.first, o.payload.end).eq(0b11),
        ]
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += [i.ready.eq(1), vector.write.eq(i.valid)]
                with m.If(i.valid):
                    m.d.sync += beat.eq(Mux(final, 0, beat + 1))
                with m.If(i.valid & i.payload.last & i.payload.end):
                    m.next = "READ"
            with m.State("READ"):
                m.next = "HELD"
            with m.State("HELD"):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += o.valid.eq(1)
                with m.If(o.ready):
                    m.d.sync += beat.eq(Mux(final, 0, beat + 1))
                    m.next = "READ"
                    with m.If(final):
                        m.next = "TAKE"
        return m
