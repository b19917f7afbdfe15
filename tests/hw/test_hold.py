# SPDX-License-Identifier: Apache-2.0
"""A frame's vector comes in every step."""

import pytest
from bench.vectors import compare_with_golden

from spikewright.hw.hold import Hold
from spikewright.sim import hold
from spikewright.sim.fixed import QFormat


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (5, 1), (7, 3), (8, 4), (5, 5)])
def test_vectors(size: int, lanes: int, steps: int, seed: int | None) -> None:
    primitive = hold.Hold(size=size, format=QFormat(width=6))
    component = Hold(primitive, lanes=lanes, steps=steps)
    compare_with_golden(component, seed=seed or 0, frames=4, steps=steps, stalls=seed is not None)
