# SPDX-License-Identifier: Apache-2.0
"""Rounding by random bits: what it does on average, what it leaves alone, whose draws it takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.fixed import round_half_up
from spikewright.sim.lfsr import advance, draws
from spikewright.sim.stochastic import MOST_BITS, draws_at, jump, round_randomly

states = st.integers(1, 2**31 - 1)


@given(states, st.sampled_from([1, 2, 7, 64, 99]), st.sampled_from([1, 2, 8, 15]))
def test_draws_are_the_generators(state: int, count: int, bits: int) -> None:
    assert (
        draws_at(state, count, bits).tolist() == draws(np.array([state]), count, bits)[0].tolist()
    )


@given(states, st.integers(0, 500))
def test_jumping_is_advancing(state: int, bits: int) -> None:
    assert jump(state, bits) == advance(state, bits)


@given(st.integers(-(2**40), 2**40), st.integers(1, MOST_BITS), st.integers(0, 20))
def test_the_mean_over_all_draws_is_the_value(code: int, bits: int, more: int) -> None:
    shift = bits + more
    found = round_randomly(np.full(1 << bits, code), shift, np.arange(1 << bits), bits)
    assert set(found.tolist()) <= {code >> shift, (code >> shift) + 1}
    # What is below the bits drawn is rounded half up: half a draw's worth at most.
    assert abs(int(found.sum()) * 2**more - code) <= (1 << more >> 1)


@given(st.integers(0, MOST_BITS), st.integers(0, 30))
def test_zero_stays_zero_and_codes_without_a_fraction_stay(bits: int, more: int) -> None:
    codes = np.arange(-3, 4, dtype=np.int64)
    drawn = np.arange(1 << bits)[:, None]
    found = round_randomly(codes << (bits + more), bits + more, drawn, bits)
    assert (found == codes).all()


@given(st.integers(-(2**40), 2**40), st.integers(0, 40))
def test_without_draws_it_rounds_half_up(code: int, shift: int) -> None:
    codes = np.array([code])
    drawn = np.zeros(1, np.uint16)
    assert round_randomly(codes, shift, drawn, 0) == round_half_up(codes, shift)


@pytest.mark.parametrize("bits", [1, 8, 15])
def test_draws_of_a_run_are_uniform(bits: int) -> None:
    drawn = draws_at(12345, 40_000, bits)
    assert abs(drawn.mean() / ((1 << bits) - 1) - 0.5) < 0.01
    assert drawn.max() < 1 << bits
