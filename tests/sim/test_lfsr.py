# SPDX-License-Identifier: Apache-2.0
"""The generator: its length, skipping ahead, and that draws share nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.lfsr import ORDER, SEED_FORMAT, TAPS, advance, apply, draws, seed_of, skip

PERIOD = 2**ORDER - 1
IDENTITY = tuple(1 << k for k in range(ORDER))


def rank(rows: list[int]) -> int:
    """Rank over GF(2)."""
    pivots: list[int] = []
    for row in rows:
        for pivot in pivots:
            row = min(row, row ^ pivot)
        if row:
            pivots.append(row)
    return len(pivots)


def test_the_length_is_maximal() -> None:
    # Lucas-Lehmer: the period 2^31 - 1 is prime, so one step has order 1 or that, and it moves.
    residue = 4
    for _ in range(ORDER - 2):
        residue = (residue * residue - 2) % PERIOD
    assert residue == 0
    assert skip(PERIOD) == IDENTITY
    assert skip(1) != IDENTITY
    # So every state but zero returns only after the whole period if the step has no fixed point.
    assert rank([row ^ one for row, one in zip(skip(1), IDENTITY, strict=True)]) == ORDER


def test_the_polynomial_is_the_next_after_pi() -> None:
    """Irreducible of degree 31 (a prime) is: x^(2^31) = x modulo it, and no root in GF(2)."""

    def irreducible(polynomial: int) -> bool:
        power = 2
        for _ in range(ORDER):
            squared = 0
            for k in range(ORDER):
                squared |= (power >> k & 1) << 2 * k
            for k in reversed(range(ORDER, 2 * ORDER)):
                squared ^= polynomial << (k - ORDER) if squared >> k & 1 else 0
            power = squared
        return power == 2 and polynomial & 1 == 1 and polynomial.bit_count() % 2 == 1

    found = next(taps for taps in range(0x243F6A88, 1 << ORDER) if irreducible(taps | 1 << ORDER))
    assert found == TAPS


@given(st.integers(1, PERIOD), st.integers(0, 300))
def test_skipping_is_stepping(state: int, bits: int) -> None:
    assert apply(skip(bits), np.array([state])).tolist() == [advance(state, bits)]


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_skips_add_up(a: int, b: int) -> None:
    states = np.array([1, 12345, PERIOD])
    assert apply(skip(a), apply(skip(b), states)).tolist() == apply(skip(a + b), states).tolist()


@given(st.lists(st.integers(1, PERIOD), min_size=1, max_size=3), st.integers(0, 20))
def test_draws_are_the_lowest_bits(states: list[int], count: int) -> None:
    got = draws(np.array(states), count, 5)
    assert got.tolist() == [[advance(s, 5 * k) & 31 for k in range(count)] for s in states]


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_two_draws_near_each_other_are_independent(bits: int) -> None:
    """All bits of two draws are linearly independent: over the period, each pair comes as often."""
    first = list(skip(0)[:bits])
    for distance in range(1, 200):
        assert rank(first + list(skip(distance * bits)[:bits])) == 2 * bits, distance


@pytest.mark.parametrize("bits", range(1, 16))
def test_neighbouring_draws_are_independent_at_any_width(bits: int) -> None:
    assert rank(list(skip(0)[:bits]) + list(skip(bits)[:bits])) == 2 * bits


def test_seeds_are_mixed_and_never_zero() -> None:
    seeds = [seed_of(number) for number in range(-50, 2000)]
    assert len(set(seeds)) == len(seeds)
    assert SEED_FORMAT.holds(np.array(seeds))
    assert min(seeds) > 0
    assert abs(np.mean(seeds) / PERIOD - 0.5) < 0.03
