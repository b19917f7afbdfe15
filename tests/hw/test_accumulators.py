# SPDX-License-Identifier: Apache-2.0
"""Sums at any address, drained as a vector and cleared."""

import numpy as np
import pytest
from amaranth import Module, Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from bench.streams import first_divergence, simulate
from bench.vectors import dense_beats

from spikewright.hw.accumulators import Accumulators
from spikewright.hw.streams import dense_layout

SHAPE = Shape(12, signed=True)


class Commands(wiring.Component):
    """Accumulators told by a stream what to add, and when to drain."""

    def __init__(self, depth: int, lanes: int):
        self.inner = Accumulators(SHAPE, depth=depth, lanes=lanes)
        command = data.StructLayout(
            {
                "address": range(depth),
                "addend": data.ArrayLayout(SHAPE, lanes),
                "drain": 1,
                "first": 1,
                "end": 1,
            }
        )
        super().__init__(
            {
                "i": In(stream.Signature(command)),
                "o": Out(stream.Signature(dense_layout(SHAPE, lanes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self.inner
        command = self.i.payload
        go = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(inner.ready),
            inner.add.eq(go & ~command.drain),
            inner.drain.eq(go & command.drain),
            inner.address.eq(command.address),
            inner.addend.eq(command.addend),
            inner.first.eq(command.first),
            inner.end.eq(command.end),
        ]
        wiring.connect(m, inner.o, wiring.flipped(self.o))
        return m


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("depth", "lanes"), [(1, 1), (1, 3), (4, 1), (3, 2)])
def test_sums(depth: int, lanes: int, seed: int | None) -> None:
    rng = np.random.default_rng(seed)
    sums = np.zeros((2, 3, depth, lanes), np.int64)
    commands = []
    for frame in range(2):
        for step in range(3):
            for address in rng.integers(0, depth, rng.integers(0, 12)).tolist():
                addend = rng.integers(-100, 100, lanes)
                sums[frame, step, address] += addend
                commands.append({"address": address, "addend": addend})
            commands.append({"drain": 1, "first": step == 0, "end": step == 2})
    want = dense_beats(sums.reshape(2, 3, depth * lanes), lanes)
    got = simulate(Commands(depth, lanes), {"i": commands}, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None
