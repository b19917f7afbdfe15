# SPDX-License-Identifier: Apache-2.0
"""Proofs of what lies between components."""

from amaranth.hdl import Mux, signed

from formal.bench import Bench
from formal.contract import Events, Tokens, Vectors, progress
from formal.follow import Balance, SpikeTracker, Tracker
from formal.outlets import SLACK
from formal.sby import Proof
from spikewright.hw.glue.events import Gather, Scatter
from spikewright.hw.glue.streams import Buffer, Fork, Narrow, Widen, dense_layout


def narrow(size: int, lanes: int) -> Bench:
    bench = Bench(Narrow(signed(4), size=size, lanes=lanes))
    i = Vectors(bench, "i", size=size, lanes=lanes, source=True)
    o = Vectors(bench, "o", size=size, source=False)
    balance = Balance(bench, i.done, o.done, most=1)
    track = Tracker(bench, i, o, balance)
    progress(bench, [i, o], within=0)

    left, flags = bench.tap("left"), bench.tap("flags")
    first, end, last = flags[0], flags[1], flags[2]
    width = Mux(last, size - (i.beats - 1) * lanes, lanes)
    held = Mux(last, i.beats - 1, i.beat - 1)
    full = bench.named(left != 0, "full")
    bench.invariant(~full | (left <= width))
    bench.invariant(~full | Mux(last, i.beat == 0, i.beat != 0))
    bench.invariant(o.beat == Mux(full, held * lanes + width - left, i.beat * lanes))
    bench.invariant(balance.inside == (full & last))
    bench.invariant(~full | (o.fresh == first))
    bench.invariant(i.fresh == Mux(full & last, end, o.fresh))
    for k in range(lanes):
        here = track.here & track.have & full & (track.element == o.beat + k) & (left > k)
        bench.invariant(~here | (bench.tap(f"elements[{k}]").as_unsigned() == track.value))
    return bench


def widen(size: int, lanes: int) -> Bench:
    bench = Bench(Widen(signed(4), lanes=lanes))
    i = Vectors(bench, "i", size=size, source=True)
    o = Vectors(bench, "o", size=size, lanes=lanes, source=False)
    balance = Balance(bench, i.done, o.done, most=1)
    track = Tracker(bench, i, o, balance)
    progress(bench, [i, o], within=0)

    lane, full, flags = bench.tap("lane"), bench.tap("full"), bench.tap("flags")
    first, end, last = flags[0], flags[1], flags[2]
    partial = Mux(full, lanes, lane)
    come = Mux(full & last, size, i.beat)
    bench.invariant((lane < lanes) & (~full | (lane == 0)))
    bench.invariant(~(full & last) | ((i.beat == 0) & (o.beat == o.beats - 1)))
    bench.invariant((full & last) | (come == o.beat * lanes + partial))
    bench.invariant(balance.inside == (full & last))
    bench.invariant((partial == 0) | (o.fresh == first))
    bench.invariant(i.fresh == Mux(full & last, end, o.fresh))
    for k in range(lanes):
        n = track.element
        here = track.here & track.have & (n == o.beat * lanes + k) & (n < come)
        bench.invariant(~here | (bench.tap(f"elements[{k}]").as_unsigned() == track.value))
    return bench


def fork(branches: int) -> Bench:
    bench = Bench(Fork(dense_layout(signed(4), 2), branches=branches))
    i = Tokens(bench, "i", source=True)
    outs = [Tokens(bench, f"o{k}", source=False) for k in range(branches)]
    taken = bench.tap("taken")
    for k, o in enumerate(outs):
        # Beats of a branch beyond those that have left the input: none or one.
        early = bench.register(range(4), f"early{k}")
        bench.m.d.sync += early.eq(early + o.moved - i.moved)
        bench.check(f"o{k}: each beat once", early <= 1)
        bench.check(f"o{k}: the right beat", ~o.valid | (i.valid & (o.element(0) == i.element(0))))
        bench.invariant(early == taken[k])
        bench.invariant(~taken[k] | i.valid)
    bench.invariant(~taken.all())
    bench.cover("one branch goes ahead", outs[0].moved & ~i.moved)
    bench.cover("the other catches up", outs[1].moved & i.moved & taken[0])
    progress(bench, [i, *outs], within=0)
    return bench


