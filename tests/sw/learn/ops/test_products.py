# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Tape
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
    ("left", "right"),
    [
        ((2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 2)),
        ((5, 2, 3), (3, 2)),
        ((2, 3), (4, 3, 2)),
        ((4, 1, 2, 3), (3, 3, 2)),
    ],
)
def test_matmul(
    check_gradients: Callable[..., None], left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    a, b = normal(*left), normal(*right)
    check_gradients(ops.matmul, a, b)
    tape = Tape()
    np.testing.assert_allclose(ops.matmul(tape.parameter(a), tape.parameter(b)).data, a @ b)


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
    for left, right in ((a, b), (a, c)):
        sentence = (
            r"^Matrix product operands must have shapes \(..., n, k\) and \(..., k, m\), "
            rf"not \(2, 3\) and \({', '.join(map(str, right.data.shape))},?\)$"
        )
        with pytest.raises(FormatError, match=sentence):
            ops.matmul(left, right)
    stacks = tape.parameter(np.ones((2, 4, 2))), tape.parameter(np.ones((3, 2, 2)))
    with pytest.raises(FormatError, match=r"^Matrix product .* not \(2, 4, 2\) and \(3, 2, 2\)$"):
        ops.matmul(*stacks)
