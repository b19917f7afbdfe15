# SPDX-License-Identifier: Apache-2.0
"""The last step's vector comes at the end of the frame, however many steps it had."""

import pytest
from bench.vectors import compare_with_golden

from spikewright.hw.last import Last
from spikewright.sim import last
from spikewright.sim.fixed import QFormat


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (5, 1), (7, 3), (8, 4), (5, 5)])
def test_vectors(size: int, lanes: int, steps: int, seed: int | None) -> None:
    component = Last(last.Last(size=size, format=QFormat(width=6)), lanes=lanes)
    compare_with_golden(component, seed=seed or 0, frames=4, steps=steps, stalls=seed is not None)
