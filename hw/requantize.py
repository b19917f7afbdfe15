# SPDX-License-Identifier: Apache-2.0
"""Scale, round and saturate."""

from amaranth import C, Module, Mux, Signal, Value, signed
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import halved, shape_of
from spikewright.hw.glue.flow import Flow, delayed
from spikewright.hw.parameters import ParameterVector
from spikewright.sim.fixed import QFormat
from spikewright.sim.requantize import SHIFT_FORMAT
from spikewright.sim.requantize import Requantize as Primitive

NARROW_CYCLES = 2
"""Cycles that :func:`narrowed` takes."""
_BARREL_CYCLES = 2
"""Cycles of a channel's own shift, half of its bits in each."""


class Requantize(PrimitiveComponent):
    """``lanes`` elements a cycle; latency two cycles and the outlet's.

    It is six with a shift for each channel.

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

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, i = self.primitive, self.input("x")
        own = ParameterVector.latency + _BARREL_CYCLES if p.shift is not None else 0
        flow = Flow(m, i, shape=shape_of(p.output), lanes=self.lanes, cycles=own + NARROW_CYCLES)
        base = p.input.frac - p.output.frac
        halves = [halved(i.payload.data[k], base) for k in range(self.lanes)]
        if p.shift is not None:
            shifts = self._shifts(m, flow)
            halves = [_shifted(m, x, shifts[k]) for k, x in enumerate(halves)]
        flow.leave([narrowed(m, x, p.output) for x in halves], self.output("y"))
        return m

    def _shifts(self, m: Module, flow: Flow) -> list[Value]:
        """Shifts of each beat, some cycles after it was taken."""
        m.submodules.shifts = shifts = ParameterVector(
            size=self.primitive.size, lanes=self.lanes, format=SHIFT_FORMAT
        )
        wiring.connect(m, wiring.flipped(self.hosts[str(self.primitive.shift)]), shifts.host)
        tile = Signal.like(shifts.address)
        m.d.comb += shifts.address.eq(tile)
        with m.If(flow.take):
            m.d.sync += tile.eq(Mux(flow.i.payload.last, 0, tile + 1))
        return [Value.cast(shifts.word[k]) for k in range(self.lanes)]


def _shifted(m: Module, x: Value, shift: Value) -> Value:
    """Drop a channel's own bits: first in steps of four, then singly."""
    coarse = delayed(m, delayed(m, x, ParameterVector.latency) >> (shift[2:] << 2), 1)
    return delayed(m, coarse >> delayed(m, shift[:2], 1), 1)


def narrowed(m: Module, halves: Value, fmt: QFormat) -> Value:
    """Round half up and saturate codes that have one bit below the LSB; two cycles later.

    Rounding can pass the upper limit, but only from the half just above it. That case is found
    beforehand, beside the others, so that one short addition is all that is left.
    """
    given = Value.cast(halves)
    bits = fmt.width + 1
    code = Signal(signed(max(len(given) + (not given.shape().signed), bits + 1)), name="code")
    m.d.comb += code.eq(given)
    negative, above = code[-1], code[bits - fmt.signed : -1]
    over = ~negative & (above.any() | code[: bits - fmt.signed].all())
    under = negative & ~above.all() if fmt.signed else negative
    kept = delayed(m, code[:bits].as_signed() if fmt.signed else code[:bits], 1)
    rounded = ((kept + 1) >> 1)[: fmt.width]
    limited = Mux(delayed(m, under, 1), C(fmt.lo, shape_of(fmt)), rounded)
    limited = Mux(delayed(m, over, 1), C(fmt.hi, shape_of(fmt)), limited)[: fmt.width]
    return delayed(m, limited.as_signed() if fmt.signed else limited, 1)
