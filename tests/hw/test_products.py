# SPDX-License-Identifier: Apache-2.0
"""Products of several lanes, one multiplier for two of them where the part's is wide enough."""

import itertools
import re

import amaranth.back.rtlil as rtlil
import pytest
from amaranth import Elaboratable, Fragment, Shape, signed, unsigned
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.cells.family import ECP5, ICE40, XC7, Family
from spikewright.hw.estimate import estimate
from spikewright.hw.product.products import Products, latency, packing


class For(Elaboratable):
    """A component as it is elaborated for a family."""

    def __init__(self, component: Elaboratable, family: Family | None):
        self.component, self.family = component, family

    def elaborate(self, platform: object) -> Fragment:
        return Fragment.get(self.component, self.family)


def products(
    weight: Shape, x: Shape, lanes: int, family: Family | None, given: list[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Products of a sequence of (x, weight_0, weight_1, ...), one a cycle."""
    component = Products(weight, x, lanes=lanes)
    found = []

    async def testbench(ctx: object) -> None:
        for cycle in range(len(given) + latency(weight, x)):
            codes = given[min(cycle, len(given) - 1)]
            ctx.set(component.x, codes[0])
            for k in range(lanes):
                ctx.set(getattr(component, f"weight_{k}"), codes[k + 1])
            await ctx.tick()
            found.append(tuple(ctx.get(getattr(component, f"product_{k}")) for k in range(lanes)))

    simulator = Simulator(For(component, family))
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return found[latency(weight, x) - 1 :][: len(given)]


def codes_of(shape: Shape) -> range:
    top = 1 << (shape.width - shape.signed)
    return range(-top if shape.signed else 0, top)


@pytest.mark.parametrize("family", [None, XC7], ids=["plain", "packed"])
@pytest.mark.parametrize("x", [signed(4), unsigned(4)], ids=["signed x", "unsigned x"])
def test_every_pair_of_weights(x: Shape, family: Family | None) -> None:
    weight = signed(3)
    assert packing(weight, x, family) == (1 if family is None else 2)
    given = list(itertools.product(codes_of(x), codes_of(weight), codes_of(weight)))
    want = [(a * v, a * w) for a, v, w in given]
    assert products(weight, x, 2, family, given) == want


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_widths(data: st.DataObject) -> None:
    weight = Shape(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
    x = Shape(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
    family = data.draw(st.sampled_from([None, XC7]))
    lanes = data.draw(st.integers(1, 3))
    row = st.tuples(st.sampled_from(codes_of(x)), *[st.sampled_from(codes_of(weight))] * lanes)
    given = data.draw(st.lists(row, min_size=1, max_size=8))
    want = [tuple(codes[0] * w for w in codes[1:]) for codes in given]
    assert products(weight, x, lanes, family, given) == want


@pytest.mark.parametrize(
    ("weight", "x", "family", "count"),
    [
        (signed(8), unsigned(8), XC7, 1),
        (signed(8), signed(8), XC7, 1),
        (signed(8), unsigned(9), XC7, 1),
        (signed(8), unsigned(10), XC7, 2),
        (signed(8), unsigned(8), ECP5, 2),
        (signed(4), unsigned(8), ECP5, 1),
        (signed(4), unsigned(8), ICE40, 1),
        (signed(5), unsigned(8), ICE40, 2),
        (signed(4), unsigned(8), None, 2),
        (signed(2), unsigned(8), XC7, 0),
        (signed(8), unsigned(1), XC7, 0),
    ],
)
def test_multipliers_of_two_lanes(
    weight: Shape, x: Shape, family: Family | None, count: int
) -> None:
    text = rtlil.convert(Products(weight, x, lanes=2), platform=family, emit_src=False)
    own = len(re.findall(r"cell \\SB_MAC16 ", text))
    assert estimate(text, family or XC7).dsp + own == count
