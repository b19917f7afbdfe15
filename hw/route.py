# SPDX-License-Identifier: Apache-2.0
"""Concatenate, slice and permute vectors."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.build import Platform
from amaranth.lib import memory

from spikewright.hw.component import PrimitiveComponent
from spikewright.sim.route import Route as Primitive


class Route(PrimitiveComponent):
    """Take the inputs one after the other into a memory, then send the outputs from it.

    A vector takes two cycles for each output and one for each input.

    Parameters
    ----------
    primitive : spikewright.sim.route.Route
    lanes : int
        1.

    Members
    -------
    i_x0, i_x1, ... : In(stream of dense beats, one lane)
    o_y : Out(stream of dense beats, one lane)
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int = 1):
        super().__init__(primitive, lanes=lanes, lanes_in=1, lanes_out=1)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, o = self.primitive, self.output("y")
        inputs = [self.input(name) for name in p.ports().inputs]
        vector: memory.Memory = memory.Memory(shape=p.format.width, depth=sum(p.sizes), init=[])
        m.submodules.vector = vector
        read, write = vector.read_port(), vector.write_port()
        source, where = Signal(range(len(inputs))), Signal(range(sum(p.sizes)))
        position = Signal(range(len(p.order)))
        final = position == len(p.order) - 1
        flags = Signal(2)
        m.d.comb += [
            write.addr.eq(where),
            read.addr.eq(Array(p.order)[position]),
            o.payload.data[0].eq(read.data),
            o.payload.last.eq(final),
            Cat(o.payload.first, o.payload.end).eq(flags),
        ]
        with m.FSM():
            with m.State("TAKE"):
                with m.Switch(source):
                    for k, i in enumerate(inputs):
                        with m.Case(k):
                            m.d.comb += [
                                i.ready.eq(1),
                                write.en.eq(i.valid),
                                write.data.eq(i.payload.data[0]),
                            ]
                            with m.If(i.valid):
                                m.d.sync += where.eq(where + 1)
                                if k == 0:
                                    m.d.sync += flags.eq(Cat(i.payload.first, i.payload.end))
                            with m.If(i.valid & i.payload.last):
                                m.d.sync += source.eq(k + 1)
                                if k == len(inputs) - 1:
                                    m.d.sync += [source.eq(0), where.eq(0)]
                                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += read.en.eq(1)
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += o.valid.eq(1)
                with m.If(o.ready):
                    m.d.sync += position.eq(Mux(final, 0, position + 1))
                    m.next = "READ"
                    with m.If(final):
                        m.next = "TAKE"
        return m
