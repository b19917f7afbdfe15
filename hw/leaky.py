# SPDX-License-Identifier: Apache-2.0
"""Leaky integrator."""

from amaranth import Cat, Module, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import minus_rounded, partial_products, saturate, shape_of
from spikewright.hw.state import StatePipeline
from spikewright.sim.leaky import Leaky as Primitive


class Leaky(PrimitiveComponent):
    """``lanes`` integrators a cycle; latency five cycles, one multiplier a lane.

    Parameters
    ----------
    primitive : spikewright.sim.leaky.Leaky
    lanes : int

    Members
    -------
    i_i : In(stream of dense beats, ``lanes`` wide)
    o_v : Out(stream of dense beats, ``lanes`` wide)
    host_0 : In(ParameterHost)
        Leaks.
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int):
        super().__init__(primitive, lanes=lanes, lanes_in=lanes, lanes_out=lanes)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, i, o = self.primitive, self.input("i"), self.output("v")
        advance = Signal()
        m.d.comb += advance.eq(~o.valid | o.ready)
        pipe = StatePipeline(
            m,
            i,
            size=p.size,
            lanes=self.lanes,
            layout=data.StructLayout({"v": shape_of(p.membrane)}),
            advance=advance,
        )
        lanes = range(self.lanes)
        given = pipe.enter(self, i)
        values: dict[str, Value] = {}
        for k, (state, leak) in enumerate(zip(pipe.states, pipe.parameters[p.leak], strict=True)):
            v = state["v"]
            total = v + given[f"i{k}"]
            high, low = partial_products(total if p.leak_after_input else v, leak)
            values |= {f"product{k}": high, f"rest{k}": low, f"total{k}": total}
        s3 = pipe.next(values)
        products = [s3[f"product{k}"] + s3[f"rest{k}"] for k in lanes]
        s4 = pipe.next(
            {f"v{k}": minus_rounded(s3[f"total{k}"], products[k], p.leak_frac) for k in lanes}
        )
        new = [saturate(m, s4[f"v{k}"], p.membrane) for k in lanes]
        pipe.write_back([{"v": v} for v in new])
        with m.If(advance):
            m.d.sync += [
                o.valid.eq(s4["valid"]),
                Cat(o.payload.last, o.payload.first, o.payload.end).eq(s4["flags"]),
            ]
            m.d.sync += [o.payload.data[k].eq(v) for k, v in enumerate(new)]
        return m
