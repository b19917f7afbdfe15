# SPDX-License-Identifier: Apache-2.0
"""Sums, means and largest elements over axes, and the softmax family."""

import math

import numpy as np

from spikewright.learn.ops.arithmetic import scale
from spikewright.learn.tape import Array, Value

Axes = int | tuple[int, ...] | None
"""Axes to reduce; None for all."""


def total(x: Value, axis: Axes = None) -> Value:
    """Sum over some axes, or over all of them."""
    axes = _axes(x, axis)
    y = x.tape.output(_kept(x, axes), x.data.dtype, x)

    def forward() -> None:
        np.sum(x.data, axis=axes, out=y.data)

    def backward() -> None:
        grad = np.expand_dims(y.gradient(), axes)
        x.receive(lambda out: np.copyto(out, grad))

    return x.tape.record(y, forward, backward)


def mean(x: Value, axis: Axes = None) -> Value:
    """Mean over some axes, or over all of them."""
    count = math.prod(x.data.shape[k] for k in _axes(x, axis))
    return scale(total(x, axis), 1 / count)


def amax(x: Value, axis: Axes = None) -> Value:
    """Largest element over some axes; among equals the first has the gradient."""
    axes = _axes(x, axis)
    y = x.tape.output(_kept(x, axes), x.data.dtype, x)
    last = tuple(range(x.data.ndim - len(axes), x.data.ndim))
    # Position in x of every element, with the reduced axes last and flat, as argmax wants them.
    places = np.moveaxis(np.arange(x.data.size).reshape(x.data.shape), axes, last)
    places = places.reshape(*y.data.shape, -1)
    chosen = np.empty((*y.data.shape, 1), np.int64)

    def forward() -> None:
        moved = np.moveaxis(x.data, axes, last).reshape(places.shape)
        np.argmax(moved, axis=-1, keepdims=True, out=chosen)
        np.copyto(y.data, np.take_along_axis(moved, chosen, -1)[..., 0])

    def write(out: Array) -> None:
        out.fill(0)
        np.put(out, np.take_along_axis(places, chosen, -1)[..., 0], y.gradient())

    return x.tape.record(y, forward, lambda: x.receive(write))


def softmax(x: Value, axis: int = -1) -> Value:
    """Shares ``y_i = e^x_i / sum_j e^x_j`` along an axis.

    The largest element is subtracted first, so no exponential overflows.
    ``dL/dx = y (dL/dy - sum(y dL/dy))``.
    """
    y = x.tape.output(x.data.shape, x.data.dtype, x)

    def write(out: Array) -> None:
        np.multiply(y.data, y.gradient(), out=out)
        common = out.sum(axis=axis, keepdims=True)
        np.subtract(y.gradient(), common, out=out)
        np.multiply(out, y.data, out=out)

    def forward() -> None:
        shares(x.data, axis, y.data)

    return x.tape.record(y, forward, lambda: x.receive(write))


def shares(x: Array, axis: int, out: Array) -> Array:
    """Write the softmax of ``x`` to ``out`` and return ``log(sum(exp(x)))``, the axis kept."""
    peak = x.max(axis=axis, keepdims=True)
    np.subtract(x, peak, out=out)
    np.exp(out, out=out)
    sums: Array = out.sum(axis=axis, keepdims=True)
    np.divide(out, sums, out=out)
    log_sums: Array = peak + np.log(sums)
    return log_sums


def log_softmax(x: Value, axis: int = -1) -> Value:
    """Logarithm of the softmax, ``y_i = x_i - log(sum_j e^x_j)``; it stays finite where it is 0.

    ``dL/dx = dL/dy - softmax(x) sum(dL/dy)``.
    """
    y = x.tape.output(x.data.shape, x.data.dtype, x)
    share = np.empty_like(y.data)

    def forward() -> None:
        np.subtract(x.data, shares(x.data, axis, share), out=y.data)

    def write(out: Array) -> None:
        np.multiply(share, y.gradient().sum(axis=axis, keepdims=True), out=out)
        np.subtract(y.gradient(), out, out=out)

    return x.tape.record(y, forward, lambda: x.receive(write))


def log_sum_exp(x: Value, axis: int = -1) -> Value:
    """Smooth maximum ``y = log(sum_j e^x_j)`` along an axis; ``dy/dx = softmax(x)``."""
    y = x.tape.output(_kept(x, _axes(x, axis)), x.data.dtype, x)
    share = np.empty_like(x.data)

    def forward() -> None:
        np.copyto(y.data, np.squeeze(shares(x.data, axis, share), axis))

    def write(out: Array) -> None:
        np.multiply(share, np.expand_dims(y.gradient(), axis), out=out)

    return x.tape.record(y, forward, lambda: x.receive(write))


def _axes(x: Value, axis: Axes) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.data.ndim))
    given = (axis,) if isinstance(axis, int) else axis
    return tuple(k % x.data.ndim for k in given)


def _kept(x: Value, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for k, size in enumerate(x.data.shape) if k not in axes)
