# SPDX-License-Identifier: Apache-2.0
"""Proofs of the buffer that lends its places, and of the counts that it looks ahead with."""

from unittest.mock import patch

from amaranth.hdl import Cat, Mux, Value, signed

from formal.bench import Bench
from formal.contract import Port, Tokens
from formal.follow import Balance, Tracker
from formal.sby import Proof
from spikewright.hw.glue.outlet import Outlet
from spikewright.hw.glue.streams import dense_layout

SLACK = 4
"""Cycles after which what is free, or has come, is seen."""


def outlet(depth: int, group: int) -> Bench:
    layout = dense_layout(signed(2), 1)
    component = Outlet(layout, depth=depth, group=group)
    bench = Bench(component, probes=1)
    m, places = bench.m, component.depth
    o = Port(bench, "o", source=False)
    fetch, groups = bench.tap("fetch"), component.groups
    lent, held = _tally(bench, component, fetch)

    bench.check("no beat finds it full", ~component.valid | (held < places))
    bench.check("no place is lent twice", lent + held <= places)
    bench.check("only what came leaves", ~fetch | (held != 0))
    _follow(bench, component, o, fetch, held)

    beat = bench.tap("beat") if group > 1 else 0
    # With places to spare it counts them too, and lends while more than those are free.
    spare = 2 if (groups + 2) * group <= places else 0
    given = bench.register(range(groups + spare + 1), "given")
    """Groups that are reserved and not wholly taken out."""
    freed = fetch & (beat == group - 1)
    m.d.sync += given.eq(given + component.reserve - freed)
    bench.invariant(lent + held + beat == given * group)
    bench.invariant(given <= groups + spare)
    if group > 1:
        bench.invariant(beat < group)
    _count(bench, "some", held, places)
    _count(bench, "some#1", (groups + spare - given).as_signed(), groups + spare)
    bench.cover("every place taken", held == groups * group)

    waits = bench.register(range(SLACK + 2), "waits")
    stuck = (held != 0) & ~fetch & (~o.valid | o.ready)
    m.d.sync += waits.eq(Mux(stuck, waits + 1, 0))
    bench.check(f"what came is taken out within {SLACK} cycles", waits <= SLACK)
    calm = bench.register(range(SLACK + 2), "calm")
    free = (given < groups) & ~component.room
    m.d.sync += calm.eq(Mux(free, calm + 1, 0))
    bench.check(f"a free place is lent within {SLACK} cycles", calm <= SLACK)
    return bench


def _tally(bench: Bench, component: Outlet, fetch: Value) -> tuple[Value, Value]:
    """Places that wait for a beat, and beats that are held; the pipeline before keeps its word."""
    m, places = bench.m, component.depth
    lent = bench.register(range(places + 1), "lent")
    held = bench.register(range(places + 1), "held")
    reserved = Mux(component.reserve, component.group, 0)
    m.d.sync += lent.eq(lent + reserved - component.valid)
    m.d.sync += held.eq(held + component.valid - fetch)
    bench.assume(~component.reserve | component.room)
    bench.assume(~component.valid | (lent != 0))
    written, taken = bench.tap("written"), bench.tap("taken")
    bench.invariant(written == (taken + held)[: len(taken)])
    return lent, held


def _follow(bench: Bench, component: Outlet, o: Port, fetch: Value, held: Value) -> None:
    """Any beat comes out once, in its turn and as it was; not if it is to be dropped."""
    m, taken = bench.m, bench.tap("taken")
    bits = Value.cast(component.payload)
    pick = bench.free(1, "pick")
    tracking, drop = bench.register(1, "tracking"), bench.register(1, "drop")
    value = bench.register(len(bits), "value")
    ahead = bench.register(range(component.depth + 1), "ahead")
    start = component.valid & pick & ~tracking
    turn = tracking & fetch & (ahead == 0)
    with m.If(start):
        m.d.sync += [tracking.eq(1), drop.eq(component.drop), value.eq(bits)]
        m.d.sync += ahead.eq(held - fetch)
    with m.Elif(turn):
        m.d.sync += tracking.eq(0)
    with m.Elif(tracking & fetch):
        m.d.sync += ahead.eq(ahead - 1)
    came, was_fetch = bench.past(turn, "turn"), bench.past(fetch, "fetch")
    dropped, was = bench.past(drop, "drop"), bench.past(value, "value")
    shown = o.valid & (Value.cast(o.payload) == was)
    bench.check("in its turn it comes out as it was", ~came | Mux(dropped, ~o.valid, shown))
    stays = bench.past(o.valid & ~o.ready, "stays")
    bench.check("and nothing else does", ~o.valid | was_fetch | stays)
    bench.cover("it comes out", came & ~dropped)
    word = bench.word("store", (taken + ahead)[: len(taken)])
    bench.invariant(~tracking | ((ahead < held) & (word == Cat(drop, value))))


def _count(bench: Bench, which: str, true: Value, most: int) -> None:
    """What the count that is looked at a cycle later has to do with the true one."""
    names = ("count", "raised", "lowered", "before", "one", "two", "several")
    count, raised, lowered, before, one, two, several = (bench.tap(f"{which}.{n}") for n in names)
    late = bench.past(raised, f"raised_{which}")
    bench.invariant((count + raised).as_signed() - lowered == true)
    earlier = (count + before).as_signed() - late
    bench.invariant((earlier >= 0) & (earlier <= most) & (count <= most))
    bench.invariant((one == (earlier == 1)) & (two == (earlier == 2)))
    bench.invariant(several == (earlier > 2))


def deep(depth: int, shallow: int) -> Bench:
    """One that keeps its beats in block RAM, from the outside."""
    component = Outlet(dense_layout(signed(2), 1), depth=depth)
    with patch("spikewright.hw.glue.outlet.SHALLOW", shallow):
        bench = Bench(component, inductive=False)
    m = bench.m
    o = Tokens(bench, "o", source=False)
    lent = bench.register(range(component.depth + 1), "lent")
    m.d.sync += lent.eq(lent + component.reserve - component.valid)
    bench.assume(~component.reserve | component.room)
    bench.assume(~component.valid | (lent != 0))
    came = Beats(bench, component.valid & ~component.drop, Value.cast(component.payload))
    balance = Balance(bench, came.done, o.done, most=component.depth + shallow + 2)
    bench.check("no place is lent twice", lent <= component.depth)
    Tracker(bench, came, o, balance)
    return bench


class Beats:
    """Beats that come without asking, as a source for a tracker."""

    size = 1

    def __init__(self, bench: Bench, valid: Value, bits: Value):
        self.begun = self.done = self.moved = bench.named(bench.running & valid, "came")
        self._bits = bits

    def holds(self, element: Value) -> int:
        """Always."""
        return 1

    def element(self, element: Value) -> Value:
        """The beat's bits."""
        return self._bits


PROOFS = [
    Proof("Outlet", "4 beats, groups of 1", lambda: outlet(4, 1), k=8, quick=True),
    Proof("Outlet", "1 beat", lambda: outlet(1, 1), k=8),
    Proof("Outlet", "7 beats, groups of 3", lambda: outlet(7, 3), k=8),
    Proof("Outlet", "4 beats in block RAM", lambda: deep(4, 2), bound=20, reach=24),
]
