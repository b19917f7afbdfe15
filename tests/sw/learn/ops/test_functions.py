# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Tape, Value

# No zeros or limits, where some functions have a kink.
X = np.array([[-2.3, -0.9, -0.2], [0.15, 0.8, 3.1]])


@pytest.mark.parametrize(
    ("operation", "function", "x"),
    [
        (ops.relu, lambda x: np.maximum(x, 0), X),
        (lambda x: ops.leaky_relu(x, 0.125), lambda x: np.where(x > 0, x, x / 8), X),
        (lambda x: ops.clip(x, -1.0, 1.0), lambda x: np.clip(x, -1, 1), X),
        (ops.absolute, np.abs, X),
        (ops.exp, np.exp, X),
        (ops.log, np.log, np.abs(X)),
        (ops.sqrt, np.sqrt, np.abs(X)),
        (ops.sin, np.sin, X),
        (ops.tanh, np.tanh, X),
        (ops.sigmoid, lambda x: 1 / (1 + np.exp(-x)), X),
    ],
)
def test_function(
    check_gradients: Callable[..., None],
    operation: Callable[[Value], Value],
    function: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
) -> None:
    check_gradients(operation, x.copy())
    np.testing.assert_allclose(operation(Tape().parameter(x)).data, function(x), rtol=1e-14)


@pytest.mark.parametrize(
    ("operation", "slopes"),
    [
        (ops.relu, [0, 0, 1]),
        (lambda x: ops.leaky_relu(x, 0.25), [0.25, 0.25, 1]),
        (ops.absolute, [-1, 0, 1]),
        (lambda x: ops.clip(x, 0.0, 2.0), [0, 0, 0]),
    ],
)
def test_kinks_have_the_stated_slope(
    operation: Callable[[Value], Value], slopes: list[float]
) -> None:
    tape = Tape()
    x = tape.parameter(np.array([-1.0, 0.0, 2.0]))
    tape.backward(ops.total(operation(x)))
    np.testing.assert_array_equal(x.gradient(), slopes)


def test_worked_values_of_the_logistic_function() -> None:
    tape = Tape()
    x = tape.parameter(np.array([5.0, 0.1, 4.0]))
    y = ops.sigmoid(x)
    tape.backward(ops.total(y))
    np.testing.assert_allclose(y.data, [0.9933, 0.525, 0.982], atol=5e-4)
    np.testing.assert_allclose(x.gradient(), [0.0066, 0.249, 0.0177], atol=5e-4)


def test_sigmoid_of_huge_values_is_finite() -> None:
    y = ops.sigmoid(Tape().parameter(np.array([-1e4, 1e4], np.float32)))
    np.testing.assert_array_equal(y.data, [0, 1])
