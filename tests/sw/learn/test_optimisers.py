# SPDX-License-Identifier: Apache-2.0
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn.optimisers import Adam, Optimiser, Sgd
from spikewright.learn.tape import Array
from spikewright.sim.errors import ProgramError


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_follows_its_definition(momentum: float) -> None:
    parameter, expected, velocity = np.ones(3), np.ones(3), np.zeros(3)
    optimiser = Sgd([parameter], momentum=momentum)
    rng = np.random.default_rng(4)
    for rate in (0.1, 0.2, 0.3):
        gradient = rng.normal(size=3)
        velocity = momentum * velocity + gradient
        expected -= rate * velocity
        optimiser.step([gradient.copy()], rate)
        np.testing.assert_allclose(parameter, expected, rtol=1e-12)


def test_adam_follows_its_definition() -> None:
    parameter, expected = np.ones(3), np.ones(3)
    m, v = np.zeros(3), np.zeros(3)
    optimiser = Adam([parameter])
    rng = np.random.default_rng(4)
    for t in range(1, 6):
        gradient = rng.normal(size=3) * 10.0 ** rng.integers(-9, 3, 3)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        expected -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        optimiser.step([gradient.copy()], 0.01)
        np.testing.assert_allclose(parameter, expected, rtol=1e-10)


@pytest.mark.parametrize("make", [Adam, lambda parameters: Sgd(parameters, momentum=0.9)])
def test_steps_allocate_no_arrays(make: Callable[[list[Array]], Optimiser]) -> None:
    parameter, gradient = np.zeros(100_000), np.ones(100_000)
    optimiser = make([parameter])
    tracemalloc.start()
    optimiser.step([gradient], 0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < gradient.nbytes / 10


def test_coefficients_are_checked() -> None:
    with pytest.raises(ProgramError, match=r"^Momentum must be at least 0 and below 1, not 1.0$"):
        Sgd([], momentum=1.0)
    with pytest.raises(
        ProgramError, match=r"^Adam's beta2 must be at least 0 and below 1, not -1$"
    ):
        Adam([], beta2=-1)
