# SPDX-License-Identifier: Apache-2.0
"""A pipeline that never waits gives a beat a cycle, and loses none."""

import numpy as np
import pytest
from amaranth import Module, Shape
from amaranth.build import Platform
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from bench.streams import first_divergence, simulate
from bench.vectors import dense_beats

from spikewright.hw.glue.flow import Flow, delayed
from spikewright.hw.glue.outlet import CYCLES, SHALLOW
from spikewright.hw.glue.streams import dense_layout

SHAPE = Shape(9)


class Adder(wiring.Component):
    """Adds one, after some cycles."""

    def __init__(self, cycles: int):
        self.cycles = cycles
        signature = stream.Signature(dense_layout(SHAPE, 2))
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        flow = Flow(m, self.i, shape=SHAPE, lanes=2, cycles=self.cycles)
        results = [delayed(m, self.i.payload.data[k] + 1, self.cycles) for k in range(2)]
        flow.leave(results, self.o)
        return m


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize("cycles", [1, 2, 7, 12])
def test_order_and_flags_are_kept(cycles: int, seed: int | None) -> None:
    vectors = np.random.default_rng(cycles).integers(0, 500, (4, 3, 7))
    want = dense_beats(vectors + 1, 2)
    got = simulate(Adder(cycles), {"i": dense_beats(vectors, 2)}, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None


@pytest.mark.parametrize("cycles", [1, 2, 3, 4, SHALLOW - CYCLES])
def test_a_beat_a_cycle(cycles: int) -> None:
    """So many beats in hardly more cycles: reset, latency, and a few to see that no more come."""
    vectors = np.zeros((1, 1, 600), np.int64)
    simulate(
        Adder(cycles), {"i": dense_beats(vectors, 2)}, {"o": 300}, max_cycles=300 + cycles + 32
    )
