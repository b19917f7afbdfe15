# SPDX-License-Identifier: Apache-2.0
"""From values to the spikes that stand for them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.errors import DataError

SPIKE_CODES = ("rate", "latency")
"""Encodings of samples as spikes, by the name that a network and a program's metadata take."""


def spike_encode(
    code: str,
    x: NDArray[Any],
    steps: int,
    *,
    seed: int,
    frames: Sequence[int] | NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """Encode values as spikes by the name of the code.

    Parameters
    ----------
    code : {"rate", "latency"}
    x : (frames, n) ndarray
        Values from 0 to 1.
    steps : int
        Time steps of a frame.
    seed, frames
        See :func:`rate_encode`; unused by "latency", which draws nothing.

    Returns
    -------
    (frames, steps, n) ndarray of uint8

    Raises
    ------
    DataError
        If a value lies outside 0 to 1.
    """
    if code == "latency":
        return latency_encode(x, steps)
    return rate_encode(x, steps, seed, frames=frames)


def rate_encode(
    x: NDArray[Any], steps: int, seed: int, *, frames: Sequence[int] | NDArray[Any] | None = None
) -> NDArray[np.uint8]:
    """Draw spikes whose probability is the value: ``P(s[f, t, k] = 1) = x[f, k]``.

    Frame ``f`` draws from its own generator, seeded with ``[seed, f]``, in the order of steps and
    then elements, so its spikes do not depend on the frames beside it.

    Parameters
    ----------
    x : (frames, n) ndarray
        Values from 0 to 1.
    steps : int
        Time steps of a frame.
    seed : int
        At least 0.
    frames : (frames,) sequence of int, optional
        Index of each row in the array it was taken from; 0, 1, 2, ... if not given.

    Returns
    -------
    (frames, steps, n) ndarray of uint8
        0 or 1.

    Raises
    ------
    DataError
        If a value lies outside 0 to 1.
    """
    check_unit("x", x, "rate")
    spikes = np.empty((len(x), steps, x.shape[1]), np.uint8)
    for frame, row, out in zip(range(len(x)) if frames is None else frames, x, spikes, strict=True):
        rng = np.random.default_rng([seed, int(frame)])
        np.less(rng.random(out.shape, np.float32), row, out=out.view(np.bool_))
    return spikes


def latency_encode(x: NDArray[Any], steps: int) -> NDArray[np.uint8]:
    """One spike for each value, the earlier the larger it is: at step ``steps - ceil(x steps)``.

    Steps count from 0, so 1 fires at once, ``0 < x <= 1 / steps`` in the last step, and 0 never.
    The product is that of float32. (Time-to-first-spike coding, linear in the value; Thorpe,
    Delorme and Van Rullen, Spike-based strategies for rapid processing, 2001.)

    Parameters
    ----------
    x : (frames, n) ndarray
        Values from 0 to 1.
    steps : int
        Time steps of a frame.

    Returns
    -------
    (frames, steps, n) ndarray of uint8
        0 or 1, at most one 1 for each value.

    Raises
    ------
    DataError
        If a value lies outside 0 to 1.

    Examples
    --------
    >>> latency_encode(np.array([[1.0, 0.5, 0.1, 0.0]]), 4)[0]
    array([[1, 0, 0, 0],
           [0, 0, 0, 0],
           [0, 1, 0, 0],
           [0, 0, 1, 0]], dtype=uint8)
    """
    check_unit("x", x, "latency")
    first = steps - np.ceil(np.asarray(x, np.float32) * np.float32(steps)).astype(np.int64)
    spikes: NDArray[np.bool_] = first[:, None, :] == np.arange(steps)[:, None]
    return spikes.astype(np.uint8)


def check_unit(name: str, x: NDArray[Any], code: str) -> None:
    """Refuse values outside 0 to 1, which no spikes stand for.

    Raises
    ------
    DataError
        If there is one.
    """
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise DataError(
            f"{code.capitalize()} coding needs values from 0 to 1, and {name} holds {x.min():g} "
            f'to {x.max():g}: scale it or use encoding="current"'
        )
