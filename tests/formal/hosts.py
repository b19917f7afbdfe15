# SPDX-License-Identifier: Apache-2.0
"""Proofs of the host's way to the weights, alone and through a whole product."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Mux, Signal, Value, signed

from formal.bench import Bench
from formal.products import NARROW, weight
from formal.sby import Proof
from spikewright.hw.matvec import MatVec
from spikewright.hw.product.mac_row import MacRow
from spikewright.hw.product.weight_port import WeightPort
from spikewright.sim import primitives as sim

WRITE_CYCLES, MOVE_CYCLES = 7, 4
"""Cycles from a pulse until the host may give the next."""


@dataclass(frozen=True)
class Place:
    """A weight: the host's element, row and column of the matrix."""

    index: Signal
    row: Signal
    column: Signal


class Host:
    """Pulses that keep to :data:`spikewright.hw.parameters.ParameterHost`, and where they lead.

    Parameters
    ----------
    bench : Bench
    host : ParameterHost
    rows, columns : int
    """

    def __init__(self, bench: Bench, host: object, rows: int, columns: int):
        m = bench.m
        self.write, self.fetch = bench.running & host.write, bench.running & host.fetch
        self.moves = bench.running & (host.rewind | host.advance)
        pulses = Cat(host.rewind, host.write, host.advance, host.fetch)
        self.any = bench.named(bench.running & pulses.any(), "pulse")
        bench.assume((pulses & (pulses - 1)[: len(pulses)]) == 0)
        bench.assume(~pulses.any() | host.ready)
        self.size = rows * columns
        names = {"index": self.size + 1, "row": rows + 1, "column": columns}
        self.now, self.before = (
            Place(*(bench.register(range(n), f"{when}_{k}") for k, n in names.items()))
            for when in ("now", "before")
        )
        """Where the host is, and where it was before its last pulse."""
        now, before = self.now, self.before
        # After a reset the host begins anew before it does anything else.
        bench.assume((now.index < self.size) | host.rewind | ~pulses.any())
        last = now.column == columns - 1
        forward = [
            now.index.eq(now.index + 1),
            now.column.eq(Mux(last, 0, now.column + 1)),
            now.row.eq(now.row + last),
        ]
        with m.If(self.any):
            m.d.sync += [
                old.eq(new)
                for old, new in zip(vars(before).values(), vars(now).values(), strict=True)
            ]
        with m.If(self.write | (bench.running & host.advance)):
            m.d.sync += forward
        with m.If(bench.running & host.rewind):
            m.d.sync += [place.eq(0) for place in vars(now).values()]


