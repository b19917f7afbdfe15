# SPDX-License-Identifier: Apache-2.0
"""Distributions that a random search draws options from."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikewright.sim.errors import ProgramError

Distribution = Callable[[np.random.Generator], Any]
"""Draws one value."""


def log_uniform(low: float, high: float, *, integer: bool = False) -> Distribution:
    """Every order of magnitude alike: ``exp(u)``, ``u`` uniform from ``ln low`` to ``ln high``.

    Parameters
    ----------
    low, high : float
        Positive, the lower one first.
    integer : bool
        Integers from ``low`` to ``high``, both included: ``floor(exp(u))`` with ``u`` uniform to
        ``ln(high + 1)``.

    Raises
    ------
    ProgramError
        If the limits cannot be.

    Examples
    --------
    >>> f"{log_uniform(1e-4, 1e-1)(np.random.default_rng(0)):.3g}"
    '0.00814'
    """
    _check("log_uniform", low, high, 0 < low < high < math.inf, "positive and ascend", integer)
    start, end = math.log(low), math.log(high + 1 if integer else high)

    def draw(rng: np.random.Generator) -> float:
        value = math.exp(rng.uniform(start, end))
        # Exponential and logarithm are inverse but for the last bit.
        value = min(max(value, low), high + 1 if integer else high)
        return min(math.floor(value), int(high)) if integer else value

    return draw


def uniform(low: float, high: float, *, integer: bool = False) -> Distribution:
    """Every value from ``low`` to ``high`` alike.

    Parameters
    ----------
    low, high : float
        Finite, the lower one first.
    integer : bool
        Integers from ``low`` to ``high``, both included.

    Raises
    ------
    ProgramError
        If the limits cannot be.
    """
    _check("uniform", low, high, -math.inf < low < high < math.inf, "finite and ascend", integer)

    def draw(rng: np.random.Generator) -> float:
        if integer:
            return int(rng.integers(int(low), int(high), endpoint=True))
        return float(rng.uniform(low, high))

    return draw


def choice(values: Sequence[Any]) -> Distribution:
    """Every one of some values alike.

    Parameters
    ----------
    values : sequence

    Raises
    ------
    ProgramError
        If there is none.
    """
    if not len(values):
        raise ProgramError("There must be at least one value to choose from, and there is none")
    kept = list(values)
    return lambda rng: kept[int(rng.integers(len(kept)))]


def _check(name: str, low: float, high: float, good: bool, wanted: str, integer: bool) -> None:
    if not good:
        raise ProgramError(f"Limits of {name} must be {wanted}, not {low!r} and {high!r}")
    if integer and not (isinstance(low, int) and isinstance(high, int)):
        raise ProgramError(f"Limits of {name} must be integers, not {low!r} and {high!r}")
