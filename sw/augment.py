# SPDX-License-Identifier: Apache-2.0
"""More training pictures from few: turned, scaled, shifted and noisy copies."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import within
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
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    side: int,
    copies: int,
    seed: int,
    turn: float | None = None,
    scale: float | None = None,
    shift: float | None = None,
    noise: float | None = None,
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
    turn : float, optional
        Largest turn, in radians; :data:`TURN` if not given, 0 for none.
    scale : float, optional
        Largest logarithm of a change of size; :data:`SCALE` if not given.
    shift : float, optional
        Largest shift along each axis, in pixels; :data:`SHIFT` if not given.
    noise : float, optional
        Standard deviation of the noise; :data:`NOISE` if not given.

    Raises
    ------
    DataError
        If the pictures are not of that size, or a limit is negative or infinite.
    """
    if x.shape[1] != side * side:
        raise DataError(f"x must have {side * side} pixels a picture, not {x.shape[1]}")
    limits = {
        "turn": TURN if turn is None else turn,
        "scale": SCALE if scale is None else scale,
        "shift": SHIFT if shift is None else shift,
        "noise": NOISE if noise is None else noise,
    }
    for name, limit in limits.items():
        if not within(limit, 0, math.inf):
            raise DataError(f"Largest {name} must be at least 0 and finite, not {limit!r}")
    rng = np.random.default_rng(seed)
    pictures = x.reshape(-1, side, side)
    changed = [
        _noisy(
            _moved(pictures, rng, limits["turn"], limits["scale"], limits["shift"]),
            rng,
            limits["noise"],
        )
        for _ in range(copies)
    ]
    return np.concatenate([x, *changed]).astype(np.float32), np.tile(y, copies + 1)


def transformed(
    pictures: NDArray[np.float32], *, angle: Any = 0.0, grow: Any = 1.0, shift: Any = (0.0, 0.0)
) -> NDArray[Any]:
    """Pictures turned, resized and shifted, each pixel from the four around its source.

    The pixel at ``p`` is the one that was at ``grow R(angle) (p - c) + c + shift``, with the middle
    ``c`` of the picture and the matrix ``R(a) = [[cos a, -sin a], [sin a, cos a]]`` on (row,
    column); black comes in at the edges.

    Parameters
    ----------
    pictures : (n, side, side) ndarray
    angle : float or (n,) array_like
        In radians; positive is clockwise.
    grow : float or (n,) array_like
        Above 1 the picture becomes smaller.
    shift : (2,) or (2, n) array_like
        Rows and columns, in pixels; positive moves up and left.

    Returns
    -------
    (n, side, side) ndarray
    """
    n, side = pictures.shape[:2]
    middle = (side - 1) / 2
    angles, sizes = np.broadcast_to(angle, n), np.broadcast_to(grow, n)
    cos, sin = (f(angles)[:, None, None] * sizes[:, None, None] for f in (np.cos, np.sin))
    moved = np.asarray(shift, np.float64)
    down, right = (np.broadcast_to(axis, n)[:, None, None] + middle for axis in moved)
    row, column = np.mgrid[:side, :side] - middle
    return _sample(pictures, cos * row - sin * column + down, sin * row + cos * column + right)


def _moved(
    pictures: NDArray[np.float32], rng: np.random.Generator, turn: float, scale: float, shift: float
) -> NDArray[Any]:
    """Turn, scale and shift each picture by amounts of its own."""
    n = len(pictures)
    angle, grow = rng.uniform(-turn, turn, n), np.exp(rng.uniform(-scale, scale, n))
    moves = rng.uniform(-shift, shift, (2, n))
    return transformed(pictures, angle=angle, grow=grow, shift=moves)


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


def _noisy(pictures: NDArray[Any], rng: np.random.Generator, noise: float) -> NDArray[Any]:
    flat = pictures.reshape(len(pictures), -1)
    return np.clip(flat + rng.normal(0, noise, flat.shape), 0, 1)
