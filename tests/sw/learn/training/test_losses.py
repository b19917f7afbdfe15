# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Tape, Value
from spikewright.learn.training.losses import (
    LOSSES,
    bernoulli,
    cross_entropy,
    hinge,
    mean_absolute_error,
    mean_squared_error,
)
from spikewright.sim.errors import FormatError, ProgramError

LOGITS = np.random.default_rng(1).normal(size=(4, 3))
LABELS = np.array([2, 0, 1, 1])


def test_cross_entropy_value_and_gradient(check_gradients: Callable[..., None]) -> None:
    tape = Tape()
    loss = cross_entropy(tape.parameter(LOGITS), tape.constant(LABELS))
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    assert float(loss.data) == pytest.approx(-np.log(shares[range(4), LABELS]).mean(), rel=1e-12)
    check_gradients(lambda z: cross_entropy(z, z.tape.constant(LABELS)), LOGITS.copy())


def test_cross_entropy_of_huge_logits_is_finite() -> None:
    tape = Tape()
    z = tape.parameter(np.array([[1e4, 0.0], [0.0, -1e4]], np.float32))
    loss = cross_entropy(z, tape.constant(np.array([1, 0])))
    tape.backward(loss)
    assert float(loss.data) == 5000.0
    np.testing.assert_array_equal(z.gradient(), [[0.5, -0.5], [0, 0]])


def test_mean_squared_error(check_gradients: Callable[..., None]) -> None:
    targets = np.random.default_rng(2).normal(size=(4, 3))
    tape = Tape()
    loss = mean_squared_error(tape.parameter(LOGITS), tape.constant(targets))
    assert float(loss.data) == pytest.approx(((LOGITS - targets) ** 2).mean(), rel=1e-12)
    check_gradients(lambda z: mean_squared_error(z, z.tape.constant(targets)), LOGITS.copy())


def value(loss: Callable[..., Value], outputs: np.ndarray, targets: np.ndarray) -> float:
    tape = Tape()
    return float(loss(tape.parameter(outputs), tape.constant(targets)).data)


def test_label_smoothing_by_hand(check_gradients: Callable[..., None]) -> None:
    logits, label = np.array([[1.0, 2.0, -0.5]]), np.array([1])
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum()
    wanted = -(np.log(shares) * [0.1, 0.8, 0.1]).sum()
    assert value(partial(cross_entropy, smoothing=0.2), logits, label) == pytest.approx(wanted)
    check_gradients(
        lambda z: cross_entropy(z, z.tape.constant(LABELS), smoothing=0.3), LOGITS.copy()
    )
    with pytest.raises(
        ProgramError, match=r"^Label smoothing must be at least 0 and below 1, not 1$"
    ):
        value(partial(cross_entropy, smoothing=1), logits, label)


def test_bernoulli_by_hand(check_gradients: Callable[..., None]) -> None:
    targets = np.random.default_rng(3).random((4, 3))
    y = 1 / (1 + np.exp(-LOGITS))
    wanted = -(targets * np.log(y) + (1 - targets) * np.log(1 - y)).mean()
    assert value(bernoulli, LOGITS, targets) == pytest.approx(wanted, rel=1e-12)
    check_gradients(lambda z: bernoulli(z, z.tape.constant(targets)), LOGITS.copy())


def test_bernoulli_of_huge_logits_is_exact() -> None:
    logits, targets = np.array([[1e4], [-1e4], [-800.0]]), np.array([[0.0], [0.0], [1.0]])
    assert value(bernoulli, logits, targets) == pytest.approx((1e4 + 0 + 800) / 3)


def test_hinge_by_hand(check_gradients: Callable[..., None]) -> None:
    outputs, targets = np.array([[0.5], [-0.25], [3.0]]), np.array([[1.0], [1.0], [0.0]])
    assert value(hinge, outputs, targets) == pytest.approx((0.5 + 1.25 + 4) / 3)
    check_gradients(lambda z: hinge(z, z.tape.constant(targets)), outputs)
    several = np.array([[1.0, 0.5, -3.0], [0.0, 2.0, 1.5]])
    labels = np.array([0, 2])
    # Rows: 1 - 1 + .5 and nothing; 1 - 1.5 + 0 is nothing and 1 - 1.5 + 2.
    assert value(hinge, several, labels) == pytest.approx((0.5 + 1.5) / 6)
    check_gradients(lambda z: hinge(z, z.tape.constant(labels)), several)


def test_mean_absolute_error_by_hand(check_gradients: Callable[..., None]) -> None:
    targets = np.array([[1.0, -1.0]])
    assert value(mean_absolute_error, np.array([[3.0, -1.5]]), targets) == 1.25
    check_gradients(
        lambda z: mean_absolute_error(z, z.tape.constant(targets)), np.array([[3.0, -1.5]])
    )


@pytest.mark.parametrize("name", LOSSES)
def test_losses_scale_with_what_follows_them(
    check_gradients: Callable[..., None], name: str
) -> None:
    targets = LABELS if name == "cross-entropy" else (LOGITS > 0).astype(np.float64)
    check_gradients(
        lambda z: ops.scale(LOSSES[name](z, z.tape.constant(targets)), -3.0), LOGITS.copy()
    )


def test_shapes_must_fit() -> None:
    tape = Tape()
    z, y = tape.parameter(LOGITS), tape.constant(np.zeros((4, 2)))
    with pytest.raises(FormatError, match=r"^Labels must have shape \(4,\), not \(4, 2\)$"):
        cross_entropy(z, y)
    with pytest.raises(FormatError, match=r"^Labels must have shape \(4,\), not \(3,\)$"):
        hinge(z, tape.constant(np.zeros(3, np.int64)))
    with pytest.raises(FormatError, match=r"^Targets must have shape \(4, 3\), not \(4, 2\)$"):
        mean_squared_error(z, y)
