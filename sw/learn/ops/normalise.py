# SPDX-License-Identifier: Apache-2.0
"""Dropout and batch normalisation as operations."""

from typing import Protocol

import numpy as np

from spikewright.learn.tape import Array, Value


def drop(x: Value, rate: float) -> Value:
    """Inverted dropout ``y = x m / (1 - rate)``, ``m`` drawn by the tape at every replay.

    Parameters
    ----------
    x : Value
    rate : float
        Probability that an element of ``m`` is 0, below 1.
    """
    y = x.tape.output(x.data.shape, x.data.dtype, x)
    mask, draws = np.empty_like(x.data), np.empty(x.data.shape, np.float32)
    x.tape.random = True

    def forward() -> None:
        x.tape.rng.random(out=draws, dtype=np.float32)
        np.greater_equal(draws, rate, out=mask)
        np.multiply(mask, 1 / (1 - rate), out=mask)
        np.multiply(x.data, mask, out=y.data)

    def write(out: Array) -> None:
        np.multiply(y.gradient(), mask, out=out)

    return x.tape.record(y, forward, lambda: x.receive(write))


class Statistics(Protocol):
    """What batch normalisation asks of its layer: see that."""

    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    momentum: float
    epsilon: float


def batch_norm(x: Value, layer: Statistics) -> Value:
    """``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` for each channel.

    With ``h = (x - mean) / sqrt(variance + epsilon)`` and g = dL/dy, in training
    ``dL/dx = gamma / sqrt(variance + epsilon) (g - mean(g) - h mean(g h))``,
    ``dL/dgamma = sum(g h)`` and ``dL/dbeta = sum(g)``.

    Parameters
    ----------
    x : (rows, channels, area) Value
    layer : Statistics
        The batch's mean and variance are used, and move the running ones, if the tape is for
        training; else the running ones are used.
    """
    tape, training = x.tape, x.tape.training
    gamma, beta = tape.parameter(layer.gamma), tape.parameter(layer.beta)
    y = tape.output(x.data.shape, x.data.dtype, x, gamma, beta)
    normal = np.empty_like(x.data)
    inverse = np.empty((x.data.shape[1], 1), x.data.dtype)
    count = x.data.size // x.data.shape[1]

    def statistics() -> tuple[Array, Array]:
        if not training:
            return layer.mean, layer.variance
        mean = x.data.mean(axis=(0, 2))
        np.subtract(x.data, mean[:, None], out=normal)
        return mean, np.square(normal).mean(axis=(0, 2))

    def forward() -> None:
        mean, variance = statistics()
        np.subtract(x.data, mean[:, None], out=normal)
        inverse[:, 0] = 1 / np.sqrt(variance + layer.epsilon)
        np.multiply(normal, inverse, out=normal)
        np.multiply(normal, gamma.data[:, None], out=y.data)
        np.add(y.data, beta.data[:, None], out=y.data)
        if training and tape.replaying and count > 1:
            unbiased = variance * (count / (count - 1))
            layer.mean += layer.momentum * (mean - layer.mean)
            layer.variance += layer.momentum * (unbiased - layer.variance)

    def write(out: Array) -> None:
        grads = y.gradient()
        if training:
            np.multiply(grads, normal, out=out)
            slope = out.mean(axis=(0, 2))[:, None]
            np.multiply(normal, slope, out=out)
            np.subtract(grads, out, out=out)
            np.subtract(out, grads.mean(axis=(0, 2))[:, None], out=out)
            np.multiply(out, inverse * gamma.data[:, None], out=out)
        else:
            np.multiply(grads, inverse * gamma.data[:, None], out=out)

    def backward() -> None:
        grads = y.gradient()
        beta.receive(lambda out: np.sum(grads, axis=(0, 2), out=out))
        gamma.receive(lambda out: np.sum(grads * normal, axis=(0, 2), out=out))
        x.receive(write)

    return tape.record(y, forward, backward)