def port(rows: int, columns: int, lanes: int, lanes_out: int) -> Bench:
    """Single accesses of the port; the row is what the bench makes of it."""
    component = WeightPort(
        rows=rows,
        columns=columns,
        lanes=lanes,
        weight=signed(4),
        total=signed(5),
        lanes_out=lanes_out,
    )
    bench = Bench(component, inductive=False)
    m, host = bench.m, Host(bench, component.host, rows, columns)
    _answers(bench, component, host)
    at = host.before
    tile, lane = (at.row // lanes, at.row % lanes) if lanes > 1 else (at.row, 0)
    right = component.address == tile * columns + at.column
    here = component.lane.beat * lanes_out + component.lane.element == lane

    given = bench.register(4, "given")
    owed = bench.register(1, "owed")
    """Whether a write that the host asked for is still to come."""
    with m.If(host.write):
        m.d.sync += given.eq(component.host.data)
    m.d.sync += owed.eq(host.write | (owed & ~component.write))
    # Ready in the cycle of a pulse means that the one before is over.
    bench.check("a write for each that is asked for, and no other", ~component.write | owed)
    bench.check("it is done before the next is asked for", ~(host.any & owed))
    bench.check("a write goes to the word of its row and column", ~component.write | right)
    bench.check("and to the lane of its row", ~component.write | here)
    bench.check(
        "with what the host gave", ~component.write | (component.weight == given.as_signed())
    )
    bench.cover("the last weight is written", component.write & (at.index == rows * columns - 1))

    stood = bench.register(range(MacRow.hold + 1), "stood")
    before, wrote = bench.past(component.address, "address"), bench.past(component.write, "wrote")
    same = component.address == before
    held = Mux(same, Mux(stood == MacRow.hold, stood, stood + 1), 0)
    m.d.sync += stood.eq(held)
    bench.check("the address has stood long enough", ~component.write | (held == MacRow.hold))
    bench.check("and stands for a cycle more", ~wrote | same)
    bench.check("a read begins with the word of its row", ~component.fetch | right)
    _reads(bench, component, host, here)
    return bench


def _answers(bench: Bench, component: WeightPort, host: Host) -> None:
    """Ready comes back after so many cycles."""
    m, ready = bench.m, component.host.ready
    waits = bench.register(range(WRITE_CYCLES + 2), "waits")
    kind = bench.register(2, "kind")
    with m.If(host.any):
        m.d.sync += [waits.eq(1), kind.eq(Mux(host.write, 0, Mux(host.fetch, 2, 1)))]
    with m.Elif((waits != 0) & (waits <= WRITE_CYCLES)):
        m.d.sync += waits.eq(waits + 1)
    bench.check(
        f"ready {WRITE_CYCLES} cycles after a write", (kind != 0) | (waits < WRITE_CYCLES) | ready
    )
    bench.check(
        f"ready {MOVE_CYCLES} cycles after a move", (kind != 1) | (waits < MOVE_CYCLES) | ready
    )


WAIT = 5
"""Cycles that the row takes at most from a fetch to its first sum in these proofs."""


def _reads(bench: Bench, component: WeightPort, host: Host, here: Value) -> None:
    """The row answers a fetch with a pass, of which the host gets the one sum that it is for."""
    m = bench.m
    beats = component.lanes // component.lanes_out
    open_ = bench.register(1, "open")
    wait, beat = bench.register(range(WAIT + 1), "wait"), bench.register(range(beats), "beat")
    sent = component.valid
    bench.assume(~sent | open_)
    bench.assume((beat == 0) | sent)
    bench.assume(~open_ | (wait != WAIT) | sent | (beat != 0))
    with m.If(component.fetch):
        m.d.sync += [open_.eq(1), wait.eq(0), beat.eq(0)]
    with m.Elif(open_):
        m.d.sync += wait.eq(Mux(wait == WAIT, wait, wait + 1))
        with m.If(sent):
            m.d.sync += beat.eq(beat + 1)
            with m.If(beat == beats - 1):
                m.d.sync += [open_.eq(0), beat.eq(0)]
    wanted = bench.register(32, "wanted")
    lane = component.lane
    with m.If(sent & (beat == lane.beat)):
        m.d.sync += wanted.eq(component.o[lane.element])
    read = bench.register(1, "read")
    with m.If(host.any):
        m.d.sync += read.eq(host.fetch)
    answered = read & component.host.ready & ~host.any
    shown = component.host.data_out[:5] == wanted[:5]
    bench.check("a read gives the sum of the chosen lane", ~answered | shown)
    bench.cover("a read of the second row", answered & (host.now.row == 1))
    late = bench.register(range(32), "late")
    reading = read & ~component.host.ready
    m.d.sync += late.eq(Mux(reading, Mux(late == 31, 31, late + 1), 0))
    within = WAIT + beats + 6
    bench.check(f"ready {within} cycles after a read at the latest", late < within)


SETTLED = 10
"""Cycles after which a write has come through to the memory."""
CALM = 6
"""Cycles after which no write from before the reset is under way any more."""


def through(rows: int, columns: int, lanes: int) -> Bench:
    """Weights in the memories of a product: what the host wrote, and otherwise as they were."""
    primitive = sim.MatVec(
        rows=rows, columns=columns, input=NARROW, weight="w", weight_format=NARROW
    )
    component = MatVec(primitive, lanes=lanes)
    bench = Bench(component, probes=1, inductive=False)
    m = bench.m
    pins = component.host_0
    bench.assume(~component.i_x.valid)
    host = Host(bench, pins, rows, columns)
    row, column = bench.constant(range(rows), "row"), bench.constant(range(columns), "column")
    held = Value.cast(weight(bench, primitive, row, column, lanes))
    known = bench.register(held.shape(), "known")
    mine = (host.now.row == row) & (host.now.column == column)
    since_reset = bench.register(range(CALM + 1), "since_reset")
    begun = since_reset == CALM
    bench.assume(begun | ~host.any)
    age = bench.register(range(SETTLED + 1), "age")
    m.d.sync += age.eq(Mux(host.any, 0, Mux(age == SETTLED, age, age + 1)))
    with m.If(~begun):
        m.d.sync += [known.eq(held), since_reset.eq(since_reset + 1)]
    with m.Elif(host.write & mine):
        m.d.sync += known.eq(pins.data)
    settled = (age == SETTLED) & begun
    bench.check(
        "every weight is what the host wrote last, or as it was", ~settled | (held == known)
    )
    written = bench.register(1, "written")
    m.d.sync += written.eq(written | (host.write & mine))
    bench.cover("a weight but the first was written", settled & written & (row + column != 0))
    return bench


PROOFS = [
    Proof("WeightPort", "3 x 2, 2 lanes", lambda: port(3, 2, 2, 1), bound=60, reach=60),
    Proof("WeightPort", "4 x 1, 4 lanes, 2 a beat", lambda: port(4, 1, 4, 2), bound=60, reach=60),
    Proof("WeightPort", "2 x 3, 1 lane", lambda: port(2, 3, 1, 1), bound=60, reach=60),
    Proof(
        "MatVec", "the host's writes, 2 x 2, 2 lanes", lambda: through(2, 2, 2), bound=40, reach=50
    ),
]
