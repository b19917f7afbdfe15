# SPDX-License-Identifier: Apache-2.0
"""Width changers, forks and buffers hand on what they are given."""

import numpy as np
import pytest
from amaranth import Shape
from bench.streams import first_divergence, simulate
from bench.vectors import dense_beats, event_beats

from spikewright.hw.glue.streams import (
    Buffer,
    Fork,
    Narrow,
    Widen,
    beats_of,
    dense_layout,
    event_layout,
)

SHAPE = Shape(6, signed=True)
SIZES = [(1, 1), (1, 3), (5, 1), (7, 3), (8, 4), (5, 5), (4, 7)]
SEEDS = [None, 1, 2]


def vectors(size: int, seed: int | None) -> np.ndarray:
    """Three frames of three steps."""
    return np.random.default_rng(seed).integers(-32, 32, (3, 3, size))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("size", "lanes"), SIZES)
def test_narrow(size: int, lanes: int, seed: int | None) -> None:
    given = vectors(size, seed)
    want = dense_beats(given, 1)
    got = simulate(
        Narrow(SHAPE, size=size, lanes=lanes),
        {"i": dense_beats(given, lanes, np.random.default_rng(0))},
        {"o": len(want)},
        stall_seed=seed,
    )
    assert first_divergence(want, got["o"]) is None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("size", "lanes"), SIZES)
def test_widen(size: int, lanes: int, seed: int | None) -> None:
    given = vectors(size, seed)
    want = dense_beats(given, lanes)
    got = simulate(
        Widen(SHAPE, lanes=lanes),
        {"i": dense_beats(given, 1, np.random.default_rng(0))},
        {"o": len(want)},
        stall_seed=seed,
    )
    assert first_divergence(want, got["o"]) is None


def test_narrow_has_no_gaps() -> None:
    given = vectors(8, 0)
    beats = dense_beats(given, 4)
    simulate(Narrow(SHAPE, size=8, lanes=4), {"i": beats}, {"o": 72}, max_cycles=72 + 40)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("branches", [1, 2, 3])
def test_fork(branches: int, seed: int | None) -> None:
    given = dense_beats(vectors(5, seed), 2)
    names = [f"o{k}" for k in range(branches)]
    got = simulate(
        Fork(dense_layout(SHAPE, 2), branches=branches),
        {"i": given},
        dict.fromkeys(names, len(given)),
        stall_seed=seed,
    )
    for name in names:
        assert first_divergence(given, got[name]) is None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_buffer(depth: int, seed: int | None) -> None:
    given = event_beats(np.random.default_rng(seed).integers(0, 2, (3, 3, 5)))
    got = simulate(
        Buffer(event_layout(5), depth=depth), {"i": given}, {"o": len(given)}, stall_seed=seed
    )
    assert first_divergence(given, got["o"]) is None


@pytest.mark.parametrize(("size", "lanes", "beats"), [(1, 1, 1), (1, 9, 1), (9, 3, 3), (10, 3, 4)])
def test_beats_of(size: int, lanes: int, beats: int) -> None:
    assert beats_of(size, lanes) == beats
