# SPDX-License-Identifier: Apache-2.0
"""Least squares whose solution has zeros: signs that are given, or a price on every decoder."""

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.decoders.solving import Array, factor_of, substitute


def sparse_decoders(
    a: Array, y: Array, penalty: float, *, l1: float, signs: tuple[int, ...]
) -> Array:
    """Minimum of ``||A d - y||^2 / 2 + penalty ||d||^2 / 2 + l1 |d|_1`` for each output.

    Parameters
    ----------
    a : (samples, neurons) ndarray
    y : (samples, outputs) ndarray
    penalty, l1 : float
    signs : tuple of 1 and -1
        That decoders may have.

    Returns
    -------
    (neurons, outputs) ndarray
    """
    gram, products = a.T @ a, a.T @ y
    gram.flat[:: len(gram) + 1] += penalty
    columns = [signed_least_squares(gram, c, l1=l1, signs=signs) for c in products.T]
    return np.stack(columns, axis=1)


def signed_least_squares(
    gram: Array, products: Array, *, l1: float, signs: tuple[int, ...]
) -> Array:
    """Minimum of ``d^T G d / 2 - c^T d + l1 |d|_1`` over vectors of the given signs.

    The active set of Lawson and Hanson (Solving least squares problems, 1974): neurons enter where
    the gradient is steepest, and leave where their decoder would pass zero. A neuron that may have
    both signs stands in the list twice.

    Parameters
    ----------
    gram : (neurons, neurons) ndarray
        Positive semidefinite ``G``.
    products : (neurons,) ndarray
        ``c``.
    l1 : float
    signs : tuple of 1 and -1

    Returns
    -------
    (neurons,) ndarray
    """
    n, copies = len(products), len(signs)
    sign, neuron = np.repeat(signs, n), np.tile(np.arange(n), copies)
    slope = sign * np.tile(products, copies) - l1
    sizes, active = np.zeros(len(sign)), np.zeros(len(sign), bool)
    decoders: Array = np.zeros(n)
    least = 1e-12 * float(np.abs(products).max(initial=0.0))
    for _ in range(6 * len(sign)):
        gradient = slope - sign * np.tile(gram @ decoders, copies)
        gradient[active] = -np.inf
        steepest = float(gradient.max(initial=-np.inf))
        if steepest <= least:
            break
        before = sizes.copy()
        # All that are nearly as steep: of those, at least one stays.
        active |= gradient > max(least, steepest / 2)
        _descend(gram, slope, sign, neuron, sizes, active)
        if (sizes == before).all():
            break
        decoders = np.bincount(neuron, sign * sizes, n).astype(np.float64)
    return decoders


def _descend(
    gram: Array,
    slope: Array,
    sign: NDArray[np.int64],
    neuron: NDArray[np.int64],
    sizes: Array,
    active: NDArray[np.bool_],
) -> None:
    """Move the active sizes to their minimum, without those that would pass zero, in place."""
    while active.any():
        places = np.flatnonzero(active)
        used, signs = neuron[places], sign[places]
        matrix = gram[np.ix_(used, used)] * np.multiply.outer(signs, signs)
        held = sizes[places]
        best = _minimum(matrix, slope[places], held)
        passing = best <= 0
        if not passing.any():
            sizes[places] = best
            return
        # As far as the first of them allows; those that arrive at zero leave.
        reach = held[passing] / (held[passing] - best[passing] + np.finfo(np.float64).tiny)
        moved = held + reach.min() * (best - held)
        leaving = np.zeros(len(places), bool)
        leaving[np.flatnonzero(passing)[reach <= reach.min()]] = True
        sizes[places] = np.where(leaving, 0.0, moved)
        active[places[leaving]] = False


def _minimum(matrix: Array, slope: Array, held: Array) -> Array:
    """Where ``x^T H x / 2 - slope^T x`` is least; some x that passes zero if it falls forever."""
    factor = factor_of(matrix, 0.0)
    if factor is not None:
        found: Array = substitute(factor, slope[:, None])[:, 0]
        return found
    found = np.asarray(np.linalg.lstsq(matrix, slope, rcond=None)[0], np.float64)
    # Neurons with the same rates leave a direction in which the slope is constant.
    falling = slope - matrix @ found
    down = falling < 0
    if np.abs(falling).max() <= 1e-9 * np.abs(slope).max() or not down.any():
        return found
    far = 2 * (held[down] / -falling[down]).max()
    return held + (far or 1.0) * falling
