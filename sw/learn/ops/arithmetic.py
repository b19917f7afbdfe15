# SPDX-License-Identifier: Apache-2.0
"""Sums, products and quotients of values whose shapes broadcast."""

from collections.abc import Callable
from functools import partial

import numpy as np

from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError

Derivative = Callable[[Array, Array], object]
"""``derivative(grad, out)`` fills ``out`` with an operand's share of the result's gradient."""


def add(a: Value, b: Value) -> Value:
    """Sum ``a + b`` of two values whose shapes broadcast; ``dy/da = dy/db = 1``."""
    return _binary(a, b, np.add, _copy, _copy)


def sub(a: Value, b: Value) -> Value:
    """Difference ``a - b`` of two values whose shapes broadcast; ``dy/da = 1``, ``dy/db = -1``."""
    return _binary(a, b, np.subtract, _copy, lambda grad, out: np.negative(grad, out=out))


def mul(a: Value, b: Value) -> Value:
    """Product ``a * b`` of two values whose shapes broadcast; ``dy/da = b``, ``dy/db = a``."""
    return _binary(
        a,
        b,
        np.multiply,
        lambda grad, out: np.multiply(grad, b.data, out=out),
        lambda grad, out: np.multiply(grad, a.data, out=out),
    )


def div(a: Value, b: Value) -> Value:
    """Quotient ``a / b`` of values whose shapes broadcast; ``dy/da = 1/b``, ``dy/db = -y/b``."""

    def denominator(grad: Array, out: Array) -> None:
        np.divide(a.data, b.data, out=out)
        np.divide(out, b.data, out=out)
        np.multiply(out, grad, out=out)
        np.negative(out, out=out)

    return _binary(a, b, np.divide, lambda grad, out: np.divide(grad, b.data, out=out), denominator)


def scale(x: Value, factor: float, offset: float = 0.0) -> Value:
    """Affine map ``y = factor * x + offset`` with constant coefficients."""
    y = x.tape.output(x.data.shape, x.data.dtype, x)

    def forward() -> None:
        np.multiply(x.data, factor, out=y.data)
        np.add(y.data, offset, out=y.data)

    def backward() -> None:
        x.receive(lambda out: np.multiply(y.gradient(), factor, out=out))

    return x.tape.record(y, forward, backward)


def _binary(a: Value, b: Value, function: np.ufunc, to_a: Derivative, to_b: Derivative) -> Value:
    try:
        shape = np.broadcast_shapes(a.data.shape, b.data.shape)
    except ValueError as error:
        raise FormatError(
            f"Operands must have shapes that broadcast, not {a.data.shape} and {b.data.shape}"
        ) from error
    y = a.tape.output(shape, np.result_type(a.data, b.data), a, b)
    shares = [_share(operand, y, to) for operand, to in ((a, to_a), (b, to_b))]

    def forward() -> None:
        function(a.data, b.data, out=y.data)

    def backward() -> None:
        for operand, write in zip((a, b), shares, strict=True):
            operand.receive(write)

    return a.tape.record(y, forward, backward)


def _share(operand: Value, y: Value, derivative: Derivative) -> Callable[[Array], object]:
    """What fills an operand's gradient, summed over the axes along which it was broadcast."""
    if operand.data.shape == y.data.shape:
        return lambda out: derivative(y.gradient(), out)
    lead = y.data.ndim - operand.data.ndim
    widened = tuple(range(lead)) + tuple(
        axis + lead
        for axis, size in enumerate(operand.data.shape)
        if size == 1 and y.data.shape[axis + lead] != 1
    )
    return partial(_reduced, y, derivative, widened, np.empty_like(y.data))


def _reduced(
    y: Value, derivative: Derivative, axes: tuple[int, ...], full: Array, out: Array
) -> None:
    derivative(y.gradient(), full)
    np.sum(full, axis=axes, keepdims=True, out=out[(None,) * (full.ndim - out.ndim)])


def _copy(grad: Array, out: Array) -> None:
    np.copyto(out, grad)
