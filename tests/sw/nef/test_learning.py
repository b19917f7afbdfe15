# SPDX-License-Identifier: Apache-2.0
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.nef.learning import Pes, change_codes, delta_rule, learn_codes
from spikewright.sim.errors import DataError, FormatError, ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.learn import LEARNED, Learn

WEIGHT, ERROR = QFormat(width=16, frac=14), QFormat(width=16, frac=12)


def test_pes_by_hand() -> None:
    pes = Pes(learning_rate=0.2, n_neurons=4, dt=0.5)
    got = pes.change(np.array([0.0, 10.0, 20.0, 0.0]), np.array([1.0, -2.0]))
    # -0.2 * 0.5 / 4 = -1/40 times rate times error.
    np.testing.assert_allclose(got, [[0, 0], [-0.25, 0.5], [-0.5, 1.0], [0, 0]])


@pytest.mark.parametrize("tau", [None, 0.005, 0.1])
@pytest.mark.parametrize("dt", [1e-3, 2.5e-4])
def test_a_spike_changes_decoders_as_it_changes_weights(tau: float | None, dt: float) -> None:
    pes = Pes(learning_rate=3e-4, n_neurons=5, dt=dt, tau=tau)
    spikes, error = np.array([0, 1, 0, 1, 1]), np.array([0.5, -0.25])
    decoders = pes.change(spikes / dt, error)
    gain = 1.0 if tau is None else 1 - math.exp(-dt / tau)
    assert pes.synapse_gain == pytest.approx(gain, rel=1e-9)
    weights = pes.per_spike * np.multiply.outer(error, spikes)
    np.testing.assert_allclose(weights, decoders.T * gain / dt, rtol=1e-12)
    # A decoder's change by one spike does not depend on the step.
    np.testing.assert_allclose(decoders[1], -3e-4 / 5 * error, rtol=1e-12)


def test_error_shrinks_in_a_geometric_series() -> None:
    """With constant rates, each step leaves 1 - κ dt |a|^2 / N of the error."""
    rates, wanted = np.array([40.0, 100.0, 0.0]), np.array([0.7, -0.2])
    pes = Pes(learning_rate=1e-2, n_neurons=3)
    left = 1 - 1e-2 * 1e-3 * (rates @ rates) / 3
    decoders = np.zeros((3, 2))
    for step in range(30):
        error = rates @ decoders - wanted
        np.testing.assert_allclose(error, -wanted * left**step, rtol=1e-9)
        decoders += pes.change(rates, error)
    assert 0 < left**30 < 0.5


def test_pes_reaches_the_least_squares_decoders() -> None:
    rng = np.random.default_rng(3)
    rates, noise = rng.uniform(0, 200, (12, 4)), rng.normal(size=(12, 2))
    wanted = rates @ rng.normal(size=(4, 2)) / 100 + 0.1 * noise
    exact = np.linalg.lstsq(rates, wanted, rcond=None)[0]
    assert np.abs(rates @ exact - wanted).max() > 0.01
    pes, decoders = Pes(learning_rate=4e-3, n_neurons=4), np.zeros((4, 2))
    for _ in range(4000):
        # All samples' changes together: the gradient of the squares, with no noise of their order.
        errors = rates @ decoders - wanted
        decoders = decoders + sum(pes.change(a, e) for a, e in zip(rates, errors, strict=True))
    np.testing.assert_allclose(decoders, exact, rtol=1e-6)


def test_delta_rule_by_hand_and_beside_pes() -> None:
    weights, a, target = np.array([[1.0, 2.0]]), np.array([3.0, -1.0]), np.array([5.0])
    # 5 - (3 - 2) = 4.
    got = delta_rule(weights, a, target, learning_rate=0.5)
    np.testing.assert_allclose(got, [[6.0, -2.0]])
    pes = Pes(learning_rate=0.3, n_neurons=2, dt=0.01)
    change = pes.change(a, weights @ a - target)
    eta = 0.3 * 0.01 / 2
    np.testing.assert_allclose(delta_rule(weights, a, target, learning_rate=eta), change.T)


