# SPDX-License-Identifier: Apache-2.0
import re

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.checking import check_gradients, finite_differences
from spikewright.learn.tape import Array, Tape, Value
from spikewright.sim.errors import DataError


def test_worked_finite_differences() -> None:
    """E(.49) and E(-.51) of the lecture notes, half a unit either side of -.01."""
    theta = np.array([-0.01])
    errors = {0.49: 0.240761, -0.51: 0.241509}
    slope = finite_differences(lambda: errors[round(float(theta[0]), 2)], theta, step=0.5)
    assert slope[0] == pytest.approx(-0.000748, abs=1e-9)
    # The rounded errors come from E = (1 - y)**2 at these outputs.
    outputs = {0.49: 0.5093243, -0.51: 0.5085627}
    slope = finite_differences(
        lambda: (1 - outputs[round(float(theta[0]), 2)]) ** 2, theta, step=0.5
    )
    assert slope[0] == pytest.approx(-0.0007475, abs=5e-7)
    assert theta[0] == -0.01


def test_worked_reverse_mode() -> None:
    """``f = sin x1 + x1 x2`` has the gradient ``[x2 + cos x1, x1]``."""
    tape = Tape()
    x1, x2 = tape.parameter(np.array(0.7)), tape.parameter(np.array(-1.3))
    tape.backward(ops.add(ops.sin(x1), ops.mul(x1, x2)))
    assert float(x1.gradient()) == pytest.approx(-1.3 + np.cos(0.7), rel=1e-15)
    assert float(x2.gradient()) == 0.7


def test_worked_chain_rules() -> None:
    """``2 g^2 - 3 g + 1`` with ``g = x^3 + 2 x``, and ``2 g1^2 - 3 g1 g2 + 1``, at x = 1/2."""

    def one(x: Value) -> Value:
        g = ops.add(ops.mul(x, ops.mul(x, x)), ops.scale(x, 2.0))
        return ops.add(ops.scale(ops.mul(g, g), 2.0), ops.scale(g, -3.0, 1.0))

    def two(x: Value) -> Value:
        g1, g2 = ops.scale(x, 3.0), ops.add(ops.mul(x, x), ops.scale(x, 2.0))
        return ops.sub(ops.scale(ops.mul(g1, g1), 2.0, 1.0), ops.scale(ops.mul(g1, g2), 3.0))

    for function, slope in ((one, 4.125), (two, -6.75)):
        tape = Tape()
        x = tape.parameter(np.array(0.5))
        tape.backward(function(x))
        assert float(x.gradient()) == pytest.approx(slope, rel=1e-15)


def test_a_wrong_gradient_is_found_and_its_place_named() -> None:
    def wrong(x: Value, factor: Value) -> Value:
        y = x.tape.output(x.data.shape, x.data.dtype, x, factor)

        def backward() -> None:
            x.receive(lambda out: np.multiply(y.gradient(), factor.data, out=out))
            factor.receive(lambda out: np.multiply(y.gradient(), [[1.0, 1.0], [1.0, 3.0]], out=out))

        return x.tape.record(y, lambda: np.multiply(x.data, factor.data, out=y.data), backward)

    ones = np.ones((2, 2))
    weight = np.random.default_rng(9).normal(size=(2, 2))[1, 1]
    sentence = (
        f"Gradient of operand 1 at (1, 1) must be {weight:.9g} by central differences, "
        f"not {3 * weight:.9g}"
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        check_gradients(wrong, ones.copy(), ones.copy())


def test_small_mistakes_are_found() -> None:
    def wrong(x: Value) -> Value:
        y = x.tape.output(x.data.shape, x.data.dtype, x)

        def write(out: Array) -> None:
            np.multiply(y.gradient(), 2 * x.data * (1 + 1e-4), out=out)

        return x.tape.record(
            y, lambda: _discard(np.square(x.data, out=y.data)), lambda: x.receive(write)
        )

    with pytest.raises(DataError, match=r"^Gradient of operand 0 at \(\d,\) must be "):
        check_gradients(wrong, np.array([0.3, 0.4]))
    check_gradients(wrong, np.array([0.3, 0.4]), relative=1e-3)


def _discard(_: object) -> None:
    """Turn a ufunc call into a statement."""


def test_a_gradient_that_is_no_number_is_found() -> None:
    def wrong(x: Value) -> Value:
        y = x.tape.output(x.data.shape, x.data.dtype, x)
        return x.tape.record(
            y,
            lambda: np.copyto(y.data, x.data),
            lambda: x.receive(lambda out: out.fill(np.nan)),
        )

    with pytest.raises(DataError, match=r"^Gradient of operand 0 at \(0,\) must be .*, not nan$"):
        check_gradients(wrong, np.ones(2))
