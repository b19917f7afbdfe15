# SPDX-License-Identifier: Apache-2.0
"""CRC-32 of words, as ``zlib.crc32`` computes it of their little-endian bytes."""

from functools import cache

from amaranth import Cat, Value

INITIAL = 0xFFFFFFFF
"""State before the first word; the CRC is the inverted state after the last."""
_POLYNOMIAL = 0xEDB88320


def crc_step(state: Value, word: Value) -> Value:
    """State after one more word, of any whole number of bytes.

    The step is linear over bits: every bit of the new state is a parity of bits of both.
    """
    bits = [*state, *word]
    columns = _columns(len(word))
    return Cat(
        Cat(bit for bit, column in zip(bits, columns, strict=True) if column >> k & 1).xor()
        for k in range(32)
    )


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
