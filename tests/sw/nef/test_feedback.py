# SPDX-License-Identifier: Apache-2.0
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import expm

from spikewright import nef
from spikewright.nef.dynamics import feedback
from spikewright.nef.dynamics.feedback import exact_step, transforms
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]


class Filter:
    """``order`` first-order filters, one after the other, in floating point."""

    def __init__(self, synapse: Any, size: int, dt: float):
        self._leak = 1 - math.exp(-dt / synapse.tau)
        self._stages = np.zeros((synapse.order, size))

    def __call__(self, value: Array) -> Array:
        for stage in self._stages:
            stage += self._leak * (value - stage)
            value = stage
        return np.array(value)


def simulated(a: Array, b: Array, synapse: Any, dt: float | None, u: Array, step: float) -> Array:
    """What filters bring that hear their own output and an input (steps, m)."""
    recurrent, inputs = transforms(a, b, synapse, dt, 0.0)
    own = Filter(synapse, len(a), step)
    others = [(Filter(s, len(a), step), matrix) for s, matrix in inputs]
    x, found = np.zeros(len(a)), []
    for value in u:
        x = own(recurrent @ x) + sum(f(matrix @ value) for f, matrix in others)
        found.append(x)
    return np.array(found)


def exact(a: Array, b: Array, dt: float, u: Array) -> Array:
    """Solution of ``dx/dt = A x + B u`` for an input that is constant in each step."""
    n = len(a)
    whole = expm(np.block([[a, b], [np.zeros((b.shape[1], n + b.shape[1]))]]) * dt)
    x, found = np.zeros(n), []
    for value in u:
        x = whole[:n, :n] @ x + whole[:n, n:] @ value
        found.append(x)
    return np.array(found)


def drawn(seed: int, n: int, m: int, rate: float) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rate * rng.normal(size=(n, n)) / n, rate * rng.normal(size=(n, m))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 4),
    m=st.integers(0, 3),
    rate=st.floats(0, 20),
    tau=st.floats(0.01, 0.5),
    dt=st.floats(1e-4, 5e-3),
    kind=st.sampled_from([nef.Lowpass, nef.Alpha]),
)
def test_filters_that_hear_themselves_solve_the_equation_exactly(
    seed: int, n: int, m: int, rate: float, tau: float, dt: float, kind: Any
) -> None:
    a, b = drawn(seed, n, m, rate)
    u = np.random.default_rng(seed + 1).normal(size=(80, m))
    wanted = exact(a, b, dt, u)
    found = simulated(a, b, kind(tau), dt, u, dt)
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found / scale, wanted / scale, atol=1e-8)


@pytest.mark.parametrize("synapse", [nef.Lowpass(0.1), nef.Alpha(0.05)])
def test_without_a_step_the_error_shrinks_as_the_step_does(synapse: Any) -> None:
    a, b = np.array([[-1.0, 6.0], [-6.0, -0.5]]), np.array([[1.0], [3.0]])
    worst = []
    for dt in (2e-3, 1e-3, 5e-4):
        u = np.sin(9 * dt * np.arange(round(1 / dt)))[:, None]
        difference = simulated(a, b, synapse, None, u, dt) - exact(a, b, dt, u)
        worst.append(float(np.abs(difference).max()))
    assert 1e-4 < worst[0] < 0.05
    assert worst[0] / worst[1] == pytest.approx(2, abs=0.2)
    assert worst[1] / worst[2] == pytest.approx(2, abs=0.2)


@given(
    seed=st.integers(0, 2**32),
    lead=st.floats(-0.01, 0.01),
    dt=st.sampled_from([None, 1e-3]),
    kind=st.sampled_from([nef.Lowpass, nef.Alpha]),
)
def test_neurons_that_run_ahead_bring_the_same(
    seed: int, lead: float, dt: float | None, kind: Any
) -> None:
    """``A'`` and ``B'`` of ``x + lead dx/dt`` make what those without a lead make of ``x``."""
    a, b = drawn(seed, 3, 2, 10.0)
    x, u = np.random.default_rng(seed).normal(size=5)[:3], np.array([0.3, -0.8])
    plain, drive = feedback(a, b, kind(0.1), dt=dt)
    ahead, less = feedback(a, b, kind(0.1), dt=dt, lead=lead)
    decoded = x + lead * (a @ x + b @ u)
    np.testing.assert_allclose(ahead @ decoded + less @ u, plain @ x + drive @ u, atol=1e-9)


