# SPDX-License-Identifier: Apache-2.0
"""Losses: a scalar value from a batch of outputs and their targets."""

import math
from collections.abc import Callable

import numpy as np

from spikewright.learn.ops.functions import logistic
from spikewright.learn.options import within
from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError, ProgramError


def cross_entropy(logits: Value, labels: Value, *, smoothing: float = 0.0) -> Value:
    """Mean softmax cross-entropy, fused: ``mean(log(sum(exp(z))) - sum(q z))``.

    ``q`` is 1 - smoothing for the label and smoothing / (classes - 1) for every other class. The
    largest logit is subtracted first, so no exponential overflows.

    Parameters
    ----------
    logits : (batch, classes) Value
    labels : (batch,) Value of int
        Class of each row, ``0 <= label < classes``.
    smoothing : float
        From 0 to below 1.

    Raises
    ------
    FormatError
        If there is not one label a row.
    ProgramError
        If the smoothing is out of range.
    """
    batch = len(logits.data)
    if labels.data.shape != (batch,):
        raise FormatError(f"Labels must have shape ({batch},), not {labels.data.shape}")
    if not within(smoothing, 0, 1):
        raise ProgramError(f"Label smoothing must be at least 0 and below 1, not {smoothing!r}")
    loss = logits.tape.output((), logits.data.dtype, logits)
    shares = np.empty_like(logits.data)
    rows, ones = np.arange(batch), np.ones(logits.data.shape[1], logits.data.dtype)
    peak, sums = np.empty((batch, 1), shares.dtype), np.empty(batch, shares.dtype)
    others = smoothing / max(1, logits.data.shape[1] - 1)

    def forward() -> None:
        np.amax(logits.data, axis=1, keepdims=True, out=peak)
        np.subtract(logits.data, peak, out=shares)
        picked = shares[rows, labels.data]
        if smoothing:
            picked *= 1 - smoothing - others
            picked += others * shares.sum(axis=1)
        np.exp(shares, out=shares)
        np.matmul(shares, ones, out=sums)
        np.divide(shares, sums[:, None], out=shares)
        np.log(sums, out=sums)
        loss.data[()] = (sums - picked).mean()

    def write(out: Array) -> None:
        np.subtract(shares, others, out=out) if smoothing else np.copyto(out, shares)
        out[rows, labels.data] -= 1 - smoothing - others
        np.multiply(out, loss.gradient() / batch, out=out)

    return logits.tape.record(loss, forward, lambda: logits.receive(write))


def bernoulli(logits: Value, targets: Value) -> Value:
    """Mean Bernoulli cross-entropy ``-(t ln y + (1 - t) ln(1 - y))`` with ``y = sigma(z)``.

    Computed as ``max(z, 0) - z t + ln(1 + e^-|z|)``, which neither overflows nor loses the tail;
    ``dL/dz = (y - t) / size``.

    Parameters
    ----------
    logits, targets : (batch, n) Value
        Targets from 0 to 1.

    Raises
    ------
    FormatError
        If the shapes differ.
    """
    z, t = logits.data, targets.data

    def forward(scratch: Array) -> float:
        np.abs(z, out=scratch)
        np.negative(scratch, out=scratch)
        np.exp(scratch, out=scratch)
        np.log1p(scratch, out=scratch)
        return float((scratch + np.maximum(z, 0) - z * t).mean())

    def derivative(scratch: Array) -> None:
        logistic(z, scratch)
        np.subtract(scratch, t, out=scratch)

    return _mean(logits, targets, forward, derivative)


def hinge(outputs: Value, targets: Value, *, margin: float = 1.0) -> Value:
    """Hinge loss, of two classes or of several.

    Two, for targets of the outputs' shape: ``mean(max(0, margin - s z))``, ``s = 2 t - 1``.
    Several, for one label ``y`` a row: ``mean(sum_{j != y} max(0, margin - z_y + z_j) / classes)``
    (Weston and Watkins, 1998).

    Parameters
    ----------
    outputs : (batch, n) Value
    targets : (batch, n) Value of 0 or 1, or (batch,) Value of int

    margin : float
        By which an output should be on its side; positive and finite.

    Raises
    ------
    FormatError
        If the shapes do not fit.
    ProgramError
        If the margin is out of range.
    """
    if not within(margin, 0, math.inf, "()"):
        raise ProgramError(f"Margin must be positive and finite, not {margin!r}")
    if targets.data.ndim == 1:
        return _several(outputs, targets, margin)
    z, t = outputs.data, targets.data

    def slack(scratch: Array) -> None:
        np.multiply(2 * t - 1, z, out=scratch)
        np.subtract(margin, scratch, out=scratch)

    def forward(scratch: Array) -> float:
        slack(scratch)
        return float(np.maximum(scratch, 0).mean())

    def derivative(scratch: Array) -> None:
        slack(scratch)
        np.greater(scratch, 0, out=scratch)
        np.multiply(scratch, 1 - 2 * t, out=scratch)

    return _mean(outputs, targets, forward, derivative)


