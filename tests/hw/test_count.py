# SPDX-License-Identifier: Apache-2.0
"""Gateware counts equal the golden ones."""

import numpy as np
import pytest
from bench.streams import first_divergence, simulate
from bench.vectors import compare_with_golden, dense_beats, event_beats

from spikewright.hw.count import Count
from spikewright.sim import count


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("steps", [1, 4, 7])
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_frames(size: int, steps: int, seed: int | None) -> None:
    component = Count(count.Count(size=size, steps=steps))
    compare_with_golden(component, seed=seed or 0, frames=4, steps=steps, stalls=seed is not None)


def test_every_neuron_in_every_step() -> None:
    spikes = np.ones((2, 7, 5), np.int64)
    got = simulate(Count(count.Count(size=5, steps=7)), {"i_s": event_beats(spikes)}, {"o_n": 10})
    want = dense_beats(np.full((2, 1, 5), 7), 1)
    assert first_divergence(want, got["o_n"]) is None


def test_frames_of_different_lengths() -> None:
    spikes = np.ones((1, 7, 3), np.int64)
    beats = [*event_beats(spikes[:, :2]), *event_beats(spikes), *event_beats(spikes[:, :1])]
    got = simulate(Count(count.Count(size=3, steps=7)), {"i_s": beats}, {"o_n": 9}, stall_seed=3)
    assert [beat["data"][0] for beat in got["o_n"]] == [2, 2, 2, 7, 7, 7, 1, 1, 1]


def test_a_spike_a_cycle_and_three_for_a_step() -> None:
    """And one a cycle for counts to be cleared and to leave; some to see that no more come."""
    spikes = np.ones((2, 10, 64), np.int64)
    cycles = 64 + 2 * (10 * (64 + 3) + 64)
    component = Count(count.Count(size=64, steps=10))
    simulate(component, {"i_s": event_beats(spikes)}, {"o_n": 128}, max_cycles=cycles + 45)


def test_spikes_right_after_the_counts_are_cleared() -> None:
    spikes = np.zeros((3, 1, 3), np.int64)
    spikes[:, :, 2] = 1
    beats = event_beats(spikes)
    got = simulate(Count(count.Count(size=3, steps=1)), {"i_s": beats}, {"o_n": 9})
    assert [beat["data"][0] for beat in got["o_n"]] == [0, 0, 1] * 3
