# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from bench.codes import golden_run, random_codes
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.delay import Delay
from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32))
def test_zeros_then_what_came_so_many_steps_ago(
    size: int, delay: int, steps: int, seed: int
) -> None:
    fmt = QFormat(width=9)
    x = random_codes(np.random.default_rng(seed), fmt, (2, steps, size))
    (y,) = golden_run(Delay(size=size, format=fmt, steps=delay), {}, [x])
    for frame in range(2):
        line = [[0] * size for _ in range(delay)] + x[frame].tolist()
        assert y[frame].tolist() == line[:steps]


@pytest.mark.parametrize("steps", [0, -1])
def test_steps_must_be_positive(steps: int) -> None:
    with pytest.raises(
        FormatError, match=rf"^Delay steps must be a positive integer, not {steps}$"
    ):
        Delay(size=3, format=QFormat(width=4), steps=steps)
