# SPDX-License-Identifier: Apache-2.0
"""From steps to frames: how often each neuron spiked."""

from amaranth import C, Module, Signal
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.accumulators import Accumulators
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import shape_of
from spikewright.sim.count import Count as Primitive


class Count(PrimitiveComponent):
    """One spike a cycle; at the end of a frame the counts leave, one a cycle.

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
        i = self.input("s")
        m.submodules.sums = sums = Accumulators(
            shape_of(self.primitive.count_format), depth=self.primitive.size, lanes=1
        )
        accepted = Signal()
        m.d.comb += [
            i.ready.eq(sums.ready),
            accepted.eq(i.valid & i.ready),
            sums.add.eq(accepted & ~i.payload.end_step),
            sums.address.eq(i.payload.index),
            sums.addend[0].eq(C(1)),
            sums.drain.eq(accepted & i.payload.end_step & i.payload.end_frame),
            sums.first.eq(1),
            sums.end.eq(1),
        ]
        wiring.connect(m, wiring.flipped(self.output("n")), sums.o)
        return m
