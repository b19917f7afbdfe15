# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Tape, Value
from spikewright.sim.errors import FormatError


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape)


@pytest.mark.parametrize("lead", [(5,), (3, 4)])
def test_linear(check_gradients: Callable[..., None], lead: tuple[int, ...]) -> None:
    arrays = normal(*lead, 3), normal(2, 3), normal(2)
    check_gradients(ops.linear, *arrays)
    tape = Tape()
    y = ops.linear(*(tape.parameter(array) for array in arrays))
    np.testing.assert_allclose(y.data, arrays[0] @ arrays[1].T + arrays[2])


@pytest.mark.parametrize(
    ("operation", "function"),
    [(ops.add, np.add), (ops.mul, np.multiply)],
)
def test_binary(
    check_gradients: Callable[..., None],
    operation: Callable[[Value, Value], Value],
    function: np.ufunc,
) -> None:
    a, b = normal(2, 3, 2)
    check_gradients(operation, a, b)
    tape = Tape()
    result = operation(tape.parameter(a), tape.parameter(b))
    np.testing.assert_array_equal(result.data, function(a, b))


@pytest.mark.parametrize(
    ("operation", "function"),
    [
        (lambda x: ops.scale(x, -2.5, 0.5), lambda x: -2.5 * x + 0.5),
        (ops.relu, lambda x: np.maximum(x, 0)),
        (ops.total, np.sum),
        (lambda x: ops.total(x, 0), lambda x: x.sum(0)),
        (lambda x: ops.total(x, -1), lambda x: x.sum(-1)),
        (ops.mean, np.mean),
        (ops.last, lambda x: x[-1]),
        (lambda x: ops.reshape(x, (2, 6)), lambda x: x.reshape(2, 6)),
        (lambda x: ops.stack([x, ops.scale(x, 2.0)]), lambda x: np.stack([x, 2 * x])),
    ],
)
def test_unary(
    check_gradients: Callable[..., None],
    operation: Callable[[Value], Value],
    function: Callable[[np.ndarray], np.ndarray],
) -> None:
    x = normal(3, 4)
    check_gradients(operation, x)
    np.testing.assert_allclose(operation(Tape().parameter(x)).data, function(x))


def test_relu_has_no_slope_at_zero() -> None:
    tape = Tape()
    x = tape.parameter(np.array([-1.0, 0.0, 2.0]))
    tape.backward(ops.total(ops.relu(x)))
    np.testing.assert_array_equal(x.gradient(), [0, 0, 1])


def test_spike_fires_at_the_threshold_and_has_the_slope_of_a_fast_sigmoid() -> None:
    tape, voltages = Tape(), np.array([-0.4, 0.69, 0.7, 0.75, 2.0])
    v = tape.parameter(voltages)
    s = ops.spike(v, threshold=0.7, slope=5.0)
    np.testing.assert_array_equal(s.data, [0, 0, 1, 1, 1])
    tape.backward(ops.total(s))

    def fast_sigmoid(u: np.ndarray) -> np.ndarray:
        return u / (1 + 5.0 * np.abs(u))

    ends = [fast_sigmoid(voltages - 0.7 + sign * 1e-6) for sign in (1, -1)]
    np.testing.assert_allclose(v.gradient(), (ends[0] - ends[1]) / 2e-6, rtol=1e-4)


def test_detach_stops_gradients() -> None:
    tape = Tape()
    x = tape.parameter(np.array([2.0]))
    tape.backward(ops.total(ops.mul(x, ops.detach(x))))
    assert x.gradient()[0] == 2.0


def test_float32_stays_float32() -> None:
    tape = Tape()
    x, w, b = (tape.parameter(np.ones(s, np.float32)) for s in ((2, 3), (4, 3), (4,)))
    loss = ops.mean(ops.spike(ops.relu(ops.linear(x, w, b)), threshold=1.0, slope=2.0))
    tape.backward(loss)
    assert {loss.data.dtype, w.gradient().dtype} == {np.dtype(np.float32)}


def test_shapes_must_fit() -> None:
    tape = Tape()
    a, b, c = (tape.parameter(np.ones(s)) for s in ((2, 3), (4, 2), (4,)))
    with pytest.raises(
        FormatError,
        match=r"^Linear operands must have shapes \(..., 2\), \(4, 2\) and \(4,\), "
        r"not \(2, 3\), \(4, 2\) and \(4,\)$",
    ):
        ops.linear(a, b, c)
    with pytest.raises(
        FormatError, match=r"^Elementwise operands must have one shape, not \(2, 3\) and \(4, 2\)$"
    ):
        ops.mul(a, b)
