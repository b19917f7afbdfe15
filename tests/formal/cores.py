# SPDX-License-Identifier: Apache-2.0
"""Proofs of the primitives without weights."""

from amaranth.hdl import Array, Cat, Mux, Signal, Value

from formal.bench import Bench
from formal.contract import Events, Vectors, hosts_quiet, progress, steady
from formal.follow import Balance, Tracker
from formal.pipeline import Stage, in_order
from formal.sby import Proof
from spikewright.hw.count import Count
from spikewright.hw.elementwise import Elementwise
from spikewright.hw.extremum import Extremum
from spikewright.hw.requantize import Requantize
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat


def clipped(value: Value, fmt: QFormat) -> Value:
    """A number in a format, by comparison."""
    return Mux(value > fmt.hi, fmt.hi, Mux(value < fmt.lo, fmt.lo, value))


def as_bits(value: Value, width: int) -> Value:
    """Two's complement."""
    return value[:width]


def requantize(
    size: int, lanes: int, given: QFormat, wanted: QFormat, *, channels: bool = False
) -> Bench:
    primitive = sim.Requantize(
        size=size, input=given, output=wanted, shift="shift" if channels else None
    )
    bench = Bench(Requantize(primitive, lanes=lanes), probes=1, inductive=False)
    hosts_quiet(bench)
    i = Vectors(bench, "i_x", size=size, lanes=lanes, source=True)
    o = Vectors(bench, "o_y", size=size, lanes=lanes, source=False)
    balance = Balance(bench, i.done, o.done, most=15)
    shift, own = given.frac - wanted.frac, Signal(4, name="formal_own")

    def right(bits: Value) -> Value:
        x = bits.as_signed() if given.signed else bits
        if channels:
            # One more bit, so that a shift by nothing rounds like the others.
            moved = (((x << 1) >> (shift + own)) + 1) >> 1
        else:
            moved = (x + (1 << shift >> 1)) >> shift if shift >= 0 else x << -shift
        return clipped(moved, wanted)[: wanted.width]

    track = Tracker(bench, i, o, balance, changed=right)
    if channels:
        (path,) = [path for path in bench.taps.memories if "shifts" in path]
        word = bench.word(path, Array([k // lanes for k in range(size)])[track.element])
        kept = steady(bench, word, "shifts")
        shifts = Array([kept.word_select(k % lanes, 4) for k in range(size)])
        bench.m.d.comb += own.eq(shifts[track.element])
    progress(bench, [i, o], within=10)
    return bench


def elementwise(size: int, lanes: int, operation: str) -> Bench:
    a, b = QFormat(width=4), QFormat(width=3, signed=False)
    primitive = sim.Elementwise(size=size, a=a, b=b, operation=operation)
    bench = Bench(Elementwise(primitive, lanes=lanes))
    steps = 2
    ins = [
        Vectors(bench, f"i_{name}", size=size, lanes=lanes, source=True, steps=steps)
        for name in "ab"
    ]
    o = Vectors(bench, "o_y", size=size, lanes=lanes, source=False, steps=steps)
    bench.check("both are taken together", ins[0].moved == ins[1].moved)
    balance = Balance(bench, ins[0].done, o.done, most=1)
    n = bench.constant(range(size), "element")
    m, seen = bench.m, [bench.register(4, "seen_a"), bench.register(3, "seen_b")]
    for port, value in zip(ins, seen, strict=True):
        with m.If(port.moved & port.holds(n)):
            m.d.sync += value.eq(port.element(n))
    x, y = seen[0].as_signed(), seen[1]
    result = as_bits(x + y if operation == "add" else x * y, primitive.output.width)
    out = o.valid & o.holds(n)
    bench.check("every element is the right one, in order", ~out | (o.element(n) == result))
    bench.cover("it comes out", out & o.ready)
    progress(bench, [*ins, o], within=0)
    p = o.payload
    stage = Stage(valid=o.valid, last=p.last, first=p.first, end=p.end, elements=[], made=Cat)
    in_order(bench, ins[0], o, balance, [stage])
    bench.invariant((ins[0].beat == ins[1].beat) & (ins[0].fresh == ins[1].fresh))
    bench.invariant(ins[0].step == ins[1].step)
    ended = o.step == steps - 1
    bench.invariant(~(o.valid & p.last) | (p.end == ended))
    bench.invariant(ins[0].step == Mux(o.valid & p.last, Mux(ended, 0, o.step + 1), o.step))
    for port in ins:
        bench.invariant((port.step == 0) == port.fresh)
    return bench


def extremum(size: int, fmt: QFormat, largest: bool) -> Bench:
    primitive = sim.Extremum(size=size, input=fmt, largest=largest)
    bench = Bench(Extremum(primitive), inductive=False)
    m = bench.m
    i = Vectors(bench, "i_x", size=size, source=True)
    o = Vectors(bench, "o_index", size=1, source=False)
    balance = Balance(bench, i.done, o.done, most=8)
    x = i.element(0).as_signed() if fmt.signed else i.element(0)
    best, where = Signal(x.shape(), name="formal_best"), Signal(8, name="formal_where")
    better = (x > best) if largest else (x < best)
    wins = (i.beat == 0) | better
    with m.If(i.moved & wins):
        m.d.sync += [best.eq(x), where.eq(i.beat)]
    winner = Mux(wins, i.beat, where)
    width = primitive.index_format.width
    Tracker(bench, i, o, balance, given=winner, at_end=True, changed=lambda index: index[:width])
    bench.cover("the last wins", o.valid & (o.element(0) == size - 1))
    progress(bench, [i, o], within=10)
    return bench


def count(size: int, steps: int) -> Bench:
    primitive = sim.Count(size=size, steps=steps)
    bench = Bench(Count(primitive), inductive=False)
    m = bench.m
    i = Events(bench, "i_s", size=size, source=True, steps=steps)
    o = Vectors(bench, "o_n", size=size, source=False, per_frame=True)
    framed = bench.named(i.done & i.payload.end_frame, "framed")
    balance = Balance(bench, framed, o.done, most=3)
    total = bench.register(range(steps + 1), "total")
    n = Signal(range(size), name="formal_neuron")
    spike = i.moved & ~i.payload.end_step & (i.payload.index == n)
    m.d.sync += total.eq(Mux(framed, 0, total + spike))
    # A frame begins with its first event.
    under_way = bench.register(1, "frame_under_way")
    with m.If(i.moved):
        m.d.sync += under_way.eq(~framed)
    i.begun, i.done = i.moved & ~under_way, framed
    track = Tracker(bench, i, o, balance, given=total, at_end=True)
    m.d.comb += n.eq(track.element)
    bench.cover("it spiked in every step", track.have & (track.value == steps))
    progress(bench, [i, o], within=size + 12)
    return bench


Q43, Q42 = QFormat(width=5, frac=3), QFormat(width=4, frac=1)
U3 = QFormat(width=3, frac=1, signed=False)
Q24, Q8 = QFormat(width=24, frac=14), QFormat(width=8, frac=5)

PROOFS = [
    Proof("Requantize", "5 x s5.3 to s4.1, 2 lanes", lambda: requantize(5, 2, Q43, Q42)),
    Proof("Requantize", "4 x s5.3 to u3.1, 2 lanes", lambda: requantize(4, 2, Q43, U3)),
    Proof("Requantize", "3 x s4.1 to s5.3, 3 lanes", lambda: requantize(3, 3, Q42, Q43)),
    Proof("Requantize", "2 x s24.14 to s8.5", lambda: requantize(2, 1, Q24, Q8), bound=16),
    Proof(
        "Requantize",
        "3 x s8.5 to s4.1, own shifts, 2 lanes",
        lambda: requantize(3, 2, Q8, Q42, channels=True),
        bound=16,
    ),
    Proof("Elementwise", "sum, 3 elements, 2 lanes", lambda: elementwise(3, 2, "add")),
    Proof("Elementwise", "product, 2 elements, 2 lanes", lambda: elementwise(2, 2, "multiply")),
    Proof("Extremum", "argmax of 5", lambda: extremum(5, QFormat(width=4), True), bound=24),
    Proof("Extremum", "argmin of 4", lambda: extremum(4, QFormat(width=3, signed=False), False)),
    Proof("Count", "3 neurons, 2 steps", lambda: count(3, 2), bound=26, reach=40),
]
