# SPDX-License-Identifier: Apache-2.0
"""A step takes a cycle for each weight word and at most eight more, whatever spikes."""

from collections.abc import Callable

import amaranth.back.rtlil as rtlil
import numpy as np
import pytest
from amaranth import signed, unsigned
from bench.streams import read_back, simulate
from bench.vectors import compare_with_golden, event_beats

from spikewright.hw.cells.family import ECP5
from spikewright.hw.estimate import estimate
from spikewright.hw.event_matvec import EventMatVec
from spikewright.hw.product import mac_row
from spikewright.hw.product.product_core import bank_of
from spikewright.sim.event_matvec import EventMatVec as Primitive
from spikewright.sim.fixed import QFormat
from spikewright.sim.primitive import Codes

STEPS, NEURONS = 60, 64
MOST_A_STEP = 8
FILL = 80
"""Cycles of the reset, of the first events, and from the last of them to the last row."""


def random_spikes(share: float) -> Callable[[np.random.Generator], Codes]:
    return lambda rng: rng.random((STEPS, NEURONS)) < share


def bursts(length: int) -> Callable[[np.random.Generator], Codes]:
    """So many steps of all spikes, and as many without any."""
    loud = np.arange(STEPS) // length % 2 == 0
    return lambda rng: np.repeat(loud[:, None], NEURONS, axis=1)


PATTERNS: dict[str, Callable[[np.random.Generator], Codes]] = {
    "silent": random_spikes(0),
    "few": random_spikes(0.01),
    "some": random_spikes(0.12),
    "most": random_spikes(0.9),
    "all": random_spikes(1),
    "one of two steps": bursts(1),
    "bursts": bursts(7),
    "one of ten steps": lambda rng: (np.arange(STEPS) % 10 == 9)[:, None] & np.ones(NEURONS, bool),
}


def core(rows: int, columns: int, lanes: int, lanes_out: int, *, bits: int = 4) -> EventMatVec:
    weight = QFormat(width=bits, frac=0)
    primitive = Primitive(rows=rows, columns=columns, weight_format=weight, weight="w")
    return EventMatVec(primitive, lanes=lanes, lanes_out=lanes_out)


@pytest.mark.parametrize(("lanes", "lanes_out"), [(64, 8), (64, 64), (16, 8)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_cycles_of_steps_back_to_back(pattern: str, lanes: int, lanes_out: int) -> None:
    component = core(64, NEURONS, lanes, lanes_out)
    spikes = PATTERNS[pattern](np.random.default_rng(0))
    words = int(spikes.sum()) * component.core.passes
    simulate(
        component,
        {"i_x": event_beats(spikes[None])},
        {"o_y": STEPS * 64 // lanes_out},
        max_cycles=words + MOST_A_STEP * STEPS + FILL,
    )


def apart(component: EventMatVec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each lane a memory of its own, as a large core on ECP5 does."""
    monkeypatch.setattr(mac_row.MacRow, "_shared", lambda self, platform: 1)


@pytest.mark.parametrize("lanes", [(4, 1), (4, 2), (6, 3), (8, 8)])
def test_a_memory_for_each_lane(lanes: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    component = core(8, 5, *lanes) if lanes[0] != 6 else core(6, 5, *lanes)
    apart(component, monkeypatch)
    compare_with_golden(component, seed=1)


def test_a_weight_of_each_lane_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    component = core(8, 5, 4, 2)
    apart(component, monkeypatch)
    codes = [(7 * k) % 16 - 8 for k in range(40)]
    assert read_back(component, "host_0", 40, tensors={"host_0": codes}) == codes


@pytest.mark.parametrize(("bits", "most"), [(4, 1.15), (8, 1.15), (9, 1.03)])
@pytest.mark.parametrize("lanes_out", [1, 16])
def test_block_ram_of_weights(bits: int, most: float, lanes_out: int) -> None:
    """Bits of block RAM for a bit of weights, 256 times 256 of them on 16 lanes."""
    depth = 16 * 256
    row = mac_row.MacRow(
        weight=signed(bits),
        x=unsigned(1),
        total=signed(bits + 8),
        depth=depth,
        lanes=16,
        bank=bank_of(bits, depth, 16, lanes_out),
        lanes_out=lanes_out,
    )
    text = str(rtlil.convert(row, platform=ECP5, emit_src=False))
    assert 0 < estimate(text, ECP5).bram * 18 * 1024 <= most * 256 * 256 * bits
