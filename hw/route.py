# SPDX-License-Identifier: Apache-2.0
"""Concatenate, slice and permute vectors."""

from amaranth import Array, Cat, Module, Mux, Signal, Value
from amaranth.build import Platform

from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.component import PrimitiveComponent
from spikewright.sim.route import Route as Primitive


class Route(PrimitiveComponent):
    """Take the inputs one after the other into a memory, then send the outputs from it.

    A vector takes three cycles for each output and one for each input.

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
        m.submodules.vector = vector = BlockMemory(width=p.format.width, depth=sum(p.sizes))
        source, where = Signal(range(len(inputs))), Signal(range(sum(p.sizes)))
        position = Signal(range(len(p.order)))
        final = position == len(p.order) - 1
        flags = Signal(2)
        m.d.comb += [
            vector.write_address.eq(where),
            vector.read_address.eq(Array(p.order)[position]),
            o.payload.data[0].eq(vector.read_data),
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
                                vector.write.eq(i.valid),
                                vector.write_data.eq(Value.cast(i.payload.data[0])),
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
                m.next = "HELD"
            with m.State("HELD"):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += o.valid.eq(1)
                with m.If(o.ready):
                    m.d.sync += position.eq(Mux(final, 0, position + 1))
                    m.next = "READ"
                    with m.If(final):
                        m.next = "TAKE"
        return m
