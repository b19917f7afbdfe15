# SPDX-License-Identifier: Apache-2.0
import re
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Tape, Value
from spikewright.sim.errors import FormatError

X = np.random.default_rng(3).normal(size=(3, 4))
ROWS = np.array([2, 0, 2])


@pytest.mark.parametrize(
    ("operation", "function"),
    [
        (ops.last, lambda x: x[-1]),
        (lambda x: ops.index(x, (slice(None), 1)), lambda x: x[:, 1]),
        (lambda x: ops.index(x, (..., slice(3, 0, -2))), lambda x: x[..., 3:0:-2]),
        (lambda x: ops.index(x, (1, 2)), lambda x: x[1, 2]),
        (lambda x: ops.index(x, ROWS), lambda x: x[ROWS]),
        (lambda x: ops.index(x, (ROWS, ROWS)), lambda x: x[ROWS, ROWS]),
        (lambda x: ops.reshape(x, (2, 6)), lambda x: x.reshape(2, 6)),
        (lambda x: ops.reshape(x, (-1,)), lambda x: x.reshape(-1)),
        (lambda x: ops.reshape(ops.transpose(x), (2, 6)), lambda x: x.T.reshape(2, 6)),
        (ops.transpose, lambda x: x.T),
        (
            lambda x: ops.transpose(ops.reshape(x, (3, 2, 2)), (2, 0, 1)),
            lambda x: x.reshape(3, 2, 2).transpose(2, 0, 1),
        ),
        (lambda x: ops.stack([x, ops.scale(x, 2.0)]), lambda x: np.stack([x, 2 * x])),
        (
            lambda x: ops.concatenate([x, ops.index(x, (slice(None), slice(2)))], 1),
            lambda x: np.concatenate([x, x[:, :2]], 1),
        ),
        (
            lambda x: ops.concatenate([ops.index(x, slice(1)), x]),
            lambda x: np.concatenate([x[:1], x]),
        ),
        (
            lambda x: ops.concatenate([ops.index(x, slice(1)), x], -2),
            lambda x: np.concatenate([x[:1], x]),
        ),
    ],
)
def test_shape(
    check_gradients: Callable[..., None],
    operation: Callable[[Value], Value],
    function: Callable[[np.ndarray], np.ndarray],
) -> None:
    check_gradients(operation, X.copy())
    tape, x = Tape(), X.copy()
    y = operation(tape.parameter(x))
    np.testing.assert_array_equal(y.data, function(X))
    x += 1
    tape.replay()
    np.testing.assert_array_equal(y.data, function(x))


def test_reshape_follows_parameters_of_any_order() -> None:
    tape, weight = Tape(), np.asfortranarray(X)
    y = ops.reshape(tape.parameter(weight), (12,))
    weight[0, 1] = 7
    tape.replay()
    np.testing.assert_array_equal(y.data, weight.reshape(12))
    tape.backward(ops.total(ops.mul(y, tape.constant(np.arange(12.0)))))
    np.testing.assert_array_equal(tape.parameter(weight).gradient(), np.arange(12.0).reshape(3, 4))


def test_detach_stops_gradients() -> None:
    tape = Tape()
    x = tape.parameter(np.array([2.0]))
    tape.backward(ops.total(ops.mul(x, ops.detach(x))))
    assert x.gradient()[0] == 2.0


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        (
            lambda x: ops.reshape(x, (5, 2)),
            "Shape must have 12 elements like (3, 4), not (5, 2)",
        ),
        (
            lambda x: ops.concatenate([x, ops.index(x, slice(2))], 1),
            "Values joined along axis 1 must have one shape but for it, not (3, 4), (2, 4)",
        ),
    ],
)
def test_shapes_must_fit(operation: Callable[[Value], Value], sentence: str) -> None:
    with pytest.raises(FormatError, match=f"^{re.escape(sentence)}$"):
        operation(Tape().parameter(X))
