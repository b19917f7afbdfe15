# SPDX-License-Identifier: Apache-2.0
"""Scale, round and saturate."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import halved, rounded, saturate
from spikewright.hw.parameters import ParameterMemory
from spikewright.hw.streams import beats_of
from spikewright.sim.requantize import SHIFT_FORMAT
from spikewright.sim.requantize import Requantize as Primitive


class Requantize(PrimitiveComponent):
    """``lanes`` elements a cycle; latency two cycles, three with a shift for each channel.

    Parameters
    ----------
    primitive : spikewright.sim.requantize.Requantize
    lanes : int

    Members
    -------
    i_x : In(stream of dense beats, ``lanes`` wide)
    o_y : Out(stream of dense beats, ``lanes`` wide)
    host_0 : In(ParameterHost)
        Shifts, where each channel has its own.
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int):
        super().__init__(primitive, lanes=lanes, lanes_in=lanes, lanes_out=lanes)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        i, o = self.input("x"), self.output("y")
        advance = Signal()
        m.d.comb += [advance.eq(~o.valid | o.ready), i.ready.eq(advance)]
        flags: Value = Cat(i.valid, i.payload.last, i.payload.first, i.payload.end)
        elements: list[Value] = [i.payload.data[k] for k in range(self.lanes)]
        base = self.primitive.input.frac - self.primitive.output.frac
        if self.primitive.shift is None:
            halves = [halved(x, base) for x in elements]
        else:
            own = self._shifts(m, i.valid & advance, i.payload.last)
            elements, flags = self._stage(m, advance, elements, flags, "x")
            halves = [halved(x, base) >> own.word[k] for k, x in enumerate(elements)]
        halves, flags = self._stage(m, advance, halves, flags, "half")
        results = [saturate(m, rounded(x), self.primitive.output) for x in halves]
        with m.If(advance):
            m.d.sync += Cat(o.valid, o.payload.last, o.payload.first, o.payload.end).eq(flags)
            m.d.sync += [o.payload.data[k].eq(result) for k, result in enumerate(results)]
        return m

    def _shifts(self, m: Module, take: Value, last: Value) -> ParameterMemory:
        """Shifts of the beat that was taken a cycle ago."""
        m.submodules.shifts = shifts = ParameterMemory(
            rows=self.primitive.size, columns=1, lanes=self.lanes, format=SHIFT_FORMAT
        )
        wiring.connect(m, wiring.flipped(self.hosts[str(self.primitive.shift)]), shifts.host)
        tile = Signal(range(beats_of(self.primitive.size, self.lanes)))
        m.d.comb += [shifts.address.eq(tile), shifts.enable.eq(take)]
        with m.If(take):
            m.d.sync += tile.eq(Mux(last, 0, tile + 1))
        return shifts

    def _stage(
        self, m: Module, advance: Value, elements: list[Value], flags: Value, name: str
    ) -> tuple[list[Value], Value]:
        """A register stage."""
        held: list[Value] = [
            Signal(x.shape(), name=f"{name}_{k}", reset_less=True) for k, x in enumerate(elements)
        ]
        held_flags = Signal.like(flags, name=f"{name}_flags")
        with m.If(advance):
            m.d.sync += [a.eq(b) for a, b in zip(held, elements, strict=True)]
            m.d.sync += held_flags.eq(flags)
        return held, held_flags
