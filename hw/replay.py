# SPDX-License-Identifier: Apache-2.0
"""A double-buffered store that plays each vector several times."""

from amaranth import Array, Cat, Module, Mux, Shape, ShapeLike, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.block_memory import BlockMemory


def entry_layout(shape: ShapeLike) -> data.StructLayout:
    """An entry of a vector; ``first`` and ``end`` of the last one hold for the vector."""
    return data.StructLayout({"data": shape, "first": 1, "last": 1, "end": 1})


class Replay(wiring.Component):
    """Store a vector and play it ``passes`` times, while the next one comes in.

    One entry a cycle, without a gap between passes or vectors. A vector begins to play in the
    second cycle after its last entry.

    Parameters
    ----------
    shape : Shape
        Of an entry.
    length : int
        Most entries of a vector.
    passes : int
    varying : bool
        Whether vectors may have fewer entries than ``length``.
    each : bool
        Whether every entry may wait, and not only the last of a pass.

    Members
    -------
    i : In(stream of entries)
    go : In(1)
        Whether the last entry of a pass, or each, may be played in this cycle.
    valid : Out(1)
        An entry is played.
    start, stop, final : Out(1)
        With ``valid``: first entry, last entry of a pass; whether the pass is the last.
    first, end : Out(1)
        Flags of the vector that is played.
    data : Out(shape)
        The entry, two cycles after ``valid``.
    """

    i: stream.Interface
    go: Signal
    valid: Signal
    start: Signal
    stop: Signal
    final: Signal
    first: Signal
    end: Signal
    data: Signal
    latency = BlockMemory.latency

    def __init__(
        self,
        shape: ShapeLike,
        *,
        length: int,
        passes: int,
        varying: bool = False,
        each: bool = False,
    ):
        self.shape = shape
        self.length = length
        self.passes = passes
        self.varying, self.each = varying, each
        super().__init__(
            {
                "i": In(stream.Signature(entry_layout(shape))),
                "go": In(1),
                **dict.fromkeys(("valid", "start", "stop", "final", "first", "end"), Out(1)),
                "data": Out(shape),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        places = range(self.length)
        bits = (self.length - 1).bit_length()
        m.submodules.store = store = BlockMemory(
            width=Shape.cast(self.shape).width, depth=2 << bits
        )
        filled = Signal(range(3))
        w_place, w_bank = Signal(places), Signal()
        at_last = Signal(init=self.length == 1)
        r_place, r_pass = Signal(places), Signal(range(self.passes))
        # Written so that synthesis sees reads and writes in different banks, and builds no bypass.
        r_bank = w_bank ^ filled[0]
        flags = Array(Signal(2, name=f"flags{k}", reset_less=True) for k in range(2))
        lasts = Array(Signal(places, name=f"last{k}", reset_less=True) for k in range(2))

        entry = self.i.payload
        do_write = self.i.valid & self.i.ready
        w_last = do_write & entry.last
        m.d.comb += [
            self.i.ready.eq(~filled[1]),
            store.write_address.eq(Cat(w_place[:bits], w_bank)),
            store.write_data.eq(Value.cast(entry.data)),
            store.write.eq(do_write),
        ]
        with m.If(do_write):
            m.d.sync += w_place.eq(Mux(entry.last, 0, w_place + 1))
        with m.If(w_last):
            m.d.sync += [
                w_bank.eq(~w_bank),
                flags[w_bank].eq(Cat(entry.first, entry.end)),
                lasts[w_bank].eq(w_place),
            ]

        m.d.comb += [
            self.start.eq(r_place == 0),
            self.stop.eq(r_place == lasts[r_bank] if self.varying else at_last),
            self.final.eq(r_pass == self.passes - 1),
            self.valid.eq((filled != 0) & (self.go if self.each else self.go | ~self.stop)),
            Cat(self.first, self.end).eq(flags[r_bank]),
            store.read_address.eq(Cat(r_place[:bits], r_bank)),
            Value.cast(self.data).eq(store.read_data),
        ]
        with m.If(self.valid):
            m.d.sync += at_last.eq((r_place == self.length - 2) | (self.length == 1))
        done = Signal()
        m.d.comb += done.eq(self.valid & self.stop & self.final)
        with m.If(self.valid):
            m.d.sync += r_place.eq(Mux(self.stop, 0, r_place + 1))
        with m.If(self.valid & self.stop):
            m.d.sync += r_pass.eq(Mux(self.final, 0, r_pass + 1))
        m.d.sync += filled.eq(filled + w_last - done)
        return m
