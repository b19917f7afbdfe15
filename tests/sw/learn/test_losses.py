# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn.losses import cross_entropy, mean_squared_error
from spikewright.learn.tape import Tape
from spikewright.sim.errors import FormatError

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


def test_shapes_must_fit() -> None:
    tape = Tape()
    z, y = tape.parameter(LOGITS), tape.constant(np.zeros((4, 2)))
    with pytest.raises(FormatError, match=r"^Labels must have shape \(4,\), not \(4, 2\)$"):
        cross_entropy(z, y)
    with pytest.raises(FormatError, match=r"^Targets must have shape \(4, 3\), not \(4, 2\)$"):
        mean_squared_error(z, y)
