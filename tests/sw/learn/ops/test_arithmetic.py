# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Tape, Value
from spikewright.sim.errors import FormatError

BINARY = [(ops.add, np.add), (ops.sub, np.subtract), (ops.mul, np.multiply), (ops.div, np.divide)]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape)


@pytest.mark.parametrize(("operation", "function"), BINARY)
@pytest.mark.parametrize(
    ("left", "right"),
    [((3, 2), (3, 2)), ((3, 2), (2,)), ((3, 1), (1, 4)), ((2, 1, 3), (4, 1)), ((), (2, 2))],
)
def test_binary(
    check_gradients: Callable[..., None],
    operation: Callable[[Value, Value], Value],
    function: np.ufunc,
    left: tuple[int, ...],
    right: tuple[int, ...],
) -> None:
    # Denominators away from zero.
    a, b = np.asarray(normal(*left)), np.asarray(2.0 + np.abs(normal(*right)))
    check_gradients(operation, a, b)
    tape = Tape()
    result = operation(tape.parameter(a), tape.parameter(b))
    np.testing.assert_allclose(result.data, function(a, b), rtol=1e-15)


def test_scale(check_gradients: Callable[..., None]) -> None:
    x = normal(3, 4)
    check_gradients(lambda v: ops.scale(v, -2.5, 0.5), x)
    np.testing.assert_allclose(ops.scale(Tape().parameter(x), -2.5, 0.5).data, -2.5 * x + 0.5)


def test_shapes_must_broadcast() -> None:
    tape = Tape()
    a, b = tape.parameter(np.ones((2, 3))), tape.parameter(np.ones((4, 2)))
    with pytest.raises(
        FormatError,
        match=r"^Operands must have shapes that broadcast, not \(2, 3\) and \(4, 2\)$",
    ):
        ops.mul(a, b)


def test_both_operands_may_be_one_value() -> None:
    tape = Tape()
    x = tape.parameter(np.array([3.0]))
    tape.backward(ops.total(ops.sub(ops.mul(x, x), ops.div(x, x))))
    assert x.gradient()[0] == pytest.approx(6.0, abs=1e-12)
