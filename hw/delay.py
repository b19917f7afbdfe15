# SPDX-License-Identifier: Apache-2.0
"""Delay by whole steps."""

from typing import ClassVar

from amaranth import Module, Mux, Signal, Value
from amaranth.build import Platform
from amaranth.lib.wiring import In

from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.component import PrimitiveComponent
from spikewright.sim.delay import Delay as Primitive

FRAME_COUNT_BITS = 16
"""Bits of the count of frames; far more than can be inside at once."""


class Delay(PrimitiveComponent):
    """Send the vector of ``steps`` ago, and take this step's behind it, element by element.

    Sending comes first, so that a cycle through a Delay can start; but nothing is sent of a frame
    that the host has not begun, for what follows may read parameters. A step takes ``3 size + 2``
    cycles.

    Parameters
    ----------
    primitive : spikewright.sim.delay.Delay
    lanes : int
        1.
    steps : int or None
        Steps of a frame; ``None`` in a stream program, whose only frame does not end.

    Members
    -------
    i_x : In(stream of dense beats, one lane)
    o_y : Out(stream of dense beats, one lane)
    frames : In(16)
        Frames (steps of a stream) that the host has begun since reset, modulo 2**16.
    """

    primitive: Primitive
    framed: ClassVar[bool] = True
    frames: Signal

    def __init__(self, primitive: Primitive, *, lanes: int = 1, steps: int | None):
        super().__init__(
            primitive,
            lanes=lanes,
            lanes_in=1,
            lanes_out=1,
            more={"frames": In(FRAME_COUNT_BITS)},
        )
        self.steps = steps

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, i, o = self.primitive, self.input("x"), self.output("y")
        depth = p.steps * p.size
        m.submodules.line = line = BlockMemory(width=p.format.width, depth=depth)
        # This step's elements go where those of `steps` ago are, once these were sent.
        sent, taken = Signal(range(p.size + 1)), Signal(range(p.size))
        source, target = Signal(range(depth)), Signal(range(depth))
        # Steps since the frame's start, up to the delay: below it the line still holds old frames.
        age, step = Signal(range(p.steps + 1)), Signal(range(self.steps or 1))
        begun = Signal(FRAME_COUNT_BITS)
        starts = (sent == 0) & (step == 0)
        final = taken == p.size - 1
        following = Mux(target == depth - 1, 0, target + 1)
        m.d.comb += [
            line.read_address.eq(source),
            line.write_address.eq(target),
            line.write_data.eq(Value.cast(i.payload.data[0])),
            line.write.eq(i.valid & i.ready),
            i.ready.eq(sent > taken),
            o.payload.data[0].eq(Mux(age == p.steps, line.read_data, 0)),
            o.payload.first.eq(age == 0 if self.steps is None else step == 0),
            o.payload.end.eq(0 if self.steps is None else step == self.steps - 1),
            o.payload.last.eq(sent == p.size - 1),
        ]
        with m.FSM():
            with m.State("READ"):
                with m.If((sent != p.size) & ~(starts & (begun == self.frames))):
                    m.d.sync += begun.eq(begun + starts)
                    m.next = "HELD"
            with m.State("HELD"):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += o.valid.eq(1)
                with m.If(o.ready):
                    m.d.sync += [sent.eq(sent + 1), source.eq(source + 1)]
                    m.next = "READ"
        with m.If(i.valid & i.ready):
            m.d.sync += [taken.eq(taken + 1), target.eq(following)]
            with m.If(final):
                m.d.sync += [taken.eq(0), sent.eq(0), source.eq(following)]
                with m.If(i.payload.end):
                    m.d.sync += [age.eq(0), step.eq(0)]
                with m.Else():
                    m.d.sync += [age.eq(Mux(age == p.steps, age, age + 1)), step.eq(step + 1)]
        return m
