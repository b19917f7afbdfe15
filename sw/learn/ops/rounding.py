# SPDX-License-Identifier: Apache-2.0
"""Arrays on the steps of a format."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikewright.learn.tape import Array

BLOCK = 1 << 14
"""Elements that are rounded at a time: in float64 they fit a level 2 cache."""

EXACT = 1 << 24
"""Largest integer up to which float32 holds all."""


@dataclass(frozen=True)
class Grid:
    """Steps of a format: ``y = step * clip(floor(factor * x + 1/2), lo, hi)``.

    Parameters
    ----------
    factor : float or ndarray
        Codes per unit of ``x``; an array broadcasts against the last axis.
    step : float or ndarray
        Value of a code.
    lo, hi : int
        Smallest and largest code.
    """

    factor: float | Array
    step: float | Array
    lo: int
    hi: int

    def round(self, x: Array, out: Array, work: Array) -> None:
        """Write the rounded values to ``out``; ``work`` is float64, of one shape with both."""
        np.multiply(x, self.factor, out=work, dtype=np.float64)
        np.add(work, 0.5, out=work)
        np.floor(work, out=work)
        np.clip(work, self.lo, self.hi, out=work)
        np.multiply(work, self.step, out=out, casting="same_kind")


Steps = Callable[[], Grid]
"""The grid of the moment: one whose step is trained moves from replay to replay."""


class Rounded:
    """Codes of trained weights, as columns: the transpose of what is trained.

    Parameters
    ----------
    weight : (n_out, n_in) ndarray
        Trained; read again at every :meth:`refresh`.
    steps : callable
        Grid of the moment.
    largest : int
        Largest magnitude of a code that they multiply.

    Attributes
    ----------
    codes : (n_in, n_out) ndarray of float32
    grid : Grid
        Of the last refresh.
    """

    def __init__(self, weight: Array, steps: Steps, largest: int):
        self.grid, self.codes = steps(), np.empty(weight.T.shape, np.float32)
        self._weight, self._steps, self._largest = weight.T, steps, largest
        n_in, n_out = len(self.codes), len(weight)
        some = max(1, BLOCK // n_out)
        blocks = (slice(k, k + some) for k in range(0, n_in, some))
        self._blocks = [(b, self._weight[b], self.codes[b]) for b in blocks]
        # Codes before they saturate tell which weights do.
        self._free = np.empty_like(self.codes)
        self._work, self._spare = np.empty((some, n_out)), np.empty((some, n_out), np.float32)
        self._ones = np.ones(n_in, np.float32)

    def refresh(self) -> None:
        """Round the weights."""
        grid = self.grid = self._steps()
        for block, weight, codes in self._blocks:
            work, free = self._work[: len(codes)], self._free[block]
            np.multiply(weight, grid.factor, out=work, dtype=np.float64)
            np.add(work, 0.5, out=work)
            np.floor(work, out=free, casting="same_kind")
            np.clip(free, grid.lo, grid.hi, out=codes)

    def short(self) -> bool:
        """Whether float32 holds every sum of products, partial ones included."""
        grid = self.grid
        if len(self.codes) * max(-grid.lo, grid.hi) * self._largest <= EXACT:
            return True
        sums = np.zeros(len(self.codes.T))
        for _, _, codes in self._blocks:
            sizes = np.abs(codes, out=self._spare[: len(codes)])
            sums += self._ones[: len(codes)] @ sizes
        # The sums are rounded themselves, by far less than a thousandth.
        return bool(sums.max() * self._largest <= 0.999 * EXACT)

    def through(self, gradient: Array) -> None:
        """Let no gradient (n_in, n_out) push a weight on that saturates already."""
        for block, _, codes in self._blocks:
            part, spare = gradient[block], self._spare[: len(codes)]
            np.subtract(self._free[block], codes, out=spare)
            np.multiply(spare, part, out=spare)
            np.copyto(part, 0, where=spare < 0)

    def slope_of_threshold(self, gradient: Array) -> Array:
        """Gradient of the binary logarithm of each output channel's range.

        With ``t`` the range and ``s = 2^ceil(log2 t) / 2^bits`` the step, ``y = s clip(round(x /
        s))`` and the ceiling straight through: ``dy / d log2 t = ln(2) (y - x)`` inside the range
        and ``ln(2) y`` outside (Jain, Gural, Wu and Dick, Trained quantization thresholds, 2019).
        """
        slope = np.zeros(len(gradient.T))
        factor = np.asarray(self.grid.factor, np.float32)
        for block, weight, codes in self._blocks:
            spare = np.multiply(weight, factor, out=self._spare[: len(codes)])
            np.copyto(spare, 0, where=self._free[block] != codes)
            np.subtract(codes, spare, out=spare)
            np.multiply(spare, gradient[block], out=spare)
            slope += self._ones[: len(codes)] @ spare
        return slope * self.grid.step * math.log(2)
