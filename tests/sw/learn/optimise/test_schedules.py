# SPDX-License-Identifier: Apache-2.0
import math
import re
from typing import Any

import pytest

from spikewright.learn.optimise.schedules import SCHEDULES
from spikewright.sim.errors import ProgramError


@pytest.mark.parametrize(
    ("name", "options", "factors"),
    [
        ("none", {}, {0.0: 1, 0.5: 1, 1.0: 1}),
        ("cosine", {}, {0.0: 1, 0.25: (1 + math.sqrt(0.5)) / 2, 0.5: 0.5, 1.0: 0}),
        ("step", {}, {0.0: 1, 0.33: 1, 1 / 3: 0.1, 0.66: 0.1, 2 / 3: 0.01, 1.0: 1e-3}),
        ("step", {"factor": 0.5, "every": 0.25}, {0.2: 1, 0.25: 0.5, 0.9: 0.125}),
        ("exponential", {}, {0.0: 1, 0.5: 0.1, 1.0: 0.01}),
        ("exponential", {"final": 0.25}, {0.5: 0.5, 1.0: 0.25}),
        ("linear", {}, {0.0: 1, 0.5: 0.505, 1.0: 0.01}),
        ("linear", {"final": 0.2}, {0.25: 0.8, 1.0: 0.2}),
    ],
)
def test_factors(name: str, options: dict[str, float], factors: dict[float, float]) -> None:
    for done, factor in factors.items():
        assert SCHEDULES[name](done, **options) == pytest.approx(factor, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("step", {"every": 0}, "Decay option every must be above 0 and at most 1, not 0"),
        ("step", {"factor": 2.0}, "Decay option factor must be above 0 and at most 1, not 2.0"),
        ("linear", {"final": -1}, "Decay option final must be above 0 and at most 1, not -1"),
    ],
)
def test_options_are_checked(name: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        SCHEDULES[name](0.0, **options)
