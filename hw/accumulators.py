# SPDX-License-Identifier: Apache-2.0
"""A bank of accumulators: added to at any address, then drained as a vector and cleared."""

from amaranth import C, Cat, Module, Mux, Shape, Signal
from amaranth.build import Platform
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.streams import dense_layout


class Accumulators(wiring.Component):
    """``depth`` words of ``lanes`` sums. One addition a cycle at any address, also twice the same.

    After reset it takes ``depth`` cycles to clear. A drain takes one cycle a word.

    Parameters
    ----------
    shape : Shape
        Of a sum; the user guarantees that it cannot overflow.
    depth, lanes : int

    Members
    -------
    ready : Out(1)
        Whether ``add`` and ``drain`` are taken.
    add : In(1)
        Add ``addend`` to the word at ``address``.
    drain : In(1)
        Send every word to ``o``, clearing it; ``first`` and ``end`` become the beats' flags.
    draining : Out(range(depth)), reading : Out(1)
        Word that enters ``o`` in the next cycle, so that a bias can be read beside it.
    o : Out(stream of dense beats)
    """

    ready: Signal
    add: Signal
    address: Signal
    addend: data.View
    drain: Signal
    first: Signal
    end: Signal
    draining: Signal
    reading: Signal
    o: stream.Interface

    def __init__(self, shape: Shape, *, depth: int, lanes: int):
        self.depth = depth
        self.layout = data.ArrayLayout(shape, lanes)
        super().__init__(
            {
                "ready": Out(1),
                "add": In(1),
                "address": In(range(depth)),
                "addend": In(self.layout),
                "drain": In(1),
                "first": In(1),
                "end": In(1),
                "draining": Out(range(depth)),
                "reading": Out(1),
                "o": Out(stream.Signature(dense_layout(shape, lanes))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        sums: memory.Memory = memory.Memory(shape=self.layout.size, depth=self.depth, init=[])
        m.submodules.sums = sums
        read, write = sums.read_port(domain="comb"), sums.write_port()
        now, following = data.View(self.layout, read.data), Signal(self.layout)
        word = Signal(range(self.depth))
        flags = Signal(2)
        final = word == self.depth - 1
        m.d.comb += [following[k].eq(now[k] + self.addend[k]) for k in range(self.layout.length)]
        m.d.comb += [
            self.draining.eq(word),
            read.addr.eq(self.address),
            write.addr.eq(self.address),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("CLEAR"):
                m.d.comb += [write.addr.eq(word), write.en.eq(1)]
                m.d.sync += word.eq(Mux(final, 0, word + 1))
                with m.If(final):
                    m.next = "ADD"
            with m.State("ADD"):
                m.d.comb += [self.ready.eq(1), write.data.eq(following), write.en.eq(self.add)]
                m.d.sync += flags.eq(Cat(self.first, self.end))
                with m.If(self.drain):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += [read.addr.eq(word), write.addr.eq(word)]
                with m.If(~self.o.valid | self.o.ready):
                    m.d.comb += [self.reading.eq(1), write.en.eq(1), write.data.eq(C(0))]
                    m.d.sync += [
                        self.o.payload.data.eq(now),
                        Cat(self.o.payload.first, self.o.payload.end).eq(flags),
                        self.o.payload.last.eq(final),
                        self.o.valid.eq(1),
                        word.eq(Mux(final, 0, word + 1)),
                    ]
                    with m.If(final):
                        m.next = "ADD"
        return m
