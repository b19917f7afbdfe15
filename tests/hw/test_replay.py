# SPDX-License-Identifier: Apache-2.0
"""Each vector comes so many times."""

import numpy as np
import pytest
from amaranth import Module, Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from bench.streams import first_divergence, simulate
from bench.vectors import dense_beats

from spikewright.hw.replay import Replay
from spikewright.hw.streams import dense_layout

LAYOUT = dense_layout(Shape(6, signed=True), 2)


class Told(wiring.Component):
    """A Replay whose marks of the first and last pass come with the beats."""

    def __init__(self, beats: int, passes: int):
        self.replay = Replay(LAYOUT, beats=beats, passes=passes)
        told = data.StructLayout({"beat": LAYOUT, "pass_first": 1, "pass_last": 1})
        super().__init__({"i": In(stream.Signature(LAYOUT)), "o": Out(stream.Signature(told))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.replay = inner = self.replay
        wiring.connect(m, wiring.flipped(self.i), inner.i)
        m.d.comb += [
            self.o.valid.eq(inner.o.valid),
            inner.o.ready.eq(self.o.ready),
            self.o.payload.beat.eq(inner.o.payload),
            self.o.payload.pass_first.eq(inner.pass_first),
            self.o.payload.pass_last.eq(inner.pass_last),
        ]
        return m


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("passes", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 4, 6, 9])
def test_passes(size: int, passes: int, seed: int | None) -> None:
    vectors = np.random.default_rng(seed).integers(-32, 32, (6, 1, size))
    want = [
        {"beat": beat, "pass_first": k == 0, "pass_last": k == passes - 1}
        for vector in vectors
        for k in range(passes)
        for beat in dense_beats(vector[None], 2)
    ]
    beats = dense_beats(vectors, 2)
    component = Told(len(beats) // 6, passes)
    got = simulate(component, {"i": beats}, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None


def test_no_gaps() -> None:
    beats = dense_beats(np.zeros((9, 1, 8), np.int64), 2)
    component = Replay(LAYOUT, beats=4, passes=3)
    # Four beats to fill, then a beat a cycle; the bench lingers for 24 cycles.
    simulate(component, {"i": beats}, {"o": 108}, max_cycles=4 + 108 + 30)
