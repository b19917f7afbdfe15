# SPDX-License-Identifier: Apache-2.0
"""Where ensembles draw their parameters from."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.learn.options import within
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Uniform:
    """Even between two limits.

    Parameters
    ----------
    low, high : float

    Raises
    ------
    ProgramError
        If they are not finite or do not ascend.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        numeric = all(within(limit, -math.inf, math.inf, "()") for limit in (self.low, self.high))
        if not (numeric and self.low <= self.high):
            raise ProgramError(
                f"Limits of Uniform must be finite and ascend, not {self.low!r} and {self.high!r}"
            )

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw ``n`` values."""
        return rng.uniform(self.low, self.high, n)


Choice = Uniform | float | ArrayLike
"""One value for each neuron: drawn, the same, or given."""


def values_of(what: str, choice: Any, n: int, rng: np.random.Generator) -> Array:
    """One value for each neuron; an object with ``sample(n, rng=...)`` may stand for Uniform.

    Raises
    ------
    ProgramError
        If there are not as many, or one is not finite.
    """
    sample = getattr(choice, "sample", None)
    values = numbers(what, choice if sample is None else sample(n, rng=rng))
    if values.shape not in ((), (1,), (n,)) or not np.isfinite(values).all():
        raise ProgramError(f"{what} must be Uniform, a number or {n} finite ones, not {choice!r}")
    return np.broadcast_to(values, (n,)).copy()


def numbers(what: str, value: Any) -> Array:
    """An array of numbers, of any shape.

    Raises
    ------
    ProgramError
        If it is none; text is not read as numbers.
    """
    try:
        found = np.asarray(value)
    except ValueError:
        found = np.array("ragged")
    if found.dtype.kind not in "buif":
        raise ProgramError(f"{what} must be numbers, not {value!r}")
    return np.asarray(found, np.float64)


def points_of(what: str, value: Any, dimensions: int) -> Array:
    """Vectors (points, dimensions), at least one; of one dimension also as a list of numbers.

    Raises
    ------
    ProgramError
        If they are none.
    """
    found = numbers(what, value)
    found = found[:, None] if found.ndim == 1 and dimensions == 1 else found
    if found.ndim != 2 or not found.size or found.shape[1] != dimensions:
        raise ProgramError(
            f"{what} must have shape (points, {dimensions}), one point at least, not {found.shape}"
        )
    if not np.isfinite(found).all():
        raise ProgramError(f"{what} must be finite")
    return found


def on_sphere(n: int, dimensions: int, rng: np.random.Generator) -> Array:
    """Directions of length 1, each as likely: (n, dimensions)."""
    vectors = rng.normal(size=(n, dimensions))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def in_ball(n: int, dimensions: int, rng: np.random.Generator) -> Array:
    """Points of the ball of radius 1, even by volume: (n, dimensions)."""
    return np.asarray(on_sphere(n, dimensions, rng) * rng.random((n, 1)) ** (1 / dimensions))
