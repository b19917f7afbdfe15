# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.ops.spiking import SURROGATES
from spikewright.learn.tape import Tape

SLOPE = 5.0
PRIMITIVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fast-sigmoid": lambda u: u / (1 + SLOPE * np.abs(u)),
    "arctan": lambda u: np.arctan(SLOPE * u) / SLOPE,
    # Half a parabola on either side, level beyond 1 / SLOPE.
    "triangular": lambda u: np.where(
        np.abs(u) < 1 / SLOPE, u - SLOPE * u * np.abs(u) / 2, np.sign(u) / (2 * SLOPE)
    ),
}


def test_every_surrogate_has_its_primitive_here() -> None:
    assert set(PRIMITIVES) == set(SURROGATES)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_spike_fires_at_the_threshold_and_has_the_slope_of_its_surrogate(surrogate: str) -> None:
    tape, voltages = Tape(), np.array([-0.4, 0.65, 0.69, 0.7, 0.75, 2.0])
    v = tape.parameter(voltages)
    s = ops.spike(v, threshold=0.7, slope=SLOPE, surrogate=surrogate)
    np.testing.assert_array_equal(s.data, [0, 0, 0, 1, 1, 1])
    weights = np.arange(1.0, 7.0)
    tape.backward(ops.total(ops.mul(s, tape.constant(weights))))
    ends = [PRIMITIVES[surrogate](voltages - 0.7 + sign * 1e-6) for sign in (1, -1)]
    slopes = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(v.gradient(), weights * slopes, rtol=1e-4, atol=1e-9)
    assert v.gradient()[3] == pytest.approx(4.0)
