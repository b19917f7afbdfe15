# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from bench.codes import expected_outputs, golden_run
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.count import Count
from spikewright.sim.errors import FormatError
from spikewright.sim.ports import Rate


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 2**32))
def test_spikes_are_counted_from_the_frames_start(size: int, steps: int, seed: int) -> None:
    primitive = Count(size=size, steps=steps)
    spikes = np.random.default_rng(seed).integers(0, 2, (2, steps, size))
    outputs = golden_run(primitive, {}, [spikes])
    for frame in range(2):
        for k in range(size):
            total = 0
            for t in range(steps):
                total += int(spikes[frame, t, k])
                assert outputs[0][frame, t, k] == total
    (last,) = expected_outputs(primitive, outputs, steps)
    assert last.shape == (2, 1, size)
    assert primitive.crossing == (Rate.STEP, Rate.FRAME)


@pytest.mark.parametrize(("steps", "width"), [(1, 1), (3, 2), (4, 3), (255, 8), (256, 9)])
def test_the_format_just_holds_every_count(steps: int, width: int) -> None:
    fmt = Count(size=1, steps=steps).count_format
    assert (fmt.width, fmt.signed) == (width, False)
    assert fmt.hi >= steps


def test_steps_must_be_positive() -> None:
    with pytest.raises(FormatError, match=r"^Count steps must be a positive integer, not 0$"):
        Count(size=3, steps=0)
