# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: one BLAS thread, interleaved CPU times, tables."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Environment variables that libraries read once, when they are first imported."""


def single_thread() -> None:
    """Start this script again with one thread per library, unless it already has."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def interleave(
    candidates: Mapping[str, Callable[[], object]], *, rounds: int = 7
) -> dict[str, float]:
    """Median CPU time of each candidate, in seconds.

    Every round runs all candidates once, so a busy machine slows them alike; one round before
    the first is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds + 1):
        for name, run in candidates.items():
            started = time.process_time()
            run()
            seconds[name].append(time.process_time() - started)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def seeds_of(text: str) -> list[int]:
    """Seeds joined by commas, as an option gives them."""
    return [int(part) for part in text.split(",")]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as a Markdown table; floats get three digits."""
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def write_json(path: str | Path | None, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as JSON, if there is a path."""
    if path is not None:
        Path(path).write_text(json.dumps(list(rows), indent=2) + "\n")


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