def buffer(depth: int) -> Bench:
    """From the outside: what is inside is an outlet, which is proved by itself."""
    component = Buffer(dense_layout(signed(2), 1), depth=depth)
    bench = Bench(component, inductive=False)
    m = bench.m
    i, o = Tokens(bench, "i", source=True), Tokens(bench, "o", source=False)
    # The outlet may lend two to spare, and a beat in the register at its end takes no place.
    balance = Balance(bench, i.done, o.done, most=component.depth + 3)
    Tracker(bench, i, o, balance)
    waits = bench.register(range(SLACK + 2), "waits")
    free = (balance.inside < component.depth) & ~i.ready
    m.d.sync += waits.eq(Mux(free, waits + 1, 0))
    bench.check(f"a free place is seen within {SLACK} cycles", waits <= SLACK)
    bench.cover("full", balance.inside >= component.depth)
    progress(bench, [i, o], within=SLACK + 1)
    return bench


def gather(size: int, lanes: int) -> Bench:
    bench = Bench(Gather(size=size, lanes=lanes), inductive=False)
    i = Vectors(bench, "i", size=size, lanes=lanes, source=True)
    o = Events(bench, "o", size=size, source=False)
    balance = Balance(bench, i.done, o.done, most=5)
    SpikeTracker(bench, i, o, balance)
    progress(bench, [i, o], within=4)
    return bench


def scatter(size: int) -> Bench:
    bench = Bench(Scatter(size=size))
    i = Events(bench, "i", size=size, source=True)
    o = Vectors(bench, "o", size=size, source=False)
    balance = Balance(bench, i.done, o.done, most=1)
    track = SpikeTracker(bench, i, o, balance)
    progress(bench, [i, o], within=0)

    spikes, position, sending = bench.tap("spikes"), bench.tap("position"), bench.tap("sending")
    first, end = bench.tap("first"), bench.tap("end")
    bench.invariant(balance.inside == sending)
    bench.invariant((position == o.beat) & (o.beat < size))
    bench.invariant(Mux(sending, i.lowest == 0, position == 0))
    bench.invariant(first == o.fresh)
    bench.invariant(i.fresh == Mux(sending, end, o.fresh))
    come = (Mux(sending, size - position, i.lowest)).as_unsigned()
    bench.invariant((spikes >> come) == 0)
    n = track.neuron
    waits = track.tracking & ~sending
    bench.invariant(~waits | (spikes.bit_select(n, 1) == track.value))
    goes = track.here & sending
    after = n >= position
    bench.invariant(
        ~(goes & after) | (spikes.bit_select((n - position).as_unsigned(), 1) == track.value)
    )
    bench.invariant(~goes | (track.seen == (~after & track.value)))
    bench.invariant(~goes | (end == track.end))
    bench.invariant(sending | ~track.seen)
    bench.invariant(~track.tracking | track.complete | i.under_way)
    return bench


PROOFS = [
    Proof("Narrow", "5 elements, 3 lanes", lambda: narrow(5, 3), quick=True),
    Proof("Narrow", "4 elements, 2 lanes", lambda: narrow(4, 2)),
    Proof("Narrow", "2 elements, 2 lanes", lambda: narrow(2, 2)),
    Proof("Widen", "5 elements, 3 lanes", lambda: widen(5, 3)),
    Proof("Widen", "4 elements, 2 lanes", lambda: widen(4, 2)),
    Proof("Widen", "1 element, 2 lanes", lambda: widen(1, 2)),
    Proof("Fork", "2 branches", lambda: fork(2)),
    Proof("Fork", "3 branches", lambda: fork(3)),
    Proof("Buffer", "8 beats", lambda: buffer(1), bound=20, reach=24),
    Proof("Buffer", "11 beats", lambda: buffer(11), bound=20, reach=24),
    Proof("Gather", "5 neurons, 3 lanes", lambda: gather(5, 3), bound=14),
    Proof("Gather", "4 neurons, 4 lanes", lambda: gather(4, 4), bound=14),
    Proof("Gather", "3 neurons, 1 lane", lambda: gather(3, 1), bound=14),
    Proof("Scatter", "5 neurons", lambda: scatter(5), quick=True),
    Proof("Scatter", "1 neuron", lambda: scatter(1)),
]
