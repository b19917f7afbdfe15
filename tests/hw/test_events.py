# SPDX-License-Identifier: Apache-2.0
"""Spikes as bits and as events: ascending, one marker a step, also when silent."""

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from bench.payloads import plain
from bench.streams import first_divergence, simulate
from bench.vectors import dense_beats, event_beats

from spikewright.hw.glue.events import Gather, Scatter

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
@pytest.mark.parametrize(
    ("size", "lanes"), [(1, 1), (5, 1), (7, 3), (8, 4), (5, 5), (4, 7), (24, 8), (40, 17), (35, 35)]
)
def test_gather(size: int, lanes: int, seed: int | None) -> None:
    given = spikes(size, seed)
    beats = dense_beats(given, lanes)
    for beat in beats:
        # What stands in the padding lanes is nobody's spike.
        beat["data"] = [*beat["data"], *[1] * (lanes - len(beat["data"]))]
    want = event_beats(given)
    got = simulate(Gather(size=size, lanes=lanes), {"i": beats}, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None


def cycles_to_gather(size: int, lanes: int, given: np.ndarray) -> int:
    """Cycles from the first beat in to the last event out, with nobody waiting."""
    gather = Gather(size=size, lanes=lanes)
    beats = [plain(beat) for beat in dense_beats(given, lanes)]
    events, cycles = len(event_beats(given)), 0

    async def bench(ctx: Any) -> None:
        nonlocal cycles, events
        ctx.set(gather.o.ready, 1)
        ctx.set(gather.i.valid, 1)
        position = 0
        while events:
            if position < len(beats):
                ctx.set(gather.i.payload, beats[position])
            ctx.set(gather.i.valid, position < len(beats))
            _, _, ready, valid = await ctx.tick().sample(gather.i.ready, gather.o.valid)
            position += ready
            events -= valid
            cycles += 1

    simulator = Simulator(gather)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return cycles


LATENCY = 4


@pytest.mark.parametrize(("size", "lanes"), [(40, 8), (40, 4), (64, 32)])
def test_silence_takes_a_cycle_a_beat(size: int, lanes: int) -> None:
    steps = 6
    cycles = cycles_to_gather(size, lanes, np.zeros((1, steps, size), np.int64))
    assert cycles <= steps * size // lanes + LATENCY


@pytest.mark.parametrize(("size", "lanes"), [(40, 8), (40, 4), (64, 32)])
def test_spikes_take_a_cycle_each_and_one_a_group(size: int, lanes: int) -> None:
    steps = 6
    spikes = (np.random.default_rng(1).random((1, steps, size)) < 0.3).astype(np.int64)
    groups = int(spikes.reshape(-1, min(lanes, 8)).any(1).sum())
    beats = steps * size // lanes
    cycles = cycles_to_gather(size, lanes, spikes)
    assert cycles <= int(spikes.sum()) + groups + beats + steps + LATENCY


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_scatter(size: int, seed: int | None) -> None:
    given = spikes(size, seed)
    want = dense_beats(given, 1)
    got = simulate(Scatter(size=size), {"i": event_beats(given)}, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None
