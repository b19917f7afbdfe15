# SPDX-License-Identifier: Apache-2.0
"""A double-buffered store that plays each vector several times."""

from amaranth import Array, C, Cat, Module, Mux, Shape, ShapeLike, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.data import View
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.block_memory import BlockMemory


def entry_layout(shape: ShapeLike) -> data.StructLayout:
    """An entry of a vector; ``first`` and ``end`` of the last one hold for the vector."""
    return data.StructLayout({"data": shape, "first": 1, "last": 1, "end": 1})


class Player(wiring.Component):
    """What :class:`Replay` and :class:`ReplayRing` show alike.

    Parameters
    ----------
    shape : Shape
        Of an entry.

    Members
    -------
    i, go, valid, start, stop, final, first, end, data
        As of :class:`Replay`.
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

    def __init__(self, shape: ShapeLike):
        self.shape = shape
        super().__init__(
            {
                "i": In(stream.Signature(entry_layout(shape))),
                "go": In(1),
                **dict.fromkeys(("valid", "start", "stop", "final", "first", "end"), Out(1)),
                "data": Out(shape),
            }
        )


class Replay(Player):
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

    def __init__(
        self,
        shape: ShapeLike,
        *,
        length: int,
        passes: int,
        varying: bool = False,
        each: bool = False,
    ):
        self.length = length
        self.passes = passes
        self.varying, self.each = varying, each
        super().__init__(shape)

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
        r_place, r_pass = Signal(places), Signal(range(self.passes))
        # Written so that synthesis sees reads and writes in different banks, and builds no bypass.
        r_bank = w_bank ^ filled[0]
        flags = Array(Signal(2, name=f"flags{k}", reset_less=True) for k in range(2))

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
            m.d.sync += [w_bank.eq(~w_bank), flags[w_bank].eq(Cat(entry.first, entry.end))]

        # Whether an entry is the last is known a cycle before, from the place that is last but one.
        at_start, at_last = Signal(init=1), Signal()
        before, single = self._ends(m, w_place, do_write, w_last, w_bank, r_bank)
        m.d.comb += [
            self.start.eq(at_start),
            self.stop.eq(at_last | (at_start & single)),
            self.final.eq(r_pass == self.passes - 1),
            self.valid.eq((filled != 0) & (self.go if self.each else self.go | ~self.stop)),
            Cat(self.first, self.end).eq(flags[r_bank]),
            store.read_address.eq(Cat(r_place[:bits], r_bank)),
            Value.cast(self.data).eq(store.read_data),
        ]
        with m.If(self.valid):
            m.d.sync += [
                at_start.eq(self.stop),
                at_last.eq(~self.stop & (r_place == before)),
                r_place.eq(Mux(self.stop, 0, r_place + 1)),
            ]
            with m.If(self.stop):
                m.d.sync += r_pass.eq(Mux(self.final, 0, r_pass + 1))
        m.d.sync += filled.eq(filled + w_last - (self.valid & self.stop & self.final))
        return m

    def _ends(
        self,
        m: Module,
        w_place: Signal,
        do_write: Value,
        w_last: Value,
        w_bank: Value,
        r_bank: Value,
    ) -> tuple[Value, Value]:
        """Last place but one of the vector that is played, and whether it has no more than one."""
        if not self.varying:
            return C(max(self.length - 2, 0), len(w_place)), C(self.length == 1)
        before = Signal.like(w_place, reset_less=True)
        befores = Array(Signal.like(before, name=f"before{k}") for k in range(2))
        singles = Array(Signal(name=f"single{k}", reset_less=True) for k in range(2))
        with m.If(do_write):
            m.d.sync += before.eq(w_place)
        with m.If(w_last):
            m.d.sync += [befores[w_bank].eq(before), singles[w_bank].eq(w_place == 0)]
        return befores[r_bank], singles[r_bank]


class ReplayRing(Player):
    """As a varying :class:`Replay`, with room for many short vectors behind or before a long one.

    It holds two vectors of ``length`` entries, or up to ``vectors`` shorter ones: were it only two
    of any length, a long one could not come in while several short ones play.

    Parameters
    ----------
    shape, length, passes
        As of :class:`Replay`.
    vectors : int
        A power of two, at least 4.

    Members
    -------
    i, go, valid, start, stop, final, first, end, data
        As of :class:`Replay`.
    """

    def __init__(self, shape: ShapeLike, *, length: int, passes: int, vectors: int):
        self.passes = passes
        self.vectors = vectors
        # More than two vectors, as it is known late that places are free.
        self.depth = 1 << (2 * length + 7).bit_length()
        super().__init__(shape)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        width = Shape.cast(self.shape).width
        m.submodules.store = store = BlockMemory(width=width, depth=self.depth)
        base, r_place = Signal(range(self.depth)), Signal(range(self.depth))
        r_pass, queued = Signal(range(self.passes)), Signal(range(self.vectors + 1))
        done = Signal()
        w_last, note = self._take(m, store, base, queued, done)
        at_start, at_last = Signal(init=1), Signal()
        m.d.comb += [
            self.start.eq(at_start),
            self.stop.eq(at_last | (at_start & note.single)),
            self.final.eq(r_pass == self.passes - 1),
            self.valid.eq((queued != 0) & (self.go | ~self.stop)),
            done.eq(self.valid & self.stop & self.final),
            Cat(self.first, self.end).eq(Cat(note.first, note.end)),
            store.read_address.eq(r_place),
            Value.cast(self.data).eq(store.read_data),
        ]
        m.d.sync += queued.eq(queued + w_last - done)
        with m.If(self.valid):
            m.d.sync += [
                at_start.eq(self.stop),
                at_last.eq(~self.stop & (r_place == note.before)),
                r_place.eq(Mux(self.stop & ~self.final, base, r_place + 1)),
            ]
            with m.If(self.stop):
                m.d.sync += r_pass.eq(Mux(self.final, 0, r_pass + 1))
        with m.If(done):
            m.d.sync += base.eq(r_place + 1)
        return m

    def _take(
        self, m: Module, store: BlockMemory, base: Value, queued: Value, done: Value
    ) -> tuple[Value, View]:
        """Store what comes; whether a vector is complete, and what is noted of the one that plays.

        ``before`` is the place of its last entry but one, if it is not ``single``.
        """
        entry = self.i.payload
        w_place, before = Signal.like(base), Signal.like(base, reset_less=True)
        gap, room, fresh = Signal.like(base), Signal(), Signal(init=1)
        do_write = self.i.valid & self.i.ready
        w_last = do_write & entry.last
        m.d.comb += [
            self.i.ready.eq(room),
            store.write_address.eq(w_place),
            store.write_data.eq(Value.cast(entry.data)),
            store.write.eq(do_write),
        ]
        m.d.sync += [
            gap.eq(base - w_place - 1),
            # Two entries may have come since the gap was measured, and one comes now.
            room.eq((gap[2:] != 0) & (queued < self.vectors - 1)),
        ]
        with m.If(do_write):
            m.d.sync += [w_place.eq(w_place + 1), before.eq(w_place), fresh.eq(entry.last)]
        layout = data.StructLayout({"before": base.shape(), "single": 1, "first": 1, "end": 1})
        notes: memory.Memory = memory.Memory(
            shape=layout, depth=self.vectors, init=[], attrs={"ram_style": "distributed"}
        )
        m.submodules.notes = notes
        write, read = notes.write_port(), notes.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(w_last),
            write.data.before.eq(before),
            write.data.single.eq(fresh),
            Cat(write.data.first, write.data.end).eq(Cat(entry.first, entry.end)),
        ]
        m.d.sync += [write.addr.eq(write.addr + w_last), read.addr.eq(read.addr + done)]
        return w_last, read.data
