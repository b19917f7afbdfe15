# SPDX-License-Identifier: Apache-2.0
"""What got worse since figures were written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Rows = Mapping[str, Mapping[str, Any]]

LESS_IS_BETTER = {"cycles": 0.0, "overhead": 0.0, "dsp": 0.0, "bram": 0.0, "spram": 0.0}
LESS_IS_BETTER |= {"first image": 0.0, "lut": 0.05, "lut_ram": 0.05, "ff": 0.05}
MORE_IS_BETTER = {"utilization": 0.0, "per cycle": 0.0, "fmax_mhz": 0.05}
"""How much worse each may be, as a fraction: another Yosys or nextpnr moves some a little."""
_ROUNDING = 1e-9


def read_rows(path: Path) -> Rows:
    """Figures written before, by name."""
    return {row["name"]: row for row in json.loads(path.read_text())}


def worse(before: Rows, now: Rows) -> list[str]:
    """Sentences on every figure that got worse; rows that only one side has say nothing."""
    found = []
    for name, row in now.items():
        old = before.get(name, {})
        for key, tolerance in {**LESS_IS_BETTER, **MORE_IS_BETTER}.items():
            if key not in old or key not in row:
                continue
            sign = 1 if key in LESS_IS_BETTER else -1
            if sign * (row[key] - old[key]) > tolerance * abs(old[key]) + _ROUNDING:
                found.append(f"{name}: {key} was {old[key]:.4g} and is {row[key]:.4g}")
    return found
