# SPDX-License-Identifier: Apache-2.0
"""Differentiable operations; each records itself on the tape of its operands."""

from functools import partial

import numpy as np

from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError


def linear(x: Value, weight: Value, bias: Value) -> Value:
    """Fused affine map ``y = x @ weight.T + bias``.

    Parameters
    ----------
    x : (..., n_in) Value
        Leading axes are samples.
    weight : (n_out, n_in) Value
    bias : (n_out,) Value

    Returns
    -------
    (..., n_out) Value

    Raises
    ------
    FormatError
        If the shapes do not fit.
    """
    n_out, n_in = weight.data.shape
    if x.data.shape[-1] != n_in or bias.data.shape != (n_out,):
        raise FormatError(
            f"Linear operands must have shapes (..., {n_in}), {(n_out, n_in)} and ({n_out},), "
            f"not {x.data.shape}, {weight.data.shape} and {bias.data.shape}"
        )
    y = x.tape.output((*x.data.shape[:-1], n_out), x.data.dtype, x, weight, bias)
    rows, results = x.data.reshape(-1, n_in), y.data.reshape(-1, n_out)
    ones = np.ones(len(rows), x.data.dtype)

    def forward() -> None:
        np.matmul(rows, weight.data.T, out=results)
        np.add(results, bias.data, out=results)

    def backward() -> None:
        grads = y.gradient().reshape(-1, n_out)
        weight.receive(lambda out: np.matmul(grads.T, rows, out=out))
        # BLAS sums columns about five times faster than np.sum.
        bias.receive(lambda out: np.matmul(ones, grads, out=out))
        x.receive(lambda out: np.matmul(grads, weight.data, out=out.reshape(-1, n_in)))

    return x.tape.record(y, forward, backward)


def add(a: Value, b: Value) -> Value:
    """Sum ``a + b`` of two values of one shape."""
    y = _elementwise(a, b)

    def backward() -> None:
        for operand in (a, b):
            operand.receive(lambda out: np.copyto(out, y.gradient()))

    return a.tape.record(y, lambda: _discard(np.add(a.data, b.data, out=y.data)), backward)


def mul(a: Value, b: Value) -> Value:
    """Elementwise product ``a * b`` of two values of one shape."""
    y = _elementwise(a, b)

    def backward() -> None:
        a.receive(lambda out: np.multiply(y.gradient(), b.data, out=out))
        b.receive(lambda out: np.multiply(y.gradient(), a.data, out=out))

    return a.tape.record(y, lambda: _discard(np.multiply(a.data, b.data, out=y.data)), backward)


def scale(x: Value, factor: float, offset: float = 0.0) -> Value:
    """Affine map ``y = factor * x + offset`` with constant coefficients."""
    y = x.tape.output(x.data.shape, x.data.dtype, x)

    def forward() -> None:
        np.multiply(x.data, factor, out=y.data)
        np.add(y.data, offset, out=y.data)

    def backward() -> None:
        x.receive(lambda out: np.multiply(y.gradient(), factor, out=out))

    return x.tape.record(y, forward, backward)


def relu(x: Value) -> Value:
    """Rectifier ``y = max(x, 0)``; the derivative at 0 is 0."""
    y = x.tape.output(x.data.shape, x.data.dtype, x)
    active = np.empty(x.data.shape, np.bool_)

    def forward() -> None:
        np.maximum(x.data, 0, out=y.data)

    def backward() -> None:
        np.greater(y.data, 0, out=active)
        x.receive(lambda out: np.multiply(y.gradient(), active, out=out))

    return x.tape.record(y, forward, backward)


def spike(v: Value, *, threshold: float, slope: float) -> Value:
    """Firing ``s = (v >= threshold)`` with the fast sigmoid's derivative as its surrogate.

    ``ds/dv := 1 / (1 + slope * |v - threshold|)**2``, which is the derivative of
    ``u / (1 + slope * |u|)`` at ``u = v - threshold``.

    Parameters
    ----------
    v : Value
        Membrane voltage.
    threshold : float
        In units of ``v``.
    slope : float
        Sharpness of the surrogate, per unit of ``v``.
    """
    s = v.tape.output(v.data.shape, v.data.dtype, v)

    def forward() -> None:
        np.greater_equal(v.data, threshold, out=s.data)

    def write(out: Array) -> None:
        surrogate_denominator(v.data, threshold, slope, out=out)
        np.divide(s.gradient(), out, out=out)

    return v.tape.record(s, forward, lambda: v.receive(write))


def surrogate_denominator(voltage: Array, threshold: float, slope: float, *, out: Array) -> None:
    """Reciprocal of the surrogate derivative, ``out = (1 + slope * |voltage - threshold|)**2``."""
    np.subtract(voltage, threshold, out=out)
    np.abs(out, out=out)
    np.multiply(out, slope, out=out)
    np.add(out, 1, out=out)
    np.square(out, out=out)


def detach(x: Value) -> Value:
    """Copy ``x`` as plain data: gradients stop here."""
    y = x.tape.output(x.data.shape, x.data.dtype)
    return x.tape.record(y, lambda: np.copyto(y.data, x.data), lambda: None)


def total(x: Value, axis: int | None = None) -> Value:
    """Sum over one axis, or over all of them."""
    kept = () if axis is None else tuple(np.delete(x.data.shape, axis).tolist())
    y = x.tape.output(kept, x.data.dtype, x)

    def backward() -> None:
        grad = y.gradient() if axis is None else np.expand_dims(y.gradient(), axis)
        x.receive(lambda out: np.copyto(out, grad))

    return x.tape.record(y, lambda: _discard(np.sum(x.data, axis=axis, out=y.data)), backward)


def mean(x: Value) -> Value:
    """Mean of all elements."""
    return scale(total(x), 1 / x.data.size)


def last(x: Value) -> Value:
    """Last element along the first axis, ``x[-1]``: the final time step."""
    y = x.tape.output(x.data.shape[1:], x.data.dtype, x)

    def write(out: Array) -> None:
        out[:-1].fill(0)
        np.copyto(out[-1], y.gradient())

    return x.tape.record(y, lambda: np.copyto(y.data, x.data[-1]), lambda: x.receive(write))


def stack(values: list[Value]) -> Value:
    """Join values of one shape along a new first axis."""
    first = values[0]
    y = first.tape.output((len(values), *first.data.shape), first.data.dtype, *values)

    def forward() -> None:
        for row, value in zip(y.data, values, strict=True):
            np.copyto(row, value.data)

    def backward() -> None:
        for row, value in zip(y.gradient(), values, strict=True):
            value.receive(partial(np.copyto, src=row))

    return first.tape.record(y, forward, backward)


def reshape(x: Value, shape: tuple[int, ...]) -> Value:
    """Give the same elements another shape, in row-major order."""
    y = x.tape.output(shape, x.data.dtype, x)

    def backward() -> None:
        x.receive(lambda out: np.copyto(out, y.gradient().reshape(x.data.shape)))

    return x.tape.record(y, lambda: np.copyto(y.data, x.data.reshape(shape)), backward)


def _elementwise(a: Value, b: Value) -> Value:
    if a.data.shape != b.data.shape:
        raise FormatError(
            f"Elementwise operands must have one shape, not {a.data.shape} and {b.data.shape}"
        )
    return a.tape.output(a.data.shape, a.data.dtype, a, b)


def _discard(_: object) -> None:
    """Turn a ufunc call into a statement, for lambdas."""
