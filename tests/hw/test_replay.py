# SPDX-License-Identifier: Apache-2.0
"""Each vector is played so many times, in order, without gaps."""

import numpy as np
import pytest
from amaranth import Cat, Module, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from bench.streams import first_divergence, simulate

from spikewright.hw.glue.outlet import Outlet
from spikewright.hw.product.replay import Replay, ReplayRing, entry_layout

SHAPE = Shape(6, signed=True)
NAMES = ("start", "stop", "final", "first", "end")
TOLD = data.StructLayout({"data": SHAPE, **dict.fromkeys(NAMES, 1)})
ENOUGH = 512


class Told(wiring.Component):
    """A Replay whose plays are kept; the last entry of a pass waits in some cycles."""

    def __init__(self, replay: Replay | ReplayRing, *, waits: bool):
        self.replay = replay
        self.waits = waits
        entry = stream.Signature(entry_layout(SHAPE))
        super().__init__({"i": In(entry), "o": Out(stream.Signature(TOLD))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.replay = replay = self.replay
        m.submodules.outlet = outlet = Outlet(TOLD, depth=ENOUGH)
        wiring.connect(m, wiring.flipped(self.i), replay.i)
        wiring.connect(m, outlet.o, wiring.flipped(self.o))
        marks = Cat(replay.valid, *(getattr(replay, name) for name in NAMES))
        late = [Signal(len(marks), name=f"late{k}") for k in range(replay.latency)]
        count = Signal(2)
        m.d.sync += [late[0].eq(marks), late[1].eq(late[0]), count.eq(count + 1)]
        m.d.comb += [
            replay.go.eq((count == 0) if self.waits else 1),
            outlet.valid.eq(late[-1][0]),
            outlet.payload.data.eq(replay.data),
            Cat(getattr(outlet.payload, name) for name in NAMES).eq(late[-1][1:]),
        ]
        return m


def entries(vectors: list[list[int]]) -> list[dict[str, int]]:
    """Entries of vectors, each with its own flags in the last one."""
    found = []
    for n, vector in enumerate(vectors):
        for k, code in enumerate(vector):
            last = k == len(vector) - 1
            flags = {"first": n & 1, "end": n >> 1 & 1} if last else {"first": 1, "end": 1}
            found.append({"data": code, "last": last, **flags})
    return found


def plays(vectors: list[list[int]], passes: int) -> list[dict[str, int]]:
    """What is played."""
    return [
        {
            "data": code,
            "start": k == 0,
            "stop": k == len(vector) - 1,
            "final": play == passes - 1,
            "first": n & 1,
            "end": n >> 1 & 1,
        }
        for n, vector in enumerate(vectors)
        for play in range(passes)
        for k, code in enumerate(vector)
    ]


def player(kind: str, size: int, passes: int) -> Replay | ReplayRing:
    """Of either kind, for vectors of up to so many entries."""
    if kind == "ring":
        return ReplayRing(SHAPE, length=size, passes=passes, vectors=4)
    return Replay(SHAPE, length=size, passes=passes, varying=kind == "varying")


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("kind", ["fixed", "varying", "ring"])
@pytest.mark.parametrize("passes", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 4, 9])
def test_passes(size: int, passes: int, kind: str, waits: bool, seed: int | None) -> None:
    rng = np.random.default_rng(seed)
    lengths = [size] * 12 if kind == "fixed" else rng.integers(1, size + 1, 12)
    vectors = [rng.integers(-32, 32, length).tolist() for length in lengths]
    component = Told(player(kind, size, passes), waits=waits)
    want = plays(vectors, passes)
    got = simulate(component, {"i": entries(vectors)}, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None


@pytest.mark.parametrize("kind", ["fixed", "varying", "ring"])
def test_no_gaps(kind: str) -> None:
    vectors = [[0] * 4] * 9
    component = Told(player(kind, 4, 3), waits=False)
    # Four entries to fill, then one a cycle; the outlet takes ten, the bench lingers for 24.
    limit = 4 + 108 + 38
    simulate(component, {"i": entries(vectors)}, {"o": 108}, max_cycles=limit)
