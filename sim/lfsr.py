# SPDX-License-Identifier: Apache-2.0
"""A linear feedback shift register of maximal length, and how to skip ahead in it.

Its bits follow ``s[i + 31] = xor of s[i + k] for every tap k``; the state is the window
``s[i] ... s[i + 30]``, lowest bit first. 2^31 - 1 is prime, so an irreducible polynomial gives the
full period of 2^31 - 1, and so does every step of several bits: whatever bits a draw takes, draws
visit every state but zero before one comes twice.
"""

import hashlib
from functools import cache

import numpy as np

from spikewright.sim.fixed import QFormat
from spikewright.sim.primitive import Codes

ORDER = 31
"""Bits of the state."""
TAPS = 0x243F6AA5
"""Taps as bits: of all irreducible polynomials the next above the binary digits of pi."""
SEED_FORMAT = QFormat(width=ORDER, signed=False)
"""Format of a seed: the state at the start. Zero, the one state that never changes, counts as 1."""


def advance(state: int, bits: int = 1) -> int:
    """State some bits later.

    >>> advance(1)
    1073741824
    """
    for _ in range(bits):
        state = state >> 1 | ((state & TAPS).bit_count() & 1) << (ORDER - 1)
    return state


@cache
def skip(bits: int) -> tuple[int, ...]:
    """Matrix over GF(2) of ``bits`` steps.

    Bit ``k`` of the later state is the parity of those bits of the earlier that row ``k`` masks.

    >>> skip(0)[:3], skip(1)[0]
    ((1, 2, 4), 2)
    """
    if bits == 0:
        return tuple(1 << k for k in range(ORDER))
    half = skip(bits // 2)
    rows = product(half, half)
    return product(_one_step(), rows) if bits % 2 else rows


def _one_step() -> tuple[int, ...]:
    return (*(1 << k for k in range(1, ORDER)), TAPS)


def product(later: tuple[int, ...], earlier: tuple[int, ...]) -> tuple[int, ...]:
    """Matrix over GF(2) of ``earlier``, then ``later``; rows are masks of columns."""
    rows = []
    for mask in later:
        row = 0
        for k, other in enumerate(earlier):
            row ^= other if mask >> k & 1 else 0
        rows.append(row)
    return tuple(rows)


def apply(rows: tuple[int, ...], states: Codes) -> Codes:
    """Multiply states by a matrix.

    Parameters
    ----------
    rows : tuple of int
        As :func:`skip` gives them; the first few give as many bits.
    states : (...) ndarray of int64
    """
    result = np.zeros_like(states)
    for k, mask in enumerate(rows):
        result |= _parity(states & mask) << k
    return result


def _parity(codes: Codes) -> Codes:
    for shift in (16, 8, 4, 2, 1):
        codes = codes ^ codes >> shift
    parity: Codes = codes & 1
    return parity


def draws(states: Codes, count: int, bits: int) -> Codes:
    """The next ``count`` draws of ``bits`` bits from each state.

    Parameters
    ----------
    states : (batch,) ndarray of int64
    count, bits : int

    Returns
    -------
    (batch, count) ndarray of int64
        Draw ``k`` is the lowest bits of the state ``k * bits`` bits later, uniform over its codes.
    """
    table, found = _draws_of_bits(count, bits), np.zeros((len(states), count), np.int64)
    for k in range(ORDER):
        found ^= (states >> k & 1)[:, None] * table[k]
    return found


@cache
def _draws_of_bits(count: int, bits: int) -> Codes:
    """Draws from each state of a single one bit: those of any state are exclusive sums of these."""
    states = np.int64(1) << np.arange(ORDER, dtype=np.int64)
    table = np.empty((ORDER, count), np.int64)
    one_draw = skip(bits)
    for k in range(count):
        table[:, k] = states & ((1 << bits) - 1)
        states = apply(one_draw, states)
    table.setflags(write=False)
    return table


def seed_of(number: int) -> int:
    """Seed from any integer, well mixed: from small seeds, the first draws would all be small.

    >>> seed_of(0), seed_of(1)
    (1726737504, 1941079660)
    """
    digest = hashlib.sha256(str(number).encode()).digest()
    return int.from_bytes(digest[:4], "little") % SEED_FORMAT.hi + 1
