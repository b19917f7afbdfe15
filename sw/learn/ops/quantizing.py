# SPDX-License-Identifier: Apache-2.0
"""Rounding to the steps of a format in the forward sweep, straight through in the backward one.

Values are kept on the grid of their format, ``code * 2^-frac``, so that a forward sweep computes
the numbers of the integer program. A gradient passes as if nothing were rounded (Bengio, Léonard
and Courville, Estimating or propagating gradients through stochastic neurons, 2013).
"""

import math

import numpy as np

from spikewright.learn.ops.neurons import Charge
from spikewright.learn.ops.rounding import Grid, Rounded, Steps
from spikewright.learn.tape import Array, Value


def requantize(
    x: Value, steps: Steps, *, wide: bool = False, threshold: Value | None = None
) -> Value:
    """Round to a format, half up, and saturate.

    ``dy/dx = 1`` where ``lo < factor x <= hi`` and 0 elsewhere: with an unsigned format this is a
    rectifier with a limit.

    Parameters
    ----------
    x : (..., n) Value
    steps : callable
        Grid of the moment.
    wide : bool
        Whether codes may have more than 24 bits: the result is then float64 and not float32.
    threshold : (1,) Value, optional
        Binary logarithm of the range, see
        :meth:`~spikewright.learn.ops.rounding.Rounded.slope_of_threshold`.

    Returns
    -------
    (..., n) Value
    """
    operands = (x,) if threshold is None else (x, threshold)
    y = x.tape.output(x.data.shape, np.float64 if wide else np.float32, *operands)
    work, inside = np.empty(x.data.shape), np.empty(x.data.shape, np.bool_)

    def forward() -> None:
        steps().round(x.data, y.data, work)

    def backward() -> None:
        grid = steps()
        np.multiply(x.data, grid.factor, out=work)
        np.greater(work, grid.lo, out=inside)
        np.logical_and(inside, work <= grid.hi, out=inside)
        if threshold is not None:
            np.multiply(work, grid.step, out=work)
            np.multiply(work, inside, out=work)
            np.subtract(y.data, work, out=work)
            slope = math.log(2) * float(np.vdot(work, y.gradient()))
            threshold.receive(lambda out: out.fill(slope))
        x.receive(lambda out: np.multiply(y.gradient(), inside, out=out))

    return x.tape.record(y, forward, backward)


def quantized_linear(
    x: Value,
    weight: Value,
    bias: Value,
    *,
    weights: Steps,
    biases: Steps,
    gain: float,
    largest: int,
    threshold: Value | None = None,
) -> Value:
    """Affine map ``y = x @ q(weight).T + q(bias)`` of rounded parameters, exactly.

    Sums are float64. Products are float32 while no sum can pass 2^24 steps, which the weights
    decide at every replay, and else float64 too. Gradients reach the parameters straight through,
    except that a saturated weight is not pushed further out: only then could it not come back.

    Parameters
    ----------
    x : (..., n_in) Value
        On its format's grid.
    weight : (n_out, n_in) Value
    bias : (n_out,) Value
    weights, biases : callable
        Grids of the moment.
    gain : float
        Value of a step of the weights times codes per unit, 1 but in the first layer.
    largest : int
        Largest magnitude of a code of ``x``.
    threshold : (1,) or (n_out,) Value, optional
        Binary logarithm of the weights' range, see
        :meth:`~spikewright.learn.ops.rounding.Rounded.slope_of_threshold`.

    Returns
    -------
    (..., n_out) Value
        float64.
    """
    n_out, n_in = weight.data.shape
    operands = (x, weight, bias) if threshold is None else (x, weight, bias, threshold)
    y = x.tape.output((*x.data.shape[:-1], n_out), np.float64, *operands)
    rounded = Rounded(weight.data, weights, largest)
    offset, work = np.empty(n_out), np.empty(n_out)
    results = y.data.reshape(-1, n_out)
    rows = np.empty((len(results), n_in), np.float32)
    product, grads, scaled = (np.empty(results.shape, np.float32) for _ in range(3))
    ones = np.ones(len(results), np.float32)

    def forward() -> None:
        rounded.refresh()
        biases().round(bias.data, offset, work)
        np.copyto(rows, x.data.reshape(rows.shape), casting="same_kind")
        if rounded.short():
            np.matmul(rows, rounded.codes, out=product)
            np.multiply(product, rounded.grid.step, out=results, dtype=np.float64)
        else:
            np.matmul(rows.astype(np.float64), rounded.codes.astype(np.float64), out=results)
            np.multiply(results, rounded.grid.step, out=results)
        np.add(results, offset, out=results)

    def share(out: Array) -> None:
        np.multiply(grads, gain, out=scaled)
        np.matmul(scaled.T, rows, out=out)
        if threshold is not None:
            slope = rounded.slope_of_threshold(out.T) / gain
            threshold.receive(lambda part: np.copyto(part, slope if part.size > 1 else slope.sum()))
        rounded.through(out.T)

    def back(out: Array) -> None:
        np.multiply(grads, rounded.grid.step, out=scaled, casting="same_kind")
        np.matmul(scaled, rounded.codes.T, out=out.reshape(rows.shape))

    def backward() -> None:
        np.copyto(grads, y.gradient().reshape(grads.shape), casting="same_kind")
        weight.receive(share)
        bias.receive(lambda out: np.matmul(ones, grads, out=out))
        x.receive(back)

    return x.tape.record(y, forward, backward)


