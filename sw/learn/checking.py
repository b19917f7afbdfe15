# SPDX-License-Identifier: Apache-2.0
"""Gradients by finite differences, to check those of an operation."""

from collections.abc import Callable

import numpy as np

from spikewright.learn import ops
from spikewright.learn.tape import Array, Tape, Value
from spikewright.sim.errors import DataError

STEP = 1e-6
"""Change of an element: with float64 the best compromise of truncation and rounding."""


def finite_differences(function: Callable[[], float], array: Array, *, step: float = STEP) -> Array:
    """Central differences of a scalar function with respect to an array's elements.

    ``dE/dx ~ (E(x + step) - E(x - step)) / (2 step)``, with an error of order ``step**2``
    (Goodfellow, Bengio and Courville, Deep Learning, 11.5). The array is changed in place, element
    by element, and is as before afterwards.

    Parameters
    ----------
    function : callable
        Value for what ``array`` holds when it is called.
    array : ndarray of float
    step : float

    Returns
    -------
    ndarray
        Of the array's shape.

    Examples
    --------
    >>> x = np.array([3.0])
    >>> finite_differences(lambda: float(x[0] ** 2), x, step=0.5)
    array([6.])
    """
    differences = np.empty_like(array)
    for place in np.ndindex(array.shape):
        kept, ends = array[place], []
        for sign in (1, -1):
            array[place] = kept + sign * step
            ends.append(function())
        array[place] = kept
        differences[place] = (ends[0] - ends[1]) / (2 * step)
    return differences


def check_gradients(
    operation: Callable[..., Value],
    *arrays: Array,
    step: float = STEP,
    relative: float = 1e-6,
    absolute: float = 1e-8,
    seed: int = 9,
) -> None:
    """Compare an operation's gradients with central differences.

    The result is summed with random weights, so that every element of it counts differently.

    Parameters
    ----------
    operation : callable
        From a :class:`~spikewright.learn.tape.Value` for each array to a result of any shape.
    *arrays : ndarray of float64
        Where to compare; away from kinks, which have no derivative.
    step : float
        Of the differences.
    relative, absolute : float
        Largest difference ``absolute + relative * |difference quotient|``.
    seed : int
        Of the random weights.

    Raises
    ------
    DataError
        If a gradient differs, with the operand and the element where it differs most.
    """
    tape = Tape()
    values = [tape.parameter(array) for array in arrays]
    result = operation(*values)
    weights = np.random.default_rng(seed).normal(size=result.data.shape)
    loss = ops.total(ops.mul(result, tape.constant(weights)))
    # Twice, since a sweep must not depend on what the last one left behind.
    for _ in range(2):
        tape.replay()
        tape.backward(loss)
    gradients = [value.gradient().copy() for value in values]

    def evaluate() -> float:
        tape.replay()
        return float(loss.data)

    for operand, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        wanted = finite_differences(evaluate, array, step=step)
        excess = np.abs(gradient - wanted) - absolute - relative * np.abs(wanted)
        if excess.size and not excess.max() <= 0:
            place = np.unravel_index(int(excess.argmax()), array.shape)
            raise DataError(
                f"Gradient of operand {operand} at {tuple(map(int, place))} must be "
                f"{wanted[place]:.9g} by central differences, not {gradient[place]:.9g}"
            )
