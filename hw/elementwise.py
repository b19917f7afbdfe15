# SPDX-License-Identifier: Apache-2.0
"""Sum or product of two vectors."""

from amaranth import Module, Signal
from amaranth.build import Platform

from spikewright.hw.component import PrimitiveComponent
from spikewright.sim.elementwise import Elementwise as Primitive


class Elementwise(PrimitiveComponent):
    """``lanes`` elements a cycle from both streams together; latency one cycle.

    Parameters
    ----------
    primitive : spikewright.sim.elementwise.Elementwise
    lanes : int

    Members
    -------
    i_a, i_b : In(stream of dense beats, ``lanes`` wide)
    o_y : Out(stream of dense beats, ``lanes`` wide)
    """

    primitive: Primitive

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        a, b, o = self.input("a"), self.input("b"), self.output("y")
        advance = Signal()
        both = a.valid & b.valid
        m.d.comb += [
            advance.eq(~o.valid | o.ready),
            a.ready.eq(advance & b.valid),
            b.ready.eq(advance & a.valid),
        ]
        with m.If(advance):
            m.d.sync += [
                o.valid.eq(both),
                o.payload.first.eq(a.payload.first),
                o.payload.last.eq(a.payload.last),
                o.payload.end.eq(a.payload.end),
            ]
            for k in range(self.lanes):
                x, y = a.payload.data[k], b.payload.data[k]
                result = x + y if self.primitive.operation == "add" else x * y
                m.d.sync += o.payload.data[k].eq(result)
        return m