def quantized_weights(
    weight: Value, steps: Steps, *, gain: float, wide: bool, threshold: Value | None = None
) -> Value:
    """Weights rounded to a grid, with the gradients of :func:`quantized_linear`.

    Parameters
    ----------
    weight : (n_out, ...) Value
    steps : callable
        Grid of the moment.
    gain : float
        As of :func:`quantized_linear`.
    wide : bool
        Whether the result is float64 and not float32.
    threshold : (1,) or (n_out,) Value, optional
        As of :func:`quantized_linear`.

    Returns
    -------
    (n_out, ...) Value
    """
    operands = (weight,) if threshold is None else (weight, threshold)
    y = weight.tape.output(weight.data.shape, np.float64 if wide else np.float32, *operands)
    n_out = len(weight.data)
    flat = y.data.reshape(n_out, -1)
    rounded = Rounded(weight.data.reshape(n_out, -1), steps, 1)

    def forward() -> None:
        rounded.refresh()
        np.multiply(rounded.codes, rounded.grid.step, out=flat.T, casting="same_kind")

    def share(out: Array) -> None:
        np.multiply(y.gradient(), gain, out=out, casting="same_kind")
        columns = out.reshape(n_out, -1).T
        if threshold is not None:
            slope = rounded.slope_of_threshold(columns) / gain
            threshold.receive(lambda part: np.copyto(part, slope if part.size > 1 else slope.sum()))
        rounded.through(columns)

    return weight.tape.record(y, forward, lambda: weight.receive(share))


def widened(x: Value) -> Value:
    """Return ``x`` as float64."""
    y = x.tape.output(x.data.shape, np.float64, x)

    def forward() -> None:
        np.copyto(y.data, x.data)

    def write(out: Array) -> None:
        np.copyto(out, y.gradient(), casting="same_kind")

    return x.tape.record(y, forward, lambda: x.receive(write))


def charging(*, leak: float, grid: Grid) -> Charge:
    """Leaky sum ``v <- saturate(v - round(leak v) + i)`` on the grid of a membrane's format.

    Parameters
    ----------
    leak : float
        As the program has it.
    grid : Grid
        Of the membrane.
    """
    step, lo, hi = grid.step, grid.lo * grid.step, grid.hi * grid.step
    rate = leak * grid.factor

    def charge(state: Array, current: Array, out: Array) -> None:
        lost = np.multiply(state, rate)
        lost += 0.5
        np.floor(lost, out=lost)
        lost *= step
        np.subtract(state, lost, out=out)
        np.add(out, current, out=out)
        np.clip(out, lo, hi, out=out)

    return charge
