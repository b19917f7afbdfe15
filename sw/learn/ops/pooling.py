# SPDX-License-Identifier: Apache-2.0
"""Largest element and mean under a window that slides over images."""

import numpy as np

from spikewright.learn.ops.windows import Pair, positions, taps
from spikewright.learn.tape import Array, Value


def max_pool2d(x: Value, *, window: Pair, stride: Pair) -> Value:
    """Largest element under a window; among equals the first in row-major order has the gradient.

    Parameters
    ----------
    x : (..., rows, columns) Value
    window, stride : (rows, columns)

    Returns
    -------
    (..., rows, columns) Value

    Raises
    ------
    FormatError
        If the window is larger than the image.
    """
    y, places = _pooled(x, window, stride)
    mine, taken = np.empty(y.data.shape, np.bool_), np.empty(y.data.shape, np.bool_)
    share = np.empty_like(y.data)

    def forward() -> None:
        for place, view in taps(x.data, window, stride, places):
            if place == (0, 0):
                np.copyto(y.data, view)
            else:
                np.maximum(y.data, view, out=y.data)

    def write(out: Array) -> None:
        out.fill(0)
        taken.fill(False)
        targets = taps(out, window, stride, places)
        for (_, view), (_, target) in zip(
            taps(x.data, window, stride, places), targets, strict=True
        ):
            np.equal(view, y.data, out=mine)
            np.greater(mine, taken, out=mine)
            np.logical_or(taken, mine, out=taken)
            np.multiply(y.gradient(), mine, out=share)
            np.add(target, share, out=target)

    return x.tape.record(y, forward, lambda: x.receive(write))


def avg_pool2d(x: Value, *, window: Pair, stride: Pair) -> Value:
    """Mean under a window.

    Parameters
    ----------
    x : (..., rows, columns) Value
    window, stride : (rows, columns)

    Returns
    -------
    (..., rows, columns) Value

    Raises
    ------
    FormatError
        If the window is larger than the image.
    """
    y, places = _pooled(x, window, stride)
    weight, share = 1 / (window[0] * window[1]), np.empty_like(y.data)

    def forward() -> None:
        y.data.fill(0)
        for _, view in taps(x.data, window, stride, places):
            np.add(y.data, view, out=y.data)
        np.multiply(y.data, weight, out=y.data)

    def write(out: Array) -> None:
        out.fill(0)
        np.multiply(y.gradient(), weight, out=share)
        for _, target in taps(out, window, stride, places):
            np.add(target, share, out=target)

    return x.tape.record(y, forward, lambda: x.receive(write))


def _pooled(x: Value, window: Pair, stride: Pair) -> tuple[Value, Pair]:
    """Value for an element for each place of the window, and how many there are."""
    places = positions((x.data.shape[-2], x.data.shape[-1]), window, stride)
    return x.tape.output((*x.data.shape[:-2], *places), x.data.dtype, x), places