def test_delta_rule_fits_exactly_where_that_is_possible() -> None:
    rng = np.random.default_rng(5)
    inputs, exact = rng.normal(size=(5, 3)), rng.normal(size=(2, 3))
    weights = np.zeros((2, 3))
    for _ in range(2000):
        for a in inputs:
            weights += delta_rule(weights, a, exact @ a, learning_rate=0.1)
    np.testing.assert_allclose(weights, exact, rtol=1e-9)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 9),
    width=st.integers(2, 12),
    narrower=st.integers(0, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_codes_learn_as_the_primitive_does(
    rows: int, columns: int, width: int, narrower: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    fmt = QFormat(width=width, frac=3)
    change = QFormat(width=max(1, width - narrower), frac=3)
    learn = Learn(rows=rows, columns=columns, weight="w", weight_format=fmt, change=change)
    weights = rng.integers(fmt.lo, fmt.hi + 1, (rows, columns))
    tensors, state, mine = {"w": weights}, learn.init_state(1), weights
    for _ in range(6):
        spikes = rng.integers(0, 2, columns)
        d = rng.integers(change.lo, change.hi + 1, rows)
        state, (y,) = learn.step(tensors, state, spikes[None], d[None])
        np.testing.assert_array_equal(y[0], mine @ spikes)
        mine = learn_codes(mine, spikes, d, fmt)
        np.testing.assert_array_equal(weights + state[LEARNED][0], mine)


def test_codes_saturate_and_leave_silent_columns_alone() -> None:
    fmt = QFormat(width=4)
    weights = np.array([[7, 7, -8], [6, 0, -7]])
    got = learn_codes(weights, np.array([1, 0, 1]), np.array([-3, 5]), fmt)
    np.testing.assert_array_equal(got, [[4, 7, -8], [7, 0, -2]])
    np.testing.assert_array_equal(weights, [[7, 7, -8], [6, 0, -7]])


@settings(max_examples=100, deadline=None)
@given(
    rate=st.floats(1e-5, 1.0),
    neurons=st.integers(1, 2000),
    tau=st.one_of(st.none(), st.floats(1e-3, 0.5)),
    fraction=st.integers(8, 24),
    seed=st.integers(0, 2**32 - 1),
)
def test_factor_rounds_once(
    rate: float, neurons: int, tau: float | None, fraction: int, seed: int
) -> None:
    pes = Pes(learning_rate=rate, n_neurons=neurons, tau=tau)
    weight = QFormat(width=32, frac=fraction)
    exact = pes.per_spike * 2.0 ** (fraction - ERROR.frac)
    if abs(exact) * -ERROR.lo < 0.5:
        with pytest.raises(FormatError):
            pes.factor(error=ERROR, weight=weight)
        return
    multiplier, shift = pes.factor(error=ERROR, weight=weight)
    assert -(2**15) <= multiplier <= -(2**14)
    assert multiplier * 2.0**-shift == pytest.approx(exact, rel=2**-15)
    error = np.random.default_rng(seed).integers(ERROR.lo, ERROR.hi + 1, 50)
    got = change_codes(error, multiplier, shift, QFormat(width=48, frac=fraction))
    bound = 0.5 + np.abs(error * exact) * 2**-15
    assert (np.abs(got - error * exact) <= bound * (1 + 1e-9)).all()


def test_change_by_hand() -> None:
    # 2^-4 times 16384 2^-15: halves of 1/16; ties go up.
    change = QFormat(width=3)
    got = change_codes(np.array([0, 1, -1, 2, 3, 100, -100]), -16384, 15, change)
    np.testing.assert_array_equal(got, [0, 0, 1, -1, -1, -4, 3])


def test_smallest_error_is_where_weights_begin_to_learn() -> None:
    pes = Pes(learning_rate=1e-4, n_neurons=10)
    least = pes.smallest_error(WEIGHT)
    # 1e-4 / 10 / 1e-3 = 1/100 a spike: half an LSB of 2^-14 for an error of 50 LSB.
    assert least == pytest.approx(50 * 2.0**-14)
    error = QFormat(width=32, frac=24)
    multiplier, shift = pes.factor(error=error, weight=WEIGHT)
    codes = error.encode([0.999 * least, 1.001 * least])
    assert change_codes(codes, multiplier, shift, WEIGHT).tolist() == [0, -1]


def test_integers_follow_the_rule_in_floating_point() -> None:
    """A constant, learned from regular spikes: integers stay beside the rule, and both arrive."""
    neurons, dt, target = 20, 1e-3, 0.6
    pes = Pes(learning_rate=2e-3, n_neurons=neurons, dt=dt)
    weight = QFormat(width=24, frac=20)
    multiplier, shift = pes.factor(error=ERROR, weight=weight)
    rng = np.random.default_rng(8)
    codes, decoders = np.zeros((1, neurons), np.int64), np.zeros((neurons, 1))
    for _ in range(400):
        spikes = (rng.random(neurons) < 0.3).astype(np.int64)
        decoded = weight.decode(codes @ spikes)
        d = change_codes(ERROR.encode(decoded - target), multiplier, shift, weight)
        codes = learn_codes(codes, spikes, d, weight)
        decoders += pes.change(spikes / dt, (spikes / dt) @ decoders - target)
    mean = 0.3 * weight.decode(codes).sum()
    assert abs(mean - 0.3 * decoders.sum() / dt) < 0.002
    assert abs(mean - target) < 0.15


def sentence(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_neurons": 0}, "Neurons that learn must be an integer from 1, not 0"),
        (
            {"n_neurons": 5, "learning_rate": 0.0},
            "Learning rate must be positive and finite, not 0.0",
        ),
        ({"n_neurons": 5, "dt": -1e-3}, "Step must be positive and finite, not -0.001"),
        (
            {"n_neurons": 5, "tau": 0},
            "Time constant of the synapse must be positive and finite, not 0",
        ),
    ],
)
def test_refused_options(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ProgramError, match=sentence(text)):
        Pes(**options)


def test_refused_shapes() -> None:
    with pytest.raises(DataError, match=sentence("Activities must be (3,), not (2,)")):
        Pes(n_neurons=3).change(np.ones(2), np.ones(1))
    text = "Weights must be (outputs, neurons), of changes (3,) and spikes (2,), not (2, 3)"
    ones = np.ones(3, np.int64)
    with pytest.raises(DataError, match=sentence(text)):
        learn_codes(np.ones((2, 3), np.int64), ones[:2], ones, WEIGHT)
    text = "Weights must be (outputs, inputs), of targets (1,) and activities (2,), not (2, 1)"
    with pytest.raises(DataError, match=sentence(text)):
        delta_rule(np.ones((2, 1)), np.ones(2), np.ones(1), learning_rate=0.1)
    with pytest.raises(
        ProgramError, match=sentence("Learning rate must be positive and finite, not nan")
    ):
        delta_rule(np.ones((1, 2)), np.ones(2), np.ones(1), learning_rate=math.nan)


def test_refused_formats() -> None:
    # 1e-4 / 1000 / 1e-3 = 1e-4 a spike; the largest error, 8, moves 8e-4 * 2^8 = 0.2048 LSB.
    text = (
        "Weights of s16.8 cannot learn: the largest error of s16.12 changes them by 0.2 LSB for a "
        "spike; use 2 more fraction bits or a larger learning rate"
    )
    pes = Pes(n_neurons=1000)
    with pytest.raises(FormatError, match=sentence(text)):
        pes.factor(error=ERROR, weight=QFormat(width=16, frac=8))
    pes.factor(error=ERROR, weight=QFormat(width=16, frac=10))
    text = "Shift of an error must be between -63 and 63 bits, not 64"
    with pytest.raises(FormatError, match=sentence(text)):
        change_codes(np.ones(1, np.int64), 1, 64, WEIGHT)
    text = "Errors must be below 562949953421312, for products of 64 bits, not 562949953421312"
    with pytest.raises(FormatError, match=sentence(text)):
        change_codes(np.array([-(1 << 49)]), -16384, 15, WEIGHT)
