# SPDX-License-Identifier: Apache-2.0
"""From frames to steps."""

from typing import ClassVar

from amaranth import Module
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.replay import Replay
from spikewright.hw.streams import beats_of, layout_of
from spikewright.sim.hold import Hold as Primitive


class Hold(PrimitiveComponent):
    """Play a frame's vector in every step; the next frame's comes in meanwhile.

    Parameters
    ----------
    primitive : spikewright.sim.hold.Hold
    lanes : int
    steps : int
        Steps of a frame.

    Members
    -------
    i_x : In(stream of dense beats, ``lanes`` wide)
    o_y : Out(stream of dense beats, ``lanes`` wide)
    """

    primitive: Primitive
    framed: ClassVar[bool] = True

    def __init__(self, primitive: Primitive, *, lanes: int, steps: int | None):
        super().__init__(primitive, lanes=lanes, lanes_in=lanes, lanes_out=lanes)
        self.steps = steps or 1

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        (port,) = self.primitive.ports().inputs.values()
        m.submodules.replay = replay = Replay(
            layout_of(port, self.lanes),
            beats=beats_of(port.size, self.lanes),
            passes=self.steps,
        )
        o = self.output("y")
        wiring.connect(m, wiring.flipped(self.input("x")), replay.i)
        m.d.comb += [
            o.valid.eq(replay.o.valid),
            replay.o.ready.eq(o.ready),
            o.payload.eq(replay.o.payload),
            o.payload.first.eq(replay.pass_first),
            o.payload.end.eq(replay.pass_last),
        ]
        return m
