# SPDX-License-Identifier: Apache-2.0
"""Proofs of the primitives that keep vectors: Last, Route, Delay and Hold."""

from amaranth.hdl import Array, Cat, Mux

from formal.bench import Bench
from formal.contract import Vectors, progress
from formal.follow import Balance, Tracker
from formal.sby import Proof
from spikewright.hw.delay import Delay
from spikewright.hw.hold import Hold
from spikewright.hw.last import Last
from spikewright.hw.route import Route
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat


def last(size: int, lanes: int, steps: int | None) -> Bench:
    fmt = QFormat(width=3)
    bench = Bench(Last(sim.Last(size=size, format=fmt), lanes=lanes), probes=1)
    m = bench.m
    i = Vectors(bench, "i_x", size=size, lanes=lanes, source=True, steps=steps)
    o = Vectors(bench, "o_y", size=size, lanes=lanes, source=False, per_frame=True)
    framed = i.done & i.payload.end
    balance = Balance(bench, framed, o.done, most=1)
    n = bench.constant(range(size), "element")
    value = bench.register(fmt.width, "value")
    with m.If(i.moved & i.holds(n)):
        m.d.sync += value.eq(i.element(n))
    out = o.valid & o.holds(n)
    bench.check("every element is of the last step", ~out | (o.element(n) == value))
    bench.cover("it comes out", out & o.ready & (value != 0))
    progress(bench, [i, o], within=2)

    take, read, held, send = (bench.state(n) for n in ("TAKE", "READ", "HELD", "SEND"))
    bench.invariant(take | read | held | send)
    beat = bench.tap("beat")
    bench.invariant((beat == Mux(take, i.beat, o.beat)) & (beat < i.beats))
    bench.invariant(Mux(take, o.beat == 0, i.beat == 0) & (take | i.fresh))
    bench.invariant(balance.inside == ~take)
    word = bench.word("vector.store", Array([k // lanes for k in range(size)])[n])
    kept = Array([word[fmt.width * (k % lanes) :][: fmt.width] for k in range(size)])[n]
    here = i.holds_before(n) | ~i.fresh | ~take
    bench.invariant(~here | (kept == value))
    bench.invariant(~(send & o.holds(n)) | (o.element(n) == value))
    bench.invariant(~take | i.fresh | (balance.inside == 0))
    if i.step is not None:
        bench.invariant((i.step == 0) == i.fresh)
    return bench


def route(sizes: tuple[int, ...], index: tuple[int, ...] | None) -> Bench:
    fmt = QFormat(width=3)
    primitive = sim.Route(sizes=sizes, format=fmt, index=index)
    bench = Bench(Route(primitive), probes=1)
    m, order, steps = bench.m, primitive.order, 2
    ins = [
        Vectors(bench, f"i_{name}", size=size, source=True, steps=steps)
        for name, size in zip(primitive.ports().inputs, sizes, strict=True)
    ]
    o = Vectors(bench, "o_y", size=len(order), source=False, steps=steps)
    balance = Balance(bench, ins[-1].done, o.done, most=1)
    q = bench.constant(range(len(order)), "output")
    origin = bench.named(Array(order)[q], "origin")
    value = bench.register(fmt.width, "value")
    start, starts = 0, []
    for port, size in zip(ins, sizes, strict=True):
        starts.append(start)
        with m.If(port.moved & (origin == start + port.beat)):
            m.d.sync += value.eq(port.element(0))
        start += size
    out = o.valid & o.holds(q)
    bench.check("every element is the one it shall be", ~out | (o.element(q) == value))
    bench.cover("it comes out", out & o.ready & (value != 0))
    progress(bench, [*ins, o], within=2)

    take, read, held, send = (bench.state(n) for n in ("TAKE", "READ", "HELD", "SEND"))
    bench.invariant(take | read | held | send)
    source, where = bench.tap("source"), bench.tap("where")
    position, flags = bench.tap("position"), bench.tap("flags")
    here = Array([s + port.beat for s, port in zip(starts, ins, strict=True)])[source]
    bench.invariant((source < len(ins)) & (where == here) & (o.beat < o.size))
    bench.invariant((position == o.beat) & (~take | (position == 0)))
    bench.invariant(take | (where == 0) & (source == 0))
    bench.invariant(balance.inside == ~take)
    come = (where > origin) | ~take
    bench.invariant(~come | (bench.word("vector.store", origin) == value))
    bench.invariant(~out | (o.element(q) == value))
    for k, port in enumerate(ins):
        bench.invariant((port.beat == 0) | (take & (source == k)))
        over = o.step + (~take | (source > k))
        bench.invariant(port.step == Mux(over == steps, 0, over))
        bench.invariant(port.fresh == (port.step == 0))
    bench.invariant(o.fresh == (o.step == 0))
    begun = ~take | (source != 0)
    bench.invariant(~begun | (flags == Cat(o.fresh, o.step == steps - 1)))
    return bench


def delay(size: int, delayed: int, steps: int | None) -> Bench:
    fmt = QFormat(width=2)
    component = Delay(sim.Delay(size=size, format=fmt, steps=delayed), steps=steps)
    bench = Bench(component, inductive=False)
    m = bench.m
    i = Vectors(bench, "i_x", size=size, source=True, steps=steps)
    o = Vectors(bench, "o_y", size=size, source=False, steps=steps)
    if steps is None:
        bench.assume(~i.payload.end)
    frames, sent = bench.register(16, "frames"), bench.register(16, "sent")
    """Frames, or steps of a stream, that the host has begun, and those of which a beat left."""
    m.d.sync += frames.eq(frames + bench.free(1, "begin"))
    bench.assume(component.frames == frames)
    opens = o.begun if steps is None else o.begun & (o.step == 0)
    m.d.sync += sent.eq(sent + opens)
    waits = (o.beat == 0) & ((o.step == 0) if steps else 1)
    bench.check("nothing of a frame that has not begun", ~(o.valid & waits) | (sent != frames))
    n = bench.constant(range(size), "element")
    past = [bench.register(fmt.width, f"past{k}") for k in range(delayed)]
    with m.If(i.moved & i.holds(n)):
        new = [i.element(n), *past[:-1]]
        m.d.sync += [held.eq(value) for held, value in zip(past, new, strict=True)]
    age = bench.register(range(delayed + 1), "age")
    """Steps of the frame so far, up to the delay."""
    with m.If(i.done):
        following = Mux(age == delayed, age, age + 1)
        m.d.sync += age.eq(Mux(i.payload.end, 0, following))
    wanted = Mux(age == delayed, past[-1], 0)
    out = bench.named(o.valid & o.holds(n), "out")
    name = f"every element is that of {delayed} steps ago, or 0"
    bench.check(name, ~out | (o.element(n) == wanted))
    bench.check("a step comes in behind the one that leaves", ~i.moved | ~o.begun)
    bench.cover("it comes out", out & o.ready & (wanted != 0))
    return bench


def hold(size: int, lanes: int, steps: int) -> Bench:
    fmt = QFormat(width=3)
    component = Hold(sim.Hold(size=size, format=fmt), lanes=lanes, steps=steps)
    bench = Bench(component, inductive=False)
    i = Vectors(bench, "i_x", size=size, lanes=lanes, source=True, per_frame=True)
    o = Vectors(bench, "o_y", size=size, lanes=lanes, source=False, steps=steps)
    framed = bench.named(o.done & (o.step == steps - 1), "framed")
    balance = Balance(bench, i.done, framed, most=12)
    o.done = framed
    Tracker(bench, i, o, balance)
    bench.cover("it comes out in the last step", framed)
    progress(bench, [i, o], within=10)
    return bench


PROOFS = [
    Proof("Last", "5 elements, 2 lanes", lambda: last(5, 2, None), k=4),
    Proof("Last", "2 elements, 2 lanes, 3 steps", lambda: last(2, 2, 3), k=4),
    Proof("Route", "(2, 3), permuted", lambda: route((2, 3), (4, 0, 1, 1, 3)), k=4, quick=True),
    Proof("Route", "(4), a slice", lambda: route((4,), (1, 2)), k=4),
    Proof("Delay", "2 elements by 1 step, frames of 3", lambda: delay(2, 1, 3), bound=26),
    Proof("Delay", "1 element by 2 steps, frames of 3", lambda: delay(1, 2, 3), bound=26),
    Proof("Delay", "2 elements by 1 step, a stream", lambda: delay(2, 1, None), bound=24),
    Proof("Hold", "3 elements, 2 lanes, 2 steps", lambda: hold(3, 2, 2), bound=22),
]
