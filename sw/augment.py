# SPDX-License-Identifier: Apache-2.0
"""More training pictures from few: turned, scaled, shifted and noisy copies."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.errors import DataError

TURN = 0.15
"""Largest turn, in radians."""
SCALE = 0.1
"""Largest logarithm of a change of size."""
SHIFT = 0.3
"""Largest shift along each axis, in pixels."""
NOISE = 0.1
"""Standard deviation of the noise, where pixels go from 0 to 1."""


def augment(
    x: NDArray[np.float32], y: NDArray[np.int64], *, side: int, copies: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pictures followed by changed copies of them, and the labels of all.

    Parameters
    ----------
    x : (n, side * side) ndarray
        Square pictures in 0 to 1.
    y : (n,) ndarray of int
    side : int
        Pixels along an edge.
    copies : int
        Changed copies of each picture, at least 0.
    seed : int

    Raises
    ------
    DataError
        If the pictures are not of that size.
    """
    if x.shape[1] != side * side:
        raise DataError(f"x must have {side * side} pixels a picture, not {x.shape[1]}")
    rng = np.random.default_rng(seed)
    changed = [_noisy(_moved(x.reshape(-1, side, side), rng), rng) for _ in range(copies)]
    return np.concatenate([x, *changed]).astype(np.float32), np.tile(y, copies + 1)


def _moved(pictures: NDArray[np.float32], rng: np.random.Generator) -> NDArray[Any]:
    """Turn, scale and shift each picture by amounts of its own, black coming in at the edges."""
    n, side = pictures.shape[:2]
    middle = (side - 1) / 2
    angle, grow = rng.uniform(-TURN, TURN, n), np.exp(rng.uniform(-SCALE, SCALE, n))
    cos, sin = (np.cos(angle) * grow)[:, None, None], (np.sin(angle) * grow)[:, None, None]
    shift = rng.uniform(-SHIFT, SHIFT, (2, n, 1, 1)) + middle
    row, column = np.mgrid[:side, :side] - middle
    return _sample(
        pictures, cos * row - sin * column + shift[0], sin * row + cos * column + shift[1]
    )


def _sample(pictures: NDArray[np.float32], row: NDArray[Any], column: NDArray[Any]) -> NDArray[Any]:
    """Pixels at places between pixels, from the four around each."""
    side = pictures.shape[1]
    framed = np.pad(pictures, ((0, 0), (1, 2), (1, 2)))
    # One pixel of frame: whatever lies further out is black as well.
    row, column = np.clip(row + 1, 0, side + 1), np.clip(column + 1, 0, side + 1)
    top, left = row.astype(np.int64), column.astype(np.int64)
    down, right = row - top, column - left
    n = np.arange(len(pictures))[:, None, None]
    upper = framed[n, top, left] * (1 - right) + framed[n, top, left + 1] * right
    lower = framed[n, top + 1, left] * (1 - right) + framed[n, top + 1, left + 1] * right
    turned: NDArray[Any] = upper * (1 - down) + lower * down
    return turned


def _noisy(pictures: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    flat = pictures.reshape(len(pictures), -1)
    return np.clip(flat + rng.normal(0, NOISE, flat.shape), 0, 1)
