# SPDX-License-Identifier: Apache-2.0
"""Whole small datapaths: while words come and are taken, they go on."""

from program_parts import per_step, program

from formal.bench import Bench
from formal.contract import Port, hosts_quiet, progress
from formal.sby import Proof
from spikewright.hw.datapath import Datapath
from spikewright.hw.folding import fold
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat
from spikewright.sim.program import Program

FMT = QFormat(width=4, frac=1)


def fork_and_join() -> Program:
    """``y = saturate(x) + x``, by way of a node that keeps a whole vector."""
    total = sim.Elementwise(size=2, a=FMT, b=FMT)
    return program(
        {"x": per_step(2, FMT)},
        {
            "turned": (sim.Route(sizes=(2,), format=FMT, index=(1, 0)), ("x",)),
            "sum": (total, ("turned", "x")),
        },
        {"y": "sum"},
        steps=2,
    )


def recurrence() -> Program:
    """``y[t] = saturate(x[t] + y[t-1])``."""
    total = sim.Elementwise(size=2, a=FMT, b=FMT)
    return program(
        {"x": per_step(2, FMT)},
        {
            "sum": (total, ("x", "before")),
            "y": (sim.Requantize(size=2, input=total.output, output=FMT), ("sum",)),
            "before": (sim.Delay(size=2, format=FMT), ("y",)),
        },
        {"y": "y"},
        steps=2,
    )


def later_first() -> Program:
    """Two inputs of which the one that comes later is read first."""
    return program(
        {"a": per_step(2, FMT), "b": per_step(2, FMT)},
        {"both": (sim.Route(sizes=(2, 2), format=FMT), ("b", "a"))},
        {"y": "both"},
        steps=2,
    )


def goes_on(given: Program, within: int) -> Bench:
    datapath = Datapath(given, fold(given, 1))
    bench = Bench(datapath, inductive=False)
    hosts_quiet(bench)
    bench.assume(datapath.resets == 0)
    i = Port(bench, "i", source=True)
    o = Port(bench, "o", source=False)
    progress(bench, [i, o], within=within)
    bench.cover("a word comes out", o.moved)
    return bench


# Long enough for the buffers at both ends to be full, if nothing in between goes on.
PROOFS = [
    Proof("Datapath", "fork and join", lambda: goes_on(fork_and_join(), 16), bound=60, reach=70),
    Proof("Datapath", "recurrence", lambda: goes_on(recurrence(), 20), bound=60, reach=80),
    Proof(
        "Datapath", "the later input first", lambda: goes_on(later_first(), 16), bound=60, reach=70
    ),
]
