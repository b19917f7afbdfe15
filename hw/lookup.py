# SPDX-License-Identifier: Apache-2.0
"""Curved activations by table."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.build import Platform

from spikewright.hw.cells.multiplier import Multiplier
from spikewright.hw.cells.rom import Rom
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import saturate, shape_of
from spikewright.hw.glue.flow import Flow, delayed
from spikewright.sim.fixed import QFormat
from spikewright.sim.lookup import GUARD
from spikewright.sim.lookup import Lookup as Primitive

_FOLD_CYCLES = 2
"""Cycles from an element to the address of its value."""
_MIRROR_CYCLES = 2
"""Cycles from ``f(|x|)`` to ``f(x)``."""


class Lookup(PrimitiveComponent):
    """``lanes`` elements a cycle; latency six cycles and the outlet's.

    Where values are interpolated it is ten, and 16 beats may take a cycle or two more. One table
    serves all lanes, with a read port for each; interpolation takes a multiplier a lane.

    Parameters
    ----------
    primitive : spikewright.sim.lookup.Lookup
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
        table, value_bits = self.primitive.table, self._value_bits
        m.submodules.rom = rom = Rom(self._words(), ports=self.lanes)
        between = Multiplier.latency + 1 if table.rises else 0
        flow = Flow(
            m,
            self.input("x"),
            shape=shape_of(self.primitive.output),
            lanes=self.lanes,
            cycles=_FOLD_CYCLES + Rom.latency + between + _MIRROR_CYCLES,
        )
        elements: list[Value] = []
        for k in range(self.lanes):
            negative, inside = self._fold(m, rom, k, flow.i.payload.data[k])
            word = Value.cast(rom.word[k])
            value = word[:value_bits]
            if table.rises:
                value = self._between(m, k, value, word[value_bits:], inside)
                negative = delayed(m, negative, between)
            elements.append(saturate(m, self._mirrored(m, negative, value), self.primitive.output))
        flow.leave(elements, self.output("y"))
        return m

    def _words(self) -> list[int]:
        """Values, each with its rise above it, up to a power of two filled with the last one."""
        table = self.primitive.table
        rises = table.rises or (0,) * len(table.values)
        words = [
            value | rise << self._value_bits
            for value, rise in zip(table.values, rises, strict=True)
        ]
        return words + words[-1:] * ((1 << (len(words) - 1).bit_length()) - len(words))

    @property
    def _value_bits(self) -> int:
        return max(1, max(self.primitive.table.values).bit_length())

    def _fold(self, m: Module, rom: Rom, k: int, x: Value) -> tuple[Value, Value]:
        """Address the cell of ``|x|``; whether ``x`` is negative and where in the cell it is.

        Both come with the word. What lies beyond the table is limited before it is folded, so that
        the folding adder is short, and once more after it, for ``-2^n`` folds to just beyond.
        """
        table, given = self.primitive.table, self.primitive.input
        cells = Value.cast(rom.address[k])
        bits = len(cells) + table.cell_bits
        limit = QFormat(width=min(bits + given.signed, given.width), signed=given.signed)
        near = delayed(m, saturate(m, x, limit), 1)
        negative = near[-1] if given.signed else C(0, 1)
        magnitude = Signal(bits + 1, name=f"magnitude_{k}", reset_less=True)
        m.d.sync += magnitude.eq(Mux(negative, -near, near))
        place = magnitude[:-1] | magnitude[-1].replicate(bits)
        m.d.comb += cells.eq(place[table.cell_bits :])
        inside = place[table.cell_bits - table.factor_bits : table.cell_bits]
        return (
            delayed(m, negative, _FOLD_CYCLES - 1 + Rom.latency),
            delayed(m, inside, Rom.latency),
        )

    def _mirrored(self, m: Module, negative: Value, value: Value) -> Value:
        """``f(-x) = mirror - f(x)``: the inverted bits, then an addition, in a cycle each."""
        signs = negative.replicate(len(value) + 1)
        inverted = delayed(m, (Cat(value, C(0, 1)) ^ signs).as_signed(), 1)
        amount = Mux(delayed(m, negative, 1), self.primitive.mirror + 1, 0)
        # It lies between -1 and 1, which synthesis cannot see.
        reach = self.primitive.output.frac + 2
        return delayed(m, (inverted + amount)[:reach].as_signed(), 1)

    def _between(self, m: Module, k: int, value: Value, rise: Value, inside: Value) -> Value:
        """Interpolate and round, some cycles later."""
        multiplier = Multiplier(rise.shape(), inside.shape())
        m.submodules[f"multiplier_{k}"] = multiplier
        m.d.comb += [multiplier.a.eq(rise), multiplier.b.eq(inside)]
        below = GUARD + self.primitive.table.factor_bits
        start = Cat(C(0, len(inside)), delayed(m, value, Multiplier.latency))
        total = start + multiplier.product + (1 << (below - 1))
        return delayed(m, total[below : below + self.primitive.output.frac + 1], 1)
