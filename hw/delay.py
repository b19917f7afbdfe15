# SPDX-License-Identifier: Apache-2.0
"""Delay by whole steps."""

from typing import ClassVar

from amaranth import Module, Mux, Signal
from amaranth.build import Platform
from amaranth.lib import memory

from spikewright.hw.component import PrimitiveComponent
from spikewright.sim.delay import Delay as Primitive


class Delay(PrimitiveComponent):
    """Send the vector of ``steps`` ago, then take this step's, in turn.

    Sending comes first, so that a cycle through a Delay can start. A step takes ``2 size + 2``
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
    """

    primitive: Primitive
    framed: ClassVar[bool] = True

    def __init__(self, primitive: Primitive, *, lanes: int = 1, steps: int | None):
        super().__init__(primitive, lanes=lanes, lanes_in=1, lanes_out=1)
        self.steps = steps

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, i, o = self.primitive, self.input("x"), self.output("y")
        line: memory.Memory = memory.Memory(shape=p.format.width, depth=p.steps * p.size, init=[])
        m.submodules.line = line
        read, write = line.read_port(), line.write_port()
        where, element = Signal(range(p.steps * p.size)), Signal(range(p.size))
        slot = Signal.like(where)
        # Steps since the frame's start, up to the delay: below it the line still holds old frames.
        age, step = Signal(range(p.steps + 1)), Signal(range(self.steps or 1))
        final, wrap = element == p.size - 1, where == p.steps * p.size - 1
        m.d.comb += [
            read.addr.eq(where),
            write.addr.eq(where),
            write.data.eq(i.payload.data[0]),
            o.payload.data[0].eq(Mux(age == p.steps, read.data, 0)),
            o.payload.first.eq(age == 0 if self.steps is None else step == 0),
            o.payload.end.eq(0 if self.steps is None else step == self.steps - 1),
            o.payload.last.eq(final),
        ]
        with m.FSM():
            with m.State("READ"):
                m.d.comb += read.en.eq(1)
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += o.valid.eq(1)
                with m.If(o.ready):
                    m.d.sync += element.eq(Mux(final, 0, element + 1))
                    m.d.sync += where.eq(Mux(final, slot, where + 1))
                    m.next = "READ"
                    with m.If(final):
                        m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += [i.ready.eq(1), write.en.eq(i.valid)]
                with m.If(i.valid):
                    m.d.sync += element.eq(Mux(final, 0, element + 1))
                    m.d.sync += where.eq(Mux(wrap, 0, where + 1))
                    with m.If(final):
                        m.d.sync += slot.eq(Mux(wrap, 0, where + 1))
                        with m.If(i.payload.end):
                            m.d.sync += [age.eq(0), step.eq(0)]
                        with m.Else():
                            m.d.sync += [
                                age.eq(Mux(age == p.steps, age, age + 1)),
                                step.eq(step + 1),
                            ]
                        m.next = "READ"
        return m