def test_transforms_by_hand() -> None:
    turn = np.array([[0.0, -4.0], [4.0, 0.0]])
    found, drive = feedback(turn, np.eye(2), 0.1)
    np.testing.assert_allclose(found, [[1, -0.4], [0.4, 1]], atol=1e-12)
    np.testing.assert_allclose(drive, 0.1 * np.eye(2), atol=1e-12)
    # tau² A² + 2 tau A + I, tau² A + 2 tau I.
    found, drive = feedback(turn, np.eye(2), nef.Alpha(0.1))
    np.testing.assert_allclose(found, [[0.84, -0.8], [0.8, 0.84]], atol=1e-12)
    np.testing.assert_allclose(drive, [[0.2, -0.04], [0.04, 0.2]], atol=1e-12)
    # An integrator with a lead takes less of its input: tau - lead.
    found, drive = feedback(0.0, 1.0, 0.1, lead=0.004)
    np.testing.assert_allclose([found[0, 0], drive[0, 0]], [1, 0.096], atol=1e-12)


def test_steps_of_any_length_are_exact() -> None:
    for scale in (0.0, 1e-6, 0.7, 1.0, 40.0):
        turn = scale * np.array([[0.0, -1.0], [1.0, 0.0]])
        for a, b in (drawn(7, 4, 2, scale), (turn, np.zeros((2, 0)))):
            n, m = b.shape
            whole = expm(np.block([[a, b], [np.zeros((m, n + m))]]))
            found = np.hstack(exact_step(a, b, 1.0))
            most = max(1.0, float(np.abs(whole).max()))
            np.testing.assert_allclose(found / most, whole[:n] / most, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((0, 1, None), {}, "A system needs a synapse that integrates, not None: use Lowpass(0.1)"),
        ((0, 1, 0.1), {"dt": 0}, "Time step must be positive and finite, not 0 s"),
        (([[0, 1]], 1, 0.1), {}, "A must be square, not (1, 2)"),
        ((np.eye(2), 1, 0.1), {}, "B must have 2 rows, as A has, not 1"),
        (("x", 1, 0.1), {}, "A must be a matrix of numbers, not 'x'"),
        ((0, math.nan, 0.1), {}, "B must be a matrix of finite numbers"),
        ((0, np.zeros((1, 1, 1)), 0.1), {}, "B must be a matrix of finite numbers"),
        (
            (0, 1, 0.1),
            {"lead": 0.1},
            "Lead must be below the synapse's 0.1 s and finite, not 0.1 s",
        ),
        (
            (-250, 1, 0.1),
            {"lead": 0.004},
            (
                "A system with rates up to 250 1/s has no transforms with a lead of 0.004 s: use a "
                "slower one, or another lead"
            ),
        ),
        (
            (1e6, 1, 0.1),
            {"dt": 1e-3},
            (
                "A system with rates up to 1e+06 1/s has no transforms with a lead of 0 s: use a "
                "slower one, or another lead"
            ),
        ),
        (
            (1e200, 1, 0.1),
            {"dt": 1e-3},
            (
                "A system with rates up to 1e+200 1/s has no transforms with a lead of 0 s: use a "
                "slower one, or another lead"
            ),
        ),
        (
            (-1e6, 1, nef.Alpha(0.1)),
            {"dt": 1e-3},
            (
                "A system with rates up to 1e+06 1/s has no transforms with a lead of 0 s: use a "
                "slower one, or another lead"
            ),
        ),
    ],
)
def test_refused(arguments: tuple[Any, ...], options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        feedback(*arguments, **options)
