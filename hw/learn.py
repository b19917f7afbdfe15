# SPDX-License-Identifier: Apache-2.0
"""Event-driven product whose weights learn from an error."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import saturate, shape_of
from spikewright.hw.glue.flow import delayed
from spikewright.hw.glue.outlet import CYCLES, Outlet
from spikewright.hw.glue.streams import Widen, beats_of, dense_layout
from spikewright.hw.product.replay import Replay
from spikewright.hw.product.spikes import event_entry, mark_last
from spikewright.hw.product.weight_store import WeightStore
from spikewright.sim.learn import Learn as Primitive

REST = 4
"""Cycles between the last spike of a pass and the first of the next.

The change of a pass is in use until then, and a word that it wrote can be read again.
"""
_WORD = Replay.latency + 1 + WeightStore.latency
"""Cycles from a spike to its word: until it is known, its word's address, the word."""
_SUM = _WORD + 1
"""Cycles from a spike to the sums that it is in, and to its changed word, not yet saturated."""


class Learn(PrimitiveComponent):
    """``lanes`` rows learn at a time: a spike's word is summed, changed, saturated, written back.

    A buffer plays the step's spikes once for each tile of ``lanes`` rows, one word a cycle. Nothing
    inside waits: a pass begins when the tile's changes are there, and ends only when there is
    room for its sums. In a pass no word comes twice, and the next one begins so late that all words
    are written, so each word is read as the step before left it. A pass takes ``max(spikes, 1)``
    cycles and :data:`REST`; meanwhile the next step's spikes and the next tile's changes come in,
    one a cycle. Sums leave ten cycles after the last spike. No multipliers.

    Parameters
    ----------
    primitive : spikewright.sim.learn.Learn
    lanes : int

    Members
    -------
    i_x : In(stream of events)
    i_d : In(stream of dense beats, one lane)
        It may come before, with or after the step's events.
    o_y : Out(stream of dense beats, ``lanes`` wide)
    host_0 : In(ParameterHost)
        Weights; what is read back is what was learned. A reset keeps them.

    Raises
    ------
    FormatError
        If there are no lanes or more than rows.
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int):
        super().__init__(primitive, lanes=lanes, lanes_in=1)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p = self.primitive
        m.submodules.replay = replay = Replay(
            event_entry(p.columns),
            length=p.columns,
            passes=beats_of(p.rows, self.lanes),
            varying=True,
            each=True,
        )
        mark_last(m, self.input("x"), replay.i, p.columns)
        m.submodules.store = store = WeightStore(
            rows=p.rows, columns=p.columns, lanes=self.lanes, format=p.weight_format
        )
        wiring.connect(m, wiring.flipped(self.hosts[p.weight]), store.host)
        layout = dense_layout(shape_of(p.accumulator), self.lanes)
        m.submodules.outlet = outlet = Outlet(layout, depth=_SUM + CYCLES)
        wiring.connect(m, outlet.o, wiring.flipped(self.output("y")))
        change, may_begin = self._changes(m, replay)
        m.d.comb += [
            replay.go.eq((~replay.start | may_begin) & (~replay.stop | outlet.room)),
            outlet.reserve.eq(replay.valid & replay.stop),
        ]
        played = Cat(replay.valid, replay.start, replay.stop, replay.final)
        flags = delayed(m, played, Replay.latency, init=0)
        present = delayed(m, self._find(m, replay, store, flags), store.latency, init=0)
        self._learn(m, store, change, present)
        valid, start = delayed(m, flags[:2], 1 + store.latency, init=0)
        sums = self._sum(m, store, valid, start, present)
        done = delayed(m, flags[0] & flags[2], _SUM - Replay.latency, init=0)
        m.d.comb += [
            outlet.valid.eq(done),
            outlet.payload.data.eq(sums),
            outlet.payload.last.eq(delayed(m, flags[3], _SUM - Replay.latency)),
            Cat(outlet.payload.first, outlet.payload.end).eq(
                delayed(m, Cat(replay.first, replay.end), _SUM)
            ),
        ]
        return m

    def _changes(self, m: Module, replay: Replay) -> tuple[data.View, Value]:
        """The changes of the tile that plays, and whether the next pass may begin."""
        shape = shape_of(self.primitive.change)
        m.submodules.widen = widen = Widen(shape, lanes=self.lanes)
        wiring.connect(m, wiring.flipped(self.input("d")), widen.i)
        resting, begins = Signal(REST), Signal()
        change = data.View(
            widen.o.payload.data.shape(),
            Signal(widen.o.payload.data.shape().size, reset_less=True, name="change"),
        )
        m.d.comb += [begins.eq(replay.valid & replay.start), widen.o.ready.eq(begins)]
        m.d.sync += resting.eq(Cat(replay.valid & replay.stop, resting))
        with m.If(begins):
            m.d.sync += change.eq(widen.o.payload.data)
        return change, widen.o.valid & ~resting.any()

    def _find(self, m: Module, replay: Replay, store: WeightStore, flags: Value) -> Value:
        """Look up the words of spikes; whether there is a spike, with the word's address.

        A pass begins at its own word.
        """
        p = self.primitive
        base, address = Signal(range(store.depth)), Signal(range(store.depth))
        with m.If(flags[0] & flags[2]):
            m.d.sync += base.eq(Mux(flags[3], 0, base + p.columns))
        entry = data.View(event_entry(p.columns), Value.cast(replay.data))
        sought = Signal()
        m.d.sync += [address.eq(base + entry.index), sought.eq(flags[0] & entry.present)]
        m.d.comb += [
            store.address.eq(address),
            # Two cycles of the store's own, and one each to change and to saturate.
            store.write_address.eq(delayed(m, address, store.latency + 2)),
        ]
        return sought

    def _learn(self, m: Module, store: WeightStore, change: data.View, present: Value) -> None:
        """Change the words that come, saturate them, write them back."""
        fmt = self.primitive.weight_format
        m.d.comb += store.write.eq(delayed(m, present, 2, init=0))
        for k in range(self.lanes):
            moved = delayed(m, store.word[k] + change[k], 1)
            m.d.comb += store.written[k].eq(delayed(m, Value.cast(saturate(m, moved, fmt)), 1))

    def _sum(
        self, m: Module, store: WeightStore, valid: Value, start: Value, present: Value
    ) -> data.View:
        """Add the words that come to the sums of the pass."""
        layout = data.ArrayLayout(shape_of(self.primitive.accumulator), self.lanes)
        sums = data.View(layout, Signal(layout.size, reset_less=True, name="sums"))
        with m.If(valid):
            m.d.sync += [
                sums[k].eq(Mux(start, 0, sums[k]) + Mux(present, store.word[k], 0))
                for k in range(self.lanes)
            ]
        return sums
