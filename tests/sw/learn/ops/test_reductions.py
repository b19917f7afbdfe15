# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Tape, Value

X = np.random.default_rng(3).normal(size=(3, 4, 2))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (1, -1)])
@pytest.mark.parametrize(
    ("operation", "function"), [(ops.total, np.sum), (ops.mean, np.mean), (ops.amax, np.max)]
)
def test_reduction(
    check_gradients: Callable[..., None],
    operation: Callable[..., Value],
    function: Callable[..., np.ndarray],
    axis: int | tuple[int, ...] | None,
) -> None:
    check_gradients(lambda x: operation(x, axis), X.copy())
    result = operation(Tape().parameter(X), axis)
    np.testing.assert_allclose(result.data, function(X, axis=axis), rtol=1e-12)


def test_first_of_equals_has_the_gradient_of_the_largest() -> None:
    tape = Tape()
    x = tape.parameter(np.array([[1.0, 5.0, 5.0], [2.0, 2.0, 2.0]]))
    tape.backward(ops.total(ops.amax(x, 1)))
    np.testing.assert_array_equal(x.gradient(), [[0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_family(check_gradients: Callable[..., None], axis: int) -> None:
    powers = np.exp(X)
    shares = powers / powers.sum(axis=axis, keepdims=True)
    for operation, wanted in (
        (ops.softmax, shares),
        (ops.log_softmax, np.log(shares)),
        (ops.log_sum_exp, np.log(powers.sum(axis=axis))),
    ):
        check_gradients(lambda x, run=operation: run(x, axis), X.copy())
        np.testing.assert_allclose(operation(Tape().parameter(X), axis).data, wanted, rtol=1e-12)


def test_worked_softmax() -> None:
    """The lecture notes print .06, .90, .009 and .031, the last digit cut off."""
    shares = ops.softmax(Tape().parameter(np.array([0.6, 3.4, -1.2, 0.05]))).data
    np.testing.assert_allclose(shares, [0.0550, 0.9042, 0.0091, 0.0317], atol=5e-5)
    np.testing.assert_allclose(shares, [0.06, 0.90, 0.009, 0.031], atol=6e-3)
    assert shares.sum() == pytest.approx(1, rel=1e-15)


def test_huge_elements_overflow_nothing() -> None:
    x = Tape().parameter(np.array([1e4, 0.0, -1e4], np.float32))
    np.testing.assert_array_equal(ops.softmax(x).data, [1, 0, 0])
    np.testing.assert_array_equal(ops.log_softmax(x).data, [0, -1e4, -2e4])
    assert float(ops.log_sum_exp(x).data) == 1e4
