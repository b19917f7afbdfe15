# SPDX-License-Identifier: Apache-2.0
"""Gateware: clock cycles against lower bounds, and what cores take of parts at which clock.

1. Cycles a vector of each core, and an image of whole networks, back to back in steady state,
   counted in the RTL engine. ``utilization`` is products that count over (multipliers x cycles).
2. Cells of each core alone, from Yosys: LUT (a CCU2C is two), LUT that are memory, flip-flops,
   block RAMs, multipliers; and the median clock over placement seeds, from nextpnr, between
   registers. A clock in brackets is not to be trusted: nextpnr does not model Gowin's multipliers.
   No open tool places xc7 parts: counts only.

``--against FILE`` compares with reference figures, says what got worse and then exits with 1.
"""

import argparse
import fnmatch
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from _against import read_rows, worse
from _cycles import tables
from _placements import placements
from _placing import measure, shown
from _timing import single_thread, table, write_json

from spikewright.sim.errors import SpikewrightError

Row = dict[str, Any]
SEEDS = (1, 2, 3, 4, 5)


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="*", help="rows whose names match this pattern")
    parser.add_argument("--quick", action="store_true", help="place and route nothing")
    parser.add_argument("--seeds", type=_seeds, default=SEEDS, help="of the placements: 1,2,3")
    parser.add_argument("--reports", type=Path, help="keep nextpnr's reports in this folder")
    parser.add_argument(
        "--reuse",
        type=Path,
        help="take placements of unchanged gateware from figures written before",
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--against", type=Path, help="compare with figures written before")
    return parser.parse_args()


def main() -> None:
    """Measure, print and compare."""
    single_thread()
    given = arguments()
    before = read_rows(given.against) if given.against else {}
    known = read_rows(given.reuse) if given.reuse and given.reuse.exists() else {}
    seeds = () if given.quick else given.seeds
    if given.reports:
        given.reports.mkdir(parents=True, exist_ok=True)
    sections: dict[str, Mapping[str, Callable[[], Row]]] = {
        **tables(),
        "parts": {
            p.title: partial(measure, p, seeds, given.reports, known.get(p.title))
            for p in placements()
        },
    }
    rows: dict[str, Row] = {}
    complaints = []
    for makers in sections.values():
        chosen = [name for name in makers if fnmatch.fnmatch(name, given.only)]
        for name in chosen:
            try:
                rows[name] = _measured(name, makers[name])
            except SpikewrightError as error:
                complaints.append(f"{name}: {error}")
            write_json(given.json, list(rows.values()))
        found = [shown(rows[name]) for name in chosen if name in rows]
        if found:
            print(table(found), end="\n\n", flush=True)
    if not rows and not complaints:
        raise SystemExit(f"No row matches {given.only!r}")
    complaints += worse(before, rows)
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(int(seed) for seed in text.split(","))


def _measured(name: str, make: Callable[[], Row]) -> Row:
    """A row; how far the work has come is told on the way."""
    started = time.monotonic()
    print(f"{name} ...", file=sys.stderr, flush=True)
    row = {"name": name, **make()}
    return {**row, "seconds": round(time.monotonic() - started, 1)}


if __name__ == "__main__":
    main()
