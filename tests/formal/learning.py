# SPDX-License-Identifier: Apache-2.0
"""Proofs of Learn: every sum is of the weights as the steps before left them."""

from amaranth.hdl import Array, Cat, Mux, Signal, Value, signed

from formal.bench import Bench
from formal.contract import Events, Vectors, hosts_quiet, progress
from formal.cores import clipped
from formal.follow import Balance
from formal.hosts import Host
from formal.sby import Proof
from spikewright.hw.learn import Learn
from spikewright.hw.product.weight_store import WeightStore
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat

WEIGHT, CHANGE = QFormat(width=3), QFormat(width=2)
AHEAD = 4
"""Steps by which one input may be before the other; more than fit into the component."""


class Queue:
    """What came of one input, until the other input's step has come too.

    Parameters
    ----------
    bench : Bench
    name : str
    width : int
    came : Value
        Whether what is `given` comes.
    given : Value
    taken : Signal
        Whether what is first goes; it may in the cycle after it came.
    """

    def __init__(
        self, bench: Bench, name: str, *, width: int, came: Value, given: Value, taken: Signal
    ):
        m = bench.m
        held = Array(bench.register(width, f"{name}{k}") for k in range(AHEAD))
        write, read = bench.register(range(AHEAD), name + "_w"), bench.register(range(AHEAD), name)
        count = bench.register(range(AHEAD + 1), f"{name}_count")
        self.some, self.first = count != 0, held[read]
        with m.If(came):
            m.d.sync += [held[write].eq(given), write.eq(write + 1)]
        m.d.sync += [read.eq(read + taken), count.eq(count + came - taken)]
        bench.check(f"{name}: few enough wait", count != AHEAD)


def learn(
    rows: int, columns: int, lanes: int, *, weights: QFormat = WEIGHT, sums: bool = False
) -> Bench:
    """What every stream keeps and no word is read too early; or, with ``sums``, what comes out."""
    primitive = sim.Learn(
        rows=rows, columns=columns, weight="w", weight_format=weights, change=CHANGE
    )
    bench = Bench(Learn(primitive, lanes=lanes), probes=columns, inductive=False)
    hosts_quiet(bench)
    x = Events(bench, "i_x", size=columns, source=True)
    d = Vectors(bench, "i_d", size=rows, source=True)
    o = Vectors(bench, "o_y", size=rows, lanes=lanes, source=False)
    if sums:
        _follow(bench, primitive, x, d, o, lanes)
        return bench
    for port, name in ((x, "events"), (d, "changes")):
        Balance(bench, port.done, o.done, most=15, name=name)
    _no_hazard(bench)
    progress(bench, [x, d, o], within=24)
    return bench


def _follow(
    bench: Bench, primitive: sim.Learn, x: Events, d: Vectors, o: Vectors, lanes: int
) -> None:
    """Any row of any step is the exact sum, by a model that takes a step at a time."""
    m, fmt, columns = bench.m, primitive.weight_format, primitive.columns
    row = bench.constant(range(primitive.rows), "row")
    followed = bench.constant(2, "step")
    step, left = bench.register(3, "model_step"), bench.register(3, "left")
    spikes, take = bench.register(columns, "spikes"), Signal(name="formal_take")
    here = Cat((x.payload.index == c) & ~x.payload.end_step for c in range(columns))
    with m.If(x.moved):
        m.d.sync += spikes.eq(Mux(x.payload.end_step, 0, spikes | here))
    waiting = Queue(bench, "spikes_of", width=columns, came=x.done, given=spikes, taken=take)
    changes = Queue(
        bench,
        "change_of",
        width=CHANGE.width,
        came=d.moved & d.holds(row),
        given=d.element(row),
        taken=take,
    )
    m.d.comb += take.eq(waiting.some & changes.some)
    m.d.sync += step.eq(step + take)
    began = bench.past(1, "began")
    total: Value = Signal(signed(primitive.accumulator.width + 4), name="formal_total")
    so_far: Value | int = 0
    for c in range(columns):
        kept = Signal(fmt.width, name=f"formal_weight{c}")
        now = Mux(began, kept, _weight(bench, primitive, row, c, lanes))
        number = now.as_signed() if fmt.signed else now
        moved = clipped(number + Value.cast(changes.first).as_signed(), fmt)
        spiked = waiting.first.bit_select(c, 1)
        m.d.sync += kept.eq(Mux(take & spiked, moved[: fmt.width], now))
        so_far = so_far + Mux(spiked, number, 0)
    value, known = bench.register(primitive.accumulator.width, "value"), bench.register(1, "known")
    m.d.comb += total.eq(so_far)
    with m.If(take & (step == followed)):
        m.d.sync += [value.eq(total), known.eq(1)]
    m.d.sync += left.eq(left + o.done)
    out = bench.named(o.valid & o.holds(row) & (left == followed), "followed_out")
    bench.check(
        "every sum is of the weights that the steps before left",
        ~out | (known & (o.element(row) == value)),
    )
    fits = (total >= primitive.accumulator.lo) & (total <= primitive.accumulator.hi)
    bench.check("no sum passes its accumulator", ~take | fits)
    bench.cover("a sum of changed weights comes out", out & o.ready & (followed == 1))


