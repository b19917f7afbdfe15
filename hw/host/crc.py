# SPDX-License-Identifier: Apache-2.0
"""CRC-32 of words, as ``zlib.crc32`` computes it of their little-endian bytes."""

from functools import cache

from amaranth import Cat, Value

INITIAL = 0xFFFFFFFF
"""State before the first word; the CRC is the inverted state after the last."""
_POLYNOMIAL = 0xEDB88320


def crc_of(word: Value) -> Value:
    """What a word, of any whole number of bytes, adds to the state.

    The step is linear over bits, so the new state is ``crc_advanced(state) ^ crc_of(word)``.
    """
    return _parities(word, _columns(len(word))[32:])


def crc_advanced(state: Value, width: int) -> Value:
    """State after a word of zeros."""
    return _parities(state, _columns(width)[:32])


def _parities(bits: Value, columns: tuple[int, ...]) -> Value:
    pairs = list(zip(bits, columns, strict=True))
    return Cat(Cat(bit for bit, column in pairs if column >> k & 1).xor() for k in range(32))


@cache
def _columns(width: int) -> tuple[int, ...]:
    """New state that each single bit of the old state, then of the word, causes."""
    states = [_shifted(1 << k, width) for k in range(32)]
    # The word enters from its lowest bit on: bit k is shifted as often as there are bits after it.
    words = [_shifted(1, width - k) for k in range(width)]
    return (*states, *words)


def _shifted(state: int, times: int) -> int:
    for _ in range(times):
        state = state >> 1 ^ (_POLYNOMIAL if state & 1 else 0)
    return state
