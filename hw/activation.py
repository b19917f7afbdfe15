# SPDX-License-Identifier: Apache-2.0
"""Activations of straight pieces."""

from amaranth import C, Module, Mux, Value
from amaranth.build import Platform

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import halved, shape_of
from spikewright.hw.glue.flow import Flow, delayed
from spikewright.hw.requantize import NARROW_CYCLES, narrowed
from spikewright.sim.activation import Activation as Primitive
from spikewright.sim.fixed import QFormat


class Activation(PrimitiveComponent):
    """``lanes`` elements a cycle, without multipliers.

    Latency, beside the outlet's: one cycle for a sign, three for a hard tanh, and for a leaky ReLU
    two and one for each shift of its slope.

    Parameters
    ----------
    primitive : spikewright.sim.activation.Activation
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
        p, i = self.primitive, self.input("x")
        function, cycles = {
            "leaky_relu": (self._leaky_relu, len(p.slope) + NARROW_CYCLES),
            "hard_tanh": (self._hard_tanh, NARROW_CYCLES + 1),
            "sign": (self._sign, 1),
        }[p.function]
        flow = Flow(m, i, shape=shape_of(p.output), lanes=self.lanes, cycles=cycles)
        elements = [function(m, i.payload.data[k]) for k in range(self.lanes)]
        flow.leave(elements, self.output("y"))
        return m

    def _leaky_relu(self, m: Module, x: Value) -> Value:
        """Below zero the sum of the slope's shifts, one a cycle."""
        p = self.primitive
        total: Value = C(0)
        for k, shift in enumerate(p.slope):
            whole = C(0) if k else x << p.extra
            negative = x[-1] if p.input.signed else C(0)
            total = delayed(m, total + Mux(negative, x << (p.extra - shift), whole), 1)
            x = delayed(m, x, 1)
        return narrowed(m, halved(total, p.shift), p.output)

    def _hard_tanh(self, m: Module, x: Value) -> Value:
        """To a format that holds more than -1 and 1, then to these or the output's ends."""
        p = self.primitive
        lo, hi = p.bounds
        y = narrowed(m, halved(x, p.shift), QFormat(width=p.output.frac + 2))
        return delayed(m, Mux(y < lo, C(lo, y.shape()), Mux(y > hi, C(hi, y.shape()), y)), 1)

    def _sign(self, m: Module, x: Value) -> Value:
        lo, hi = self.primitive.bounds
        negative = x[-1] if self.primitive.input.signed else C(0)
        return delayed(m, Mux(negative, C(lo, shape_of(self.primitive.output)), C(hi)), 1)
