# SPDX-License-Identifier: Apache-2.0
"""A double-buffered store that plays each vector several times."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.build import Platform
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out


class Replay(wiring.Component):
    """Store a vector and play it ``passes`` times, while the next one comes in.

    Latency two cycles after the vector's last beat, throughput one beat a cycle without gaps
    between passes or vectors.

    Parameters
    ----------
    layout : StructLayout
        A dense beat.
    beats : int
        Beats of a vector.
    passes : int

    Members
    -------
    i : In(stream)
    o : Out(stream)
    pass_first, pass_last : Out(1)
        Whether ``o`` holds a beat of the first, of the last pass.
    """

    i: stream.Interface
    o: stream.Interface
    pass_first: Signal
    pass_last: Signal

    def __init__(self, layout: data.StructLayout, *, beats: int, passes: int):
        self.layout = layout
        self.beats = beats
        self.passes = passes
        signature = stream.Signature(layout)
        super().__init__(
            {"i": In(signature), "o": Out(signature), "pass_first": Out(1), "pass_last": Out(1)}
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        address_shape = range(self.beats)
        store: memory.Memory = memory.Memory(
            shape=self.layout.size, depth=2 << (self.beats - 1).bit_length(), init=[]
        )
        m.submodules.store = store
        write, read = store.write_port(), store.read_port()
        filled = Signal(range(3))
        w_beat, w_bank = Signal(address_shape), Signal()
        r_beat, r_pass = Signal(address_shape), Signal(range(self.passes))
        # Written so that synthesis sees reads and writes in different banks, and builds no bypass.
        r_bank = w_bank ^ filled[0]

        do_write = self.i.valid & self.i.ready
        w_last = w_beat == self.beats - 1
        m.d.comb += [
            self.i.ready.eq(filled != 2),
            write.addr.eq(Cat(w_beat, w_bank)),
            write.data.eq(self.i.payload.as_value()),
            write.en.eq(do_write),
        ]
        with m.If(do_write):
            m.d.sync += [w_beat.eq(Mux(w_last, 0, w_beat + 1)), w_bank.eq(w_bank ^ w_last)]

        do_read = Signal()
        r_last, final = r_beat == self.beats - 1, r_pass == self.passes - 1
        m.d.comb += [
            do_read.eq((filled != 0) & (~self.o.valid | self.o.ready)),
            read.addr.eq(Cat(r_beat, r_bank)),
            read.en.eq(do_read),
            self.o.payload.as_value().eq(read.data),
        ]
        with m.If(do_read):
            m.d.sync += [
                self.pass_first.eq(r_pass == 0),
                self.pass_last.eq(final),
                r_beat.eq(Mux(r_last, 0, r_beat + 1)),
            ]
            with m.If(r_last):
                m.d.sync += r_pass.eq(Mux(final, 0, r_pass + 1))
        with m.If(do_read | self.o.ready):
            m.d.sync += self.o.valid.eq(do_read)
        m.d.sync += filled.eq(filled + (do_write & w_last) - (do_read & r_last & final))
        return m