def _weight(bench: Bench, primitive: sim.Learn, row: Value, column: int, lanes: int) -> Value:
    """A weight from memory: word ``tile * columns + column``, lane by lane."""
    (path,) = [path for path in bench.taps.memories if path.startswith("store.")]
    rows, width = range(primitive.rows), primitive.weight_format.width
    tile = Array([r // lanes for r in rows])[row]
    word = bench.word(path, tile * primitive.columns + column, port=column)
    return Value.cast(Array([word.word_select(r % lanes, width) for r in rows])[row])


def _no_hazard(bench: Bench) -> None:
    """No word is read while it is written, or while a write to it is still to come."""
    address, present = bench.tap("address"), bench.tap("sought")
    write, target = bench.tap("store.write"), bench.tap("store.write_address")
    stale = []
    for k in range(4):
        stale.append(present & (address == target))
        address = bench.past(address, f"address{k}")
        present = bench.past(present, f"present{k}")
    bench.check("no word is read before it is written", ~write | ~Cat(stale).any())
    bench.check("what is written was read", ~write | (present & (address == target)))
    bench.cover("a word is written", write)


def store(rows: int, columns: int, lanes: int) -> Bench:
    """Any weight is what the host wrote last, or as it was, and that is what it reads."""
    component = WeightStore(rows=rows, columns=columns, lanes=lanes, format=WEIGHT)
    bench = Bench(component, probes=1, inductive=False)
    m, host = bench.m, Host(bench, component.host, rows, columns)
    bench.assume(~component.write)
    row, column = bench.constant(range(rows), "row"), bench.constant(range(columns), "column")
    (path,) = bench.taps.memories
    tile = Array([r // lanes for r in range(rows)])[row]
    word = bench.word(path, tile * columns + column)
    found = Array([word.word_select(r % lanes, WEIGHT.width) for r in range(rows)])[row]
    began, kept = bench.past(1, "began"), Signal(WEIGHT.width, name="formal_kept")
    now = Mux(began, kept, found)
    mine = host.write & (host.now.row == row) & (host.now.column == column)
    m.d.sync += kept.eq(Mux(mine, component.host.data, now))
    ready = bench.running & component.host.ready
    bench.check("every weight is what was written last, or as it was", ~ready | (found == now))
    fetched = bench.register(1, "fetched")
    with m.If(host.any):
        m.d.sync += fetched.eq(host.fetch)
    read = ready & fetched & (host.before.row == row) & (host.before.column == column)
    right = component.host.data_out.as_signed() == Value.cast(now).as_signed()
    bench.check("and what is read", ~read | right)
    waits = bench.register(range(8), "waits")
    m.d.sync += waits.eq(Mux(host.any, 1, Mux((waits != 0) & (waits != 7), waits + 1, waits)))
    bench.check("ready six cycles after a pulse", ~(host.any | (waits >= 6)) | ready)
    bench.cover("the last weight is read", read & (host.before.index == rows * columns - 1))
    return bench


NARROW, UNSIGNED = QFormat(width=2), QFormat(width=2, signed=False)

PROOFS = [
    Proof("Learn", "2 x 3, 2 lanes, streams", lambda: learn(2, 3, 2), bound=32, reach=20),
    Proof("Learn", "2 x 2, 1 lane, streams", lambda: learn(2, 2, 1), bound=32, reach=20),
    Proof(
        "Learn",
        "1 x 2, sums",
        lambda: learn(1, 2, 1, weights=NARROW, sums=True),
        bound=24,
        reach=30,
    ),
    Proof(
        "Learn",
        "1 x 2, sums of unsigned weights",
        lambda: learn(1, 2, 1, weights=UNSIGNED, sums=True),
        bound=24,
        reach=30,
    ),
    Proof(
        "Learn",
        "2 x 1, 1 lane, sums",
        lambda: learn(2, 1, 1, weights=NARROW, sums=True),
        bound=24,
        reach=36,
    ),
    Proof("WeightStore", "3 x 2, 2 lanes", lambda: store(3, 2, 2), bound=40, reach=60),
    Proof("WeightStore", "2 x 3, 1 lane", lambda: store(2, 3, 1), bound=40, reach=60),
]
