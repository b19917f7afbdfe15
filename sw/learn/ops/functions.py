# SPDX-License-Identifier: Apache-2.0
"""Functions of each element by itself."""

from collections.abc import Callable

import numpy as np

from spikewright.learn.tape import Array, Value


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


def leaky_relu(x: Value, slope: float) -> Value:
    """Leaky rectifier ``y = max(x, 0) + slope * min(x, 0)``; the derivative at 0 is ``slope``."""

    def forward(data: Array, out: Array) -> None:
        np.minimum(data, 0, out=out)
        np.multiply(out, slope - 1, out=out)
        np.add(out, data, out=out)

    def derivative(data: Array, _: Array, out: Array) -> None:
        np.greater(data, 0, out=out)
        np.multiply(out, 1 - slope, out=out)
        np.add(out, slope, out=out)

    return _unary(x, forward, derivative)


def clip(x: Value, lo: float, hi: float) -> Value:
    """Hard limiter ``y = min(max(x, lo), hi)``; the derivative is 1 strictly between, else 0."""

    def derivative(data: Array, y: Array, out: Array) -> None:
        # A value at a limit may have been cut there, and then has no slope.
        np.multiply(y > lo, y < hi, out=out)

    return _unary(x, lambda data, out: np.clip(data, lo, hi, out=out), derivative)


def absolute(x: Value) -> Value:
    """Magnitude ``y = |x|``; the derivative at 0 is 0."""
    return _unary(
        x, lambda data, out: np.abs(data, out=out), lambda data, _, out: np.sign(data, out=out)
    )


def exp(x: Value) -> Value:
    """Exponential ``y = e^x``; ``dy/dx = y``."""
    return _unary(x, lambda data, out: np.exp(data, out=out), lambda _, y, out: np.copyto(out, y))


def log(x: Value) -> Value:
    """Natural logarithm ``y = ln x``; ``dy/dx = 1/x``."""
    return _unary(
        x, lambda data, out: np.log(data, out=out), lambda data, _, out: np.divide(1, data, out=out)
    )


def sqrt(x: Value) -> Value:
    """Square root ``y = x^(1/2)``; ``dy/dx = 1 / (2 y)``."""
    return _unary(
        x, lambda data, out: np.sqrt(data, out=out), lambda _, y, out: np.divide(0.5, y, out=out)
    )


def sin(x: Value) -> Value:
    """Sine ``y = sin x``; ``dy/dx = cos x``."""
    return _unary(
        x, lambda data, out: np.sin(data, out=out), lambda data, _, out: np.cos(data, out=out)
    )


def tanh(x: Value) -> Value:
    """Hyperbolic tangent ``y = 2 sigma(2 x) - 1``; ``dy/dx = 1 - y^2``."""
    return _unary(x, lambda data, out: np.tanh(data, out=out), tanh_slope)


def sigmoid(x: Value) -> Value:
    """Logistic function ``y = 1 / (1 + e^-x)``; ``dy/dx = y (1 - y)``."""
    return _unary(x, logistic, logistic_slope)


def logistic(x: Array, out: Array) -> None:
    """``out = 1 / (1 + e^-x)``, as ``(1 + tanh(x / 2)) / 2``, which never overflows."""
    np.multiply(x, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    np.add(out, 0.5, out=out)


def logistic_slope(_: Array, y: Array, out: Array) -> None:
    """``out = y (1 - y)``, the slope of the logistic function where its value is ``y``."""
    np.subtract(1, y, out=out)
    np.multiply(out, y, out=out)


def tanh_slope(_: Array, y: Array, out: Array) -> None:
    """``out = 1 - y^2``, the slope of the hyperbolic tangent where its value is ``y``."""
    np.square(y, out=out)
    np.subtract(1, out, out=out)


def _unary(
    x: Value,
    forward: Callable[[Array, Array], object],
    derivative: Callable[[Array, Array, Array], object],
) -> Value:
    """Record ``forward(x, out)`` and the slope that ``derivative(x, y, out)`` writes."""
    y = x.tape.output(x.data.shape, x.data.dtype, x)

    def write(out: Array) -> None:
        derivative(x.data, y.data, out)
        np.multiply(out, y.gradient(), out=out)

    def run() -> None:
        forward(x.data, y.data)

    return x.tape.record(y, run, lambda: x.receive(write))
