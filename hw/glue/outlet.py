# SPDX-License-Identifier: Apache-2.0
"""Where a pipeline that cannot wait meets a stream that can."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.cells.family import ICE40, family_of

CYCLES = 7
"""From a beat's coming until its place can be reserved again, if it is taken at once."""
SHALLOW = 16
"""Places up to which lookup tables hold them: one table a bit."""


class Outlet(wiring.Component):
    """A first-in first-out buffer that lends its places out beforehand.

    A pipeline without enables enters a group of beats only while there is ``room`` for all of them,
    and reserves their places; so no beat ever finds the buffer full, and nothing downstream is in
    the way of the pipeline's clock. Latency four cycles, ten if it is deep; throughput one beat
    a cycle, with places for :data:`CYCLES` beats more than the pipeline holds.

    Parameters
    ----------
    layout : StructLayout
    depth : int
        Places. A stream without pause needs those of the groups on their way and of one more.
    group : int
        Beats that one reservation is for; at most ``depth``.

    Members
    -------
    room : Out(1)
        Whether a group may be reserved in this cycle.
    reserve : In(1)
        Take the places of a group; only with ``room``.
    valid : In(1)
        A beat comes.
    drop : In(1)
        Whether it is only given its place, and not to ``o``.
    payload : In(layout)
    o : Out(stream)
    """

    room: Signal
    reserve: Signal
    valid: Signal
    drop: Signal
    payload: data.View
    o: stream.Interface

    def __init__(self, layout: data.StructLayout, *, depth: int, group: int = 1):
        self.layout = layout
        self.groups, self.group = depth // group, group
        # Two groups to spare, where that costs no table, make it simpler to know if there is room.
        roomy = depth + 2 * group
        self.depth = 1 << ((roomy if roomy <= SHALLOW else depth) - 1).bit_length()
        super().__init__(
            {
                "room": Out(1),
                "reserve": In(1),
                "valid": In(1),
                "drop": In(1),
                "payload": In(layout),
                "o": Out(stream.Signature(layout)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        written, taken = Signal(range(self.depth)), Signal(range(self.depth))
        fetch = Signal()
        with m.If(self.valid):
            m.d.sync += written.eq(written + 1)
        with m.If(fetch):
            m.d.sync += taken.eq(taken + 1)
        if self.depth <= SHALLOW:
            # Block RAM would answer late in the cycle; iCE40 has nothing else.
            style = {} if family_of(platform) is ICE40 else {"ram_style": "distributed"}
            may = self._from_tables(m, style, written, taken, fetch)
        else:
            may = self._from_blocks(m, written, taken, fetch)
        m.d.comb += fetch.eq(some(m, self.valid, fetch, most=self.depth) & may)
        freed = self._freed(m, fetch)
        spare = 2 if (self.groups + 2) * self.group <= self.depth else 0
        places = self.groups + spare
        m.d.comb += self.room.eq(
            some(m, freed, self.reserve, most=places, init=places, above=spare)
        )
        return m

    def _from_tables(
        self,
        m: Module,
        style: dict[str, str],
        written: Signal,
        taken: Signal,
        fetch: Signal,
    ) -> Value:
        """Lookup tables, whose answer is registered; whether a beat may be fetched."""
        store: memory.Memory = memory.Memory(
            shape=1 + self.layout.size, depth=self.depth, init=[], attrs=style
        )
        m.submodules.store = store
        write, read = store.write_port(), store.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(written),
            write.data.eq(Cat(self.drop, self.payload)),
            write.en.eq(self.valid),
            read.addr.eq(taken),
        ]
        with m.If(fetch):
            m.d.sync += self.o.payload.as_value().eq(read.data[1:])
        with m.If(fetch | self.o.ready):
            m.d.sync += self.o.valid.eq(fetch & ~read.data[0])
        return ~self.o.valid | self.o.ready

    def _from_blocks(self, m: Module, written: Signal, taken: Signal, fetch: Signal) -> Value:
        """Block RAM, whose late answers go through an outlet of their own."""
        width = 1 + self.layout.size
        m.submodules.store = store = BlockMemory(width=width, depth=self.depth)
        m.submodules.inner = inner = Outlet(self.layout, depth=SHALLOW)
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        fetched = Signal(store.latency)
        m.d.sync += fetched.eq(Cat(fetch, fetched))
        m.d.comb += [
            store.write_address.eq(written),
            store.write_data.eq(Cat(self.drop, self.payload)),
            store.write.eq(self.valid),
            store.read_address.eq(taken),
            inner.reserve.eq(fetch),
            inner.valid.eq(fetched[-1]),
            Cat(inner.drop, inner.payload).eq(store.read_data),
        ]
        return inner.room

    def _freed(self, m: Module, fetch: Signal) -> Value:
        """Whether the last beat of a group is taken out."""
        beat = Signal(range(self.group))
        last = beat == self.group - 1
        with m.If(fetch):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
        return fetch & last


def some(
    m: Module, more: Value, less: Signal, *, most: int, init: int = 0, above: int = 0
) -> Value:
    """Whether a count is above 0, or 2, that ``more`` raises and ``less`` lowers by one a cycle.

    It is counted a cycle late and looked at another cycle later, so that nothing adds up and
    decides in one cycle; ``less`` of the two cycles before is looked at by itself. Above 2 that is
    not needed: the answer is a register, and the count at least 1 if it says so.
    """
    count = Signal(range(most + 1), init=init)
    raised, lowered, before = Signal(), Signal(), Signal()
    one, two, several = Signal(init=init == 1), Signal(init=init == 2), Signal(init=init > 2)
    m.d.sync += [
        raised.eq(more),
        lowered.eq(less),
        before.eq(lowered),
        count.eq(count + Cat(raised ^ lowered, lowered & ~raised).as_signed()),
        one.eq(count == 1),
        two.eq(count == 2),
        several.eq((count[1:] != 0) & (count != 2)),
    ]
    if above == 2:
        return several
    return several | (two & ~(lowered & before)) | (one & ~(lowered | before))
