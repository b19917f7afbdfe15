# SPDX-License-Identifier: Apache-2.0
"""Index of the largest or smallest element."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import shape_of
from spikewright.hw.glue.flow import delayed
from spikewright.hw.glue.outlet import CYCLES, Outlet
from spikewright.hw.glue.streams import layout_of
from spikewright.sim.extremum import Extremum as Primitive

_CYCLES = 5
"""Cycles from the last element to the index."""
_GROUP = 8
"""Bits that are compared for equality at a time."""


class Extremum(PrimitiveComponent):
    """One element a cycle; the index follows five cycles and the outlet's after the last one.

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
        i = self.input("x")
        (port,) = self.primitive.ports().outputs.values()
        m.submodules.outlet = outlet = Outlet(layout_of(port), depth=_CYCLES + CYCLES)
        wiring.connect(m, outlet.o, wiring.flipped(self.output("index")))
        take, beat = Signal(), i.payload
        m.d.comb += [
            i.ready.eq(outlet.room),
            take.eq(i.valid & outlet.room),
            outlet.reserve.eq(take & beat.last),
        ]
        position = Signal(max(1, (self.primitive.size - 1).bit_length()))
        with m.If(take):
            m.d.sync += position.eq(Mux(beat.last, 0, position + 1))
        sides = [self._best_of(m, take, position, odd) for odd in (0, 1)]
        flags = delayed(m, Cat(beat.first, beat.end), _CYCLES)
        m.d.comb += [
            outlet.valid.eq(delayed(m, take & beat.last, _CYCLES, init=0)),
            outlet.payload.data[0].eq(self._better_of(m, *sides)),
            outlet.payload.last.eq(1),
            Cat(outlet.payload.first, outlet.payload.end).eq(flags),
        ]
        return m

    def _best_of(self, m: Module, take: Value, position: Value, odd: int) -> tuple[Signal, Signal]:
        """Best of the even or of the odd elements, and where it is, three cycles after the last.

        Only every second element is compared with it, so that to compare and to replace it may take
        a cycle each.
        """
        (port,) = self.primitive.ports().inputs.values()
        best = Signal(shape_of(port.format), name=f"best_{odd}", reset_less=True)
        where = Signal(position.shape(), name=f"where_{odd}", reset_less=True)
        x = delayed(m, self.input("x").payload.data[0], 1)
        mine = delayed(m, take & (position[0] == odd), 2)
        starts = delayed(m, position == odd, 2)
        better = delayed(m, self._beats(x, best), 1)
        x, position = delayed(m, x, 1), delayed(m, position, 2)
        with m.If(mine & (starts | better)):
            m.d.sync += [best.eq(x), where.eq(position)]
        return best, where

    def _better_of(
        self, m: Module, even: tuple[Signal, Signal], odd: tuple[Signal, Signal]
    ) -> Value:
        """Where the better one is, two cycles later; of equals the first."""
        (x, here), (y, there) = even, odd
        if self.primitive.size == 1:
            return delayed(m, here, 2)
        later = delayed(m, there < here, 1)
        bits = x ^ y
        groups = [bits[k : k + _GROUP].any() for k in range(0, len(bits), _GROUP)]
        differ = delayed(m, Cat(groups), 1).any()
        picked = delayed(m, delayed(m, self._beats(y, x), 1) | (~differ & later), 1)
        return Mux(picked, delayed(m, there, 2), delayed(m, here, 2))

    def _beats(self, x: Value, y: Value) -> Value:
        """By the sign of a difference: synthesis would test a comparison's for zero as well."""
        return ((y - x) if self.primitive.largest else (x - y))[-1]
