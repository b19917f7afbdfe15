# SPDX-License-Identifier: Apache-2.0
"""Spikes as bits and as events: ascending, one marker a step, also when silent."""

import numpy as np
import pytest
from bench.streams import first_divergence, simulate
from bench.vectors import dense_beats, event_beats

from spikewright.hw.events import Gather, Scatter

SEEDS = [None, 1, 2]


def spikes(size: int, seed: int | None) -> np.ndarray:
    """Frames of silence, of full vectors and of random ones."""
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            np.zeros((3, size), np.int64),
            np.ones((3, size), np.int64),
            *rng.integers(0, 2, (3, 3, size)),
            (rng.random((3, size)) < 0.1).astype(np.int64),
        ]
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (5, 1), (7, 3), (8, 4), (5, 5), (4, 7)])
def test_gather(size: int, lanes: int, seed: int | None) -> None:
    given = spikes(size, seed)
    beats = dense_beats(given, lanes)
    for beat in beats:
        # What stands in the padding lanes is nobody's spike.
        beat["data"] = [*beat["data"], *[1] * (lanes - len(beat["data"]))]
    want = event_beats(given)
    got = simulate(Gather(size=size, lanes=lanes), {"i": beats}, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_scatter(size: int, seed: int | None) -> None:
    given = spikes(size, seed)
    want = dense_beats(given, 1)
    got = simulate(Scatter(size=size), {"i": event_beats(given)}, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None
