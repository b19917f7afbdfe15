# SPDX-License-Identifier: Apache-2.0
"""Losses: a scalar value from a batch of outputs and their targets."""

from collections.abc import Callable

import numpy as np

from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError


def cross_entropy(logits: Value, labels: Value) -> Value:
    """Mean softmax cross-entropy, fused: ``mean(log(sum(exp(z))) - z[label])``.

    The largest logit is subtracted first, so no exponential overflows.

    Parameters
    ----------
    logits : (batch, classes) Value
    labels : (batch,) Value of int
        Class of each row, ``0 <= label < classes``.

    Raises
    ------
    FormatError
        If there is not one label a row.
    """
    batch = len(logits.data)
    if labels.data.shape != (batch,):
        raise FormatError(f"Labels must have shape ({batch},), not {labels.data.shape}")
    loss = logits.tape.output((), logits.data.dtype, logits)
    shares = np.empty_like(logits.data)
    rows, ones = np.arange(batch), np.ones(logits.data.shape[1], logits.data.dtype)
    peak, sums = np.empty((batch, 1), shares.dtype), np.empty(batch, shares.dtype)

    def forward() -> None:
        np.amax(logits.data, axis=1, keepdims=True, out=peak)
        np.subtract(logits.data, peak, out=shares)
        picked = shares[rows, labels.data]
        np.exp(shares, out=shares)
        np.matmul(shares, ones, out=sums)
        np.divide(shares, sums[:, None], out=shares)
        np.log(sums, out=sums)
        loss.data[()] = (sums - picked).mean()

    def write(out: Array) -> None:
        np.copyto(out, shares)
        out[rows, labels.data] -= 1
        np.multiply(out, loss.gradient() / batch, out=out)

    return logits.tape.record(loss, forward, lambda: logits.receive(write))


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
    if outputs.data.shape != targets.data.shape:
        raise FormatError(f"Targets must have shape {outputs.data.shape}, not {targets.data.shape}")
    loss = outputs.tape.output((), outputs.data.dtype, outputs)
    errors = np.empty_like(outputs.data)

    def forward() -> None:
        np.subtract(outputs.data, targets.data, out=errors)
        loss.data[()] = np.mean(np.square(errors))

    def write(out: Array) -> None:
        np.multiply(errors, 2 * loss.gradient() / errors.size, out=out)

    return outputs.tape.record(loss, forward, lambda: outputs.receive(write))


LOSSES: dict[str, Callable[[Value, Value], Value]] = {
    "cross-entropy": cross_entropy,
    "mse": mean_squared_error,
}
"""Losses by the name ``fit`` takes; "mse" trains integer labels as one-hot targets."""
