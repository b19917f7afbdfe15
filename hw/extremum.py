# SPDX-License-Identifier: Apache-2.0
"""Index of the largest or smallest element."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.build import Platform

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import shape_of
from spikewright.sim.extremum import Extremum as Primitive


class Extremum(PrimitiveComponent):
    """One element a cycle; the index follows a cycle after the vector's last element.

    Parameters
    ----------
    primitive : spikewright.sim.extremum.Extremum
    lanes : int
        1.

    Members
    -------
    i_x : In(stream of dense beats, one lane)
    o_index : Out(stream of dense beats of one element)
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int = 1):
        super().__init__(primitive, lanes=lanes, lanes_in=1, lanes_out=1)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        i, o = self.input("x"), self.output("index")
        x = i.payload.data[0]
        best = Signal(shape_of(self.primitive.input), reset_less=True)
        position = Signal(range(self.primitive.size))
        winner = Signal.like(position)
        better = (x > best) if self.primitive.largest else (x < best)
        wins = (position == 0) | better
        m.d.comb += i.ready.eq(~o.valid | o.ready | ~i.payload.last)
        with m.If(o.ready):
            m.d.sync += o.valid.eq(0)
        with m.If(i.valid & i.ready):
            m.d.sync += position.eq(Mux(i.payload.last, 0, position + 1))
            with m.If(wins):
                m.d.sync += [best.eq(x), winner.eq(position)]
            with m.If(i.payload.last):
                m.d.sync += [
                    o.valid.eq(1),
                    o.payload.data[0].eq(Mux(wins, position, winner)),
                    o.payload.last.eq(1),
                    Cat(o.payload.first, o.payload.end).eq(Cat(i.payload.first, i.payload.end)),
                ]
        return m
