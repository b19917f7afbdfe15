# SPDX-License-Identifier: Apache-2.0
"""Rounding by random bits, so that what is below half a code is not lost but comes true at times.

Gupta and others, Deep learning with limited numerical precision, 2015.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.lfsr import ORDER, skip
from spikewright.sim.primitive import Codes

MOST_BITS = ORDER // 2
"""Most bits of a draw: two draws side by side then share no bit of the generator's state."""


def round_randomly(codes: Codes, shift: int, draws: NDArray[Any], bits: int) -> Codes:
    """Drop ``shift`` bits: ``(x + (2 u + 1) 2^(shift - bits - 1)) >> shift`` for draws ``u``.

    The mean over the draws is ``x 2^-shift``, but for what is below the bits drawn, and 0 stays 0.
    Where all bits dropped are drawn, ``(x + u) >> shift``. Without draws it rounds half up.

    Parameters
    ----------
    codes : (...) ndarray of int64
    shift : int
        At least ``bits``.
    draws : (...) ndarray of int
        From 0 to ``2^bits - 1``; 0 for ``bits = 0``.
    bits : int

    Examples
    --------
    >>> codes = np.full(4, 5)
    >>> round_randomly(codes, 3, np.arange(4), 2).tolist(), 5 / 2**3
    ([0, 1, 1, 1], 0.625)
    """
    noise = draws.astype(np.int64) << (shift - bits)
    if shift > bits:
        noise += 1 << (shift - bits - 1)
    rounded: Codes = (codes + noise) >> shift
    return rounded


def draws_at(state: int, count: int, bits: int) -> NDArray[np.uint16]:
    """What :func:`spikewright.sim.lfsr.draws` gives, for one state and many draws.

    Parameters
    ----------
    state : int
    count, bits : int
        At most :data:`MOST_BITS` bits.

    Returns
    -------
    (count,) ndarray of uint16
    """
    table = _table(count, bits)
    drawn = np.zeros(count, np.uint16)
    for k in range(ORDER):
        if state >> k & 1:
            drawn ^= table[k]
    return drawn


def jump(state: int, bits: int) -> int:
    """State some bits later, however many.

    >>> from spikewright.sim.lfsr import advance
    >>> jump(12345, 1000) == advance(12345, 1000)
    True
    """
    later = 0
    for k, mask in enumerate(skip(bits)):
        later |= ((state & mask).bit_count() & 1) << k
    return later


@cache
def _table(count: int, bits: int) -> NDArray[np.uint16]:
    """Draws from each state of a single one bit, made by doubling: a product for each half."""
    table = np.array([[1 << k & (1 << bits) - 1] for k in range(ORDER)], np.uint16)
    while table.shape[1] < count:
        made = table.shape[1]
        later = [jump(1 << k, made * bits) for k in range(ORDER)]
        more = np.zeros_like(table)
        for k, state in enumerate(later):
            for other in range(ORDER):
                if state >> other & 1:
                    more[k] ^= table[other]
        table = np.concatenate([table, more], axis=1)
    table = np.ascontiguousarray(table[:, :count])
    table.setflags(write=False)
    return table
