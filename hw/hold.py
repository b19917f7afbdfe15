# SPDX-License-Identifier: Apache-2.0
"""From frames to steps."""

from typing import ClassVar

from amaranth import Cat, Module, Mux, Signal
from amaranth.build import Platform
from amaranth.lib import data, wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import shape_of
from spikewright.hw.glue.flow import delayed
from spikewright.hw.glue.outlet import CYCLES, Outlet
from spikewright.hw.glue.streams import beats_of, layout_of
from spikewright.hw.product.replay import Replay
from spikewright.sim.hold import Hold as Primitive


class Hold(PrimitiveComponent):
    """Play a frame's vector in every step, a beat a cycle; the next frame's comes in meanwhile.

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
        super().__init__(primitive, lanes=lanes)
        self.steps = steps or 1

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        (port,) = self.primitive.ports().inputs.values()
        shape = data.ArrayLayout(shape_of(port.format), self.lanes)
        m.submodules.replay = replay = Replay(
            shape, length=beats_of(port.size, self.lanes), passes=self.steps, each=True
        )
        i, entry = self.input("x"), replay.i.payload
        m.d.comb += [
            replay.i.valid.eq(i.valid),
            i.ready.eq(replay.i.ready),
            entry.data.eq(i.payload.data),
            entry.last.eq(i.payload.last),
        ]
        m.submodules.outlet = outlet = Outlet(
            layout_of(port, self.lanes), depth=Replay.latency + CYCLES
        )
        wiring.connect(m, outlet.o, wiring.flipped(self.output("y")))
        step = Signal(range(self.steps))
        with m.If(replay.valid & replay.stop):
            m.d.sync += step.eq(Mux(replay.final, 0, step + 1))
        marks = Cat(replay.valid, step == 0, replay.stop, replay.final)
        late = delayed(m, marks, replay.latency, init=0)
        payload = outlet.payload
        m.d.comb += [
            replay.go.eq(outlet.room),
            outlet.reserve.eq(replay.valid),
            outlet.valid.eq(late[0]),
            Cat(payload.first, payload.last, payload.end).eq(late[1:]),
            payload.data.eq(replay.data),
        ]
        return m
