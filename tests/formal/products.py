# SPDX-License-Identifier: Apache-2.0
"""Proofs of the matrix-vector products: every sum is the exact one, so none overflows."""

from amaranth.hdl import Array, Cat, Mux, Signal, Value, signed

from formal.bench import Bench
from formal.contract import Events, Vectors, hosts_quiet, progress, steady
from formal.follow import Balance, Tracker
from formal.sby import Proof
from spikewright.hw.event_matvec import EventMatVec
from spikewright.hw.matvec import MatVec
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat

NARROW = QFormat(width=3)


def weight(bench: Bench, primitive: sim.MatVec, row: Value, column: Value, lanes: int) -> Value:
    """A weight, from the memory of its bank: word ``tile * columns + column``, lane by lane."""
    width = primitive.weight_format.width
    memories = [path for path in bench.taps.memories if "weights_" in path]
    tiles = Array([r // lanes for r in range(primitive.rows)])[row]
    words = [bench.word(path, tiles * primitive.columns + column) for path in memories]
    bits = Cat(words)
    assert len(bits) == lanes * width
    element = Array([bits.word_select(r % lanes, width) for r in range(primitive.rows)])[row]
    return element.as_signed() if primitive.weight_format.signed else element


def bias(bench: Bench, primitive: sim.MatVec, row: Value) -> Value | int:
    """A bias, from its memory."""
    if primitive.bias is None:
        return 0
    (path,) = [path for path in bench.taps.memories if "bias" in path]
    width = primitive.bias_format.width
    return steady(bench, bench.word(path, row), "bias")[:width].as_signed()


def dense(
    rows: int,
    columns: int,
    lanes: int,
    *,
    weights: QFormat = NARROW,
    x: QFormat = NARROW,
    biased: bool = True,
) -> Bench:
    primitive = sim.MatVec(
        rows=rows,
        columns=columns,
        input=x,
        weight="w",
        weight_format=weights,
        bias="b" if biased else None,
    )
    bench = Bench(MatVec(primitive, lanes=lanes), probes=1, inductive=False)
    hosts_quiet(bench)
    i = Vectors(bench, "i_x", size=columns, source=True)
    o = Vectors(bench, "o_y", size=rows, source=False)
    row = Signal(range(rows), name="formal_row")
    value = i.element(0)
    value = value.as_signed() if x.signed else value
    product = weight(bench, primitive, row, i.beat, lanes) * value
    _sums(bench, primitive, i, o, row, most=15, fresh=i.beat == 0, added=product)
    return bench


def events(rows: int, columns: int, lanes: int, *, biased: bool = True) -> Bench:
    primitive = sim.EventMatVec(
        rows=rows,
        columns=columns,
        weight="w",
        weight_format=QFormat(width=3),
        bias="b" if biased else None,
    )
    bench = Bench(EventMatVec(primitive, lanes=lanes), probes=1, inductive=False)
    hosts_quiet(bench)
    i = Events(bench, "i_x", size=columns, source=True)
    o = Vectors(bench, "o_y", size=rows, source=False)
    row = Signal(range(rows), name="formal_row")
    added = Mux(i.payload.end_step, 0, weight(bench, primitive, row, i.payload.index, lanes))
    _sums(bench, primitive, i, o, row, most=31, fresh=~i.under_way, added=added)
    return bench


def _sums(
    bench: Bench,
    primitive: sim.MatVec | sim.EventMatVec,
    i: Vectors | Events,
    o: Vectors,
    row: Signal,
    *,
    most: int,
    fresh: Value,
    added: Value,
) -> None:
    """Every output is its bias and all that was added while its vector came.

    Parameters
    ----------
    row : Signal
        The output that is followed; driven here.
    most : int
        Vectors inside.
    fresh, added : Value
        Whether a sum begins with what comes now, and what that adds.
    """
    m, accumulator = bench.m, primitive.accumulator
    balance = Balance(bench, i.done, o.done, most=most)
    total = Signal(signed(accumulator.width + 4), name="formal_total")
    so_far = Mux(fresh, bias(bench, primitive, row), total) + added
    with m.If(i.moved):
        m.d.sync += total.eq(so_far)
    track = Tracker(
        bench,
        i,
        o,
        balance,
        given=so_far[: len(total)].as_signed(),
        at_end=True,
        changed=lambda sum_: sum_[: accumulator.width],
    )
    m.d.comb += row.eq(track.element)
    fits = (track.value >= accumulator.lo) & (track.value <= accumulator.hi)
    bench.check("no sum passes its accumulator", ~track.have | fits)
    progress(bench, [i, o], within=24)


PROOFS = [
    Proof("MatVec", "2 x 2, 2 lanes, bias", lambda: dense(2, 2, 2), bound=32, reach=32),
    Proof("MatVec", "3 x 2, 2 lanes", lambda: dense(3, 2, 2, biased=False), bound=32, reach=32),
    Proof("EventMatVec", "2 x 2, 2 lanes, bias", lambda: events(2, 2, 2), bound=28, reach=30),
    Proof(
        "EventMatVec", "3 x 3, 1 lane", lambda: events(3, 3, 1, biased=False), bound=28, reach=30
    ),
    # Its steps may wait in a ring, many silent ones in front of a full one.
    Proof("EventMatVec", "2 x 3, 2 lanes, bias", lambda: events(2, 3, 2), bound=28, reach=40),
]
