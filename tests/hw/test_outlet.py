# SPDX-License-Identifier: Apache-2.0
"""A pipeline that cannot wait loses nothing through an outlet, and gets all the room there is."""

import numpy as np
import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from bench.streams import first_divergence, simulate

from spikewright.hw.glue.outlet import Outlet

LAYOUT = data.StructLayout({"code": 8})


class Pipe(wiring.Component):
    """Groups of beats through a delay line; of every ``dropped``-th beat nothing comes."""

    def __init__(self, *, depth: int, group: int, delay: int, dropped: int):
        self.depth, self.group, self.delay, self.dropped = depth, group, delay, dropped
        signature = stream.Signature(LAYOUT)
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.outlet = outlet = Outlet(LAYOUT, depth=self.depth, group=self.group)
        wiring.connect(m, outlet.o, wiring.flipped(self.o))
        place, number = Signal(range(self.group)), Signal(range(self.dropped))
        reserved = Signal()
        take = Signal()
        m.d.comb += [
            self.i.ready.eq(reserved | outlet.room),
            take.eq(self.i.valid & self.i.ready),
            outlet.reserve.eq(take & ~reserved),
        ]
        with m.If(take):
            m.d.sync += [
                place.eq(place + 1),
                reserved.eq(1),
                number.eq(number + 1),
            ]
            with m.If(place == self.group - 1):
                m.d.sync += [place.eq(0), reserved.eq(0)]
            with m.If(number == self.dropped - 1):
                m.d.sync += number.eq(0)
        beat = Cat(take, number == self.dropped - 1, self.i.payload.code)
        for k in range(self.delay):
            late = Signal(len(beat), name=f"late{k}")
            m.d.sync += late.eq(beat)
            beat = late
        m.d.comb += [
            outlet.valid.eq(beat[0]),
            outlet.drop.eq(beat[1]),
            outlet.payload.code.eq(beat[2:]),
        ]
        return m


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize("dropped", [2, 5])
@pytest.mark.parametrize(("depth", "group"), [(1, 1), (3, 1), (4, 2), (5, 5), (12, 3)])
def test_every_beat_once_and_in_order(
    depth: int, group: int, dropped: int, seed: int | None
) -> None:
    codes = np.random.default_rng(seed).integers(0, 256, group * 12).tolist()
    component = Pipe(depth=depth, group=group, delay=4, dropped=dropped)
    want = [{"code": code} for k, code in enumerate(codes) if k % dropped != dropped - 1]
    given = {"i": [{"code": code} for code in codes]}
    got = simulate(component, given, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None


@pytest.mark.parametrize(("group", "depth"), [(1, 11), (2, 14), (4, 16)])
def test_one_beat_a_cycle_with_room_for_those_on_their_way(group: int, depth: int) -> None:
    beats = [{"code": k} for k in range(96)]
    component = Pipe(depth=depth, group=group, delay=4, dropped=97)
    # Ten cycles from the first beat in to the first out, and 24 in which the bench lingers.
    simulate(component, {"i": beats}, {"o": 96}, max_cycles=96 + 10 + 26)
