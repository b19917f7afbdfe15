# SPDX-License-Identifier: Apache-2.0
import re
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn.optimise.optimisers import (
    OPTIMISERS,
    RATES,
    AdaGrad,
    Adam,
    Nesterov,
    Optimiser,
    RmsProp,
    Rprop,
    Sgd,
)
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


def steps(optimiser: Optimiser, parameter: np.ndarray, gradients: list[float]) -> list[float]:
    """Values of a parameter of one element after each step at the rate 1/10."""
    values = []
    for gradient in gradients:
        optimiser.step([np.array([gradient])], 0.1)
        values.append(float(parameter[0]))
    return values


def test_nesterov_by_hand() -> None:
    parameter = np.zeros(1)
    # v = 1, 2.5 and then g + .5 v = 1.5, 3.25.
    got = steps(Nesterov([parameter], momentum=0.5), parameter, [1.0, 2.0])
    np.testing.assert_allclose(got, [-0.15, -0.475])
    plain = np.zeros(1)
    np.testing.assert_allclose(steps(Nesterov([plain], momentum=0.0), plain, [1.0]), [-0.1])


def test_nesterov_is_momentum_with_the_gradient_ahead() -> None:
    """The form of the notes, v <- a v - eps g(theta + a v), on a parabola."""
    theta, v, ahead = 1.0, 0.0, np.ones(1)
    optimiser = Nesterov([ahead], momentum=0.9)
    for _ in range(20):
        v = 0.9 * v - 0.1 * 3 * (theta + 0.9 * v)
        theta += v
        optimiser.step([3 * ahead], 0.1)
        assert float(ahead[0]) == pytest.approx(theta + 0.9 * v, rel=1e-9)


def test_adagrad_by_hand() -> None:
    parameter = np.zeros(1)
    got = steps(AdaGrad([parameter]), parameter, [3.0, 4.0])
    np.testing.assert_allclose(got, [-0.1, -0.1 - 0.1 * 4 / 5], rtol=1e-6)


def test_rmsprop_by_hand() -> None:
    parameter = np.zeros(1)
    got = steps(RmsProp([parameter], rho=0.75, epsilon=1e-12), parameter, [2.0, -2.0])
    first = -0.1 * 2 / 1
    second = first + 0.1 * 2 / (0.75 + 1) ** 0.5
    np.testing.assert_allclose(got, [first, second], rtol=1e-9)


def test_rprop_by_hand() -> None:
    parameter = np.zeros(1)
    # Grow, grow, turn (wait), begin anew with the shortened step.
    got = steps(Rprop([parameter]), parameter, [5.0, 0.1, 2.0, -1.0, -1.0, 0.0])
    lengths = [0.1, 0.12, 0.144, 0.0, -0.072, 0.0]
    np.testing.assert_allclose(got, -np.cumsum(lengths), rtol=1e-9)


def test_rprop_steps_have_limits() -> None:
    parameter = np.zeros(1)
    got = steps(Rprop([parameter], longest=0.11, shortest=0.09), parameter, [1.0, 1.0, -1.0, -1.0])
    np.testing.assert_allclose(np.diff(got), [-0.11, 0, 0.09], atol=1e-12)


def test_every_optimiser_has_a_rate_and_descends() -> None:
    assert set(RATES) == set(OPTIMISERS)
    for name, make in OPTIMISERS.items():
        parameter = np.array([1.0, -2.0])
        optimiser = make([parameter])
        for _ in range(50):
            optimiser.step([parameter.copy()], RATES[name])
        assert np.abs(parameter).max() < 1.97, name


@pytest.mark.parametrize("make", [Adam, lambda parameters: Sgd(parameters, momentum=0.9)])
def test_steps_allocate_no_arrays(make: Callable[[list[Array]], Optimiser]) -> None:
    parameter, gradient = np.zeros(100_000), np.ones(100_000)
    optimiser = make([parameter])
    tracemalloc.start()
    optimiser.step([gradient], 0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < gradient.nbytes / 10


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Sgd([], momentum=1.0), "Momentum must be at least 0 and below 1, not 1.0"),
        (lambda: Nesterov([], momentum=-1), "Momentum must be at least 0 and below 1, not -1"),
        (lambda: Adam([], beta2=-1), "Adam's beta2 must be at least 0 and below 1, not -1"),
        (lambda: RmsProp([], rho=1), "RMSProp's rho must be at least 0 and below 1, not 1"),
        (lambda: RmsProp([], epsilon=0), "RMSProp's epsilon must be positive, not 0"),
        (lambda: AdaGrad([], epsilon=-1.0), "AdaGrad's epsilon must be positive, not -1.0"),
        (
            lambda: Rprop([], grow=1.0),
            "RPROP's factors must be above 1 and between 0 and 1, not 1.0 and 0.5",
        ),
        (
            lambda: Rprop([], shortest=1.0, longest=0.5),
            "RPROP's limits must be positive and ascend, not 1.0 and 0.5",
        ),
    ],
)
def test_coefficients_are_checked(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        make()
