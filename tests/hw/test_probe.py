# SPDX-License-Identifier: Apache-2.0
"""A probe shows every element, and the CRC of the last whole frame."""

import random
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from bench.codes import random_codes
from bench.vectors import beats_for

from spikewright.hw.host.probe import Probe
from spikewright.sim.fixed import QFormat
from spikewright.sim.packets import stream_crc
from spikewright.sim.ports import SPIKE, Kind, Port


def watch(port: Port, beats: list[Any], seed: int) -> tuple[list[tuple[int, int]], list[int]]:
    """What the probe showed, and its CRC a few cycles after each frame's end."""
    probe = Probe(port)
    rng = random.Random(seed)
    shown: list[tuple[int, int]] = []
    crcs: list[int] = []

    async def bench(ctx: Any) -> None:
        async def tick() -> None:
            await ctx.tick()
            if ctx.get(probe.fire):
                shown.append((ctx.get(probe.flags), ctx.get(probe.data)))

        for beat in beats:
            for _ in range(rng.choice((0, 0, 1, 3))):
                # An offer that is not taken, or readiness for nothing, is no movement.
                valid = rng.randrange(2)
                ctx.set(probe.valid, valid)
                ctx.set(probe.ready, 1 - valid)
                await tick()
            ctx.set(probe.payload, beat)
            ctx.set(probe.valid, 1)
            ctx.set(probe.ready, 1)
            await tick()
            ctx.set(probe.valid, 0)
            if beat.get("end_frame") or (beat.get("last") and beat["end"]):
                for _ in range(3):
                    await tick()
                crcs.append(ctx.get(probe.crc))

    simulator = Simulator(probe)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return shown, crcs


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(
    "port",
    [
        Port(size=1, format=QFormat(width=5)),
        Port(size=4, format=QFormat(width=32, signed=False)),
        Port(size=3, format=QFormat(width=33)),
        Port(size=3, format=QFormat(width=64)),
        Port(size=5, format=SPIKE, kind=Kind.EVENT),
        Port(size=1, format=SPIKE, kind=Kind.EVENT),
    ],
    ids=lambda port: f"{port.kind.value}-{port.size}-{port.format}",
)
def test_elements_and_crc(port: Port, steps: int) -> None:
    vectors = random_codes(np.random.default_rng(steps), port.format, (4, steps, port.size))
    beats = beats_for(port, vectors, 1, np.random.default_rng(0))
    shown, crcs = watch(port, beats, seed=steps)
    assert crcs == [stream_crc(port, frame) for frame in vectors]
    if port.kind is Kind.EVENT:
        want = [(b["end_step"] | int(b["end_frame"]) << 1, int(b["index"])) for b in beats]
    else:
        want = [
            (int(b["first"]) | int(b["last"]) << 1 | int(b["end"]) << 2, b["data"][0] % 2**64)
            for b in beats
        ]
    assert shown == want