def mean_squared_error(outputs: Value, targets: Value) -> Value:
    """Mean over all elements of ``(output - target)**2``.

    Parameters
    ----------
    outputs, targets : (batch, n) Value

    Raises
    ------
    FormatError
        If the shapes differ.
    """
    return _mean_of_differences(
        outputs, targets, np.square, lambda scratch: np.multiply(scratch, 2, out=scratch)
    )


def mean_absolute_error(outputs: Value, targets: Value) -> Value:
    """Mean over all elements of ``|output - target|``; its minimum is at the median.

    Parameters
    ----------
    outputs, targets : (batch, n) Value

    Raises
    ------
    FormatError
        If the shapes differ.
    """
    return _mean_of_differences(
        outputs, targets, np.abs, lambda scratch: np.sign(scratch, out=scratch)
    )


def _mean_of_differences(
    outputs: Value,
    targets: Value,
    measure: Callable[[Array], Array],
    slope: Callable[[Array], object],
) -> Value:
    """Mean of a measure of ``output - target``, whose ``slope`` is written in place."""

    def forward(scratch: Array) -> float:
        np.subtract(outputs.data, targets.data, out=scratch)
        return float(np.mean(measure(scratch)))

    def derivative(scratch: Array) -> None:
        np.subtract(outputs.data, targets.data, out=scratch)
        slope(scratch)

    return _mean(outputs, targets, forward, derivative)


def _mean(
    outputs: Value,
    targets: Value,
    forward: Callable[[Array], float],
    derivative: Callable[[Array], None],
) -> Value:
    """Record a mean over elements: its value, and the slope of an element's term."""
    if outputs.data.shape != targets.data.shape:
        raise FormatError(f"Targets must have shape {outputs.data.shape}, not {targets.data.shape}")
    loss = outputs.tape.output((), outputs.data.dtype, outputs)
    scratch = np.empty_like(outputs.data)

    def run() -> None:
        loss.data[()] = forward(scratch)

    def write(out: Array) -> None:
        derivative(out)
        np.multiply(out, loss.gradient() / out.size, out=out)

    return outputs.tape.record(loss, run, lambda: outputs.receive(write))


def _several(outputs: Value, labels: Value, margin: float) -> Value:
    """Hinge loss of several classes."""
    batch, classes = outputs.data.shape
    if labels.data.shape != (batch,):
        raise FormatError(f"Labels must have shape ({batch},), not {labels.data.shape}")
    loss = outputs.tape.output((), outputs.data.dtype, outputs)
    slack, rows = np.empty_like(outputs.data), np.arange(batch)

    def forward() -> None:
        picked = outputs.data[rows, labels.data]
        np.add(outputs.data, (margin - picked)[:, None], out=slack)
        slack[rows, labels.data] = 0
        np.maximum(slack, 0, out=slack)
        loss.data[()] = slack.sum() / slack.size

    def write(out: Array) -> None:
        np.greater(slack, 0, out=out)
        out[rows, labels.data] = -out.sum(axis=1)
        np.multiply(out, loss.gradient() / (batch * classes), out=out)

    return outputs.tape.record(loss, forward, lambda: outputs.receive(write))


LOSSES: dict[str, Callable[..., Value]] = {
    "cross-entropy": cross_entropy,
    "mse": mean_squared_error,
    "bernoulli": bernoulli,
    "hinge": hinge,
    "l1": mean_absolute_error,
}
"""Losses by the name ``fit`` takes, from outputs and targets: see
:func:`spikewright.learn.training.targets.prepare` for what targets each takes."""
