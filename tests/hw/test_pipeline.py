# SPDX-License-Identifier: Apache-2.0
"""Operands meet in the cycle of the latest, however they come."""

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Shape, Signal, signed, unsigned
from amaranth.sim import Simulator
from bench.codes import random_codes

from spikewright.hw.neuron.pipeline import Fetch, Fetched, Pipeline, Timed, latest
from spikewright.sim.fixed import QFormat

STEPS = 60


def streamed(
    shapes: list[Shape], build: Callable[..., Timed], seed: int
) -> tuple[int | None, list[list[int]], list[int]]:
    """Cycle of what is built of inputs, new in every cycle, and all of them from the start on."""
    m = Module()
    inputs = [Signal(shape, name=f"input_{k}") for k, shape in enumerate(shapes)]
    result = build(Pipeline(m), *inputs)
    shown = Signal(result.value.shape())
    m.d.comb += shown.eq(result.value)
    rng = np.random.default_rng(seed)
    formats = [QFormat(width=shape.width, signed=shape.signed) for shape in shapes]
    codes = [random_codes(rng, fmt, (STEPS,)).tolist() for fmt in formats]
    found: list[int] = []

    async def bench(ctx: Any) -> None:
        for now in zip(*codes, strict=True):
            for signal, code in zip(inputs, now, strict=True):
                ctx.set(signal, code)
            found.append(ctx.get(shown))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return result.cycle, codes, found


@pytest.mark.parametrize(("a_cycle", "b_cycle"), [(0, 0), (0, 3), (5, 2)])
def test_operands_wait_for_the_latest(a_cycle: int, b_cycle: int) -> None:
    def build(pipe: Pipeline, a: Signal, b: Signal) -> Timed:
        return pipe.stage(operator.sub, Timed(a, a_cycle), Timed(b, b_cycle), name="difference")

    cycle, (a, b), found = streamed([signed(8), signed(8)], build, seed=1)
    assert cycle == max(a_cycle, b_cycle) + 1
    for t in range(8, STEPS):
        assert found[t] == a[t - cycle + a_cycle] - b[t - cycle + b_cycle]


@pytest.mark.parametrize("a", [signed(16), signed(18), signed(19), signed(24), signed(25)])
@pytest.mark.parametrize("b", [unsigned(17), unsigned(1), unsigned(25)])
def test_products_of_any_width(a: Shape, b: Shape) -> None:
    def build(pipe: Pipeline, a: Signal, b: Signal) -> Timed:
        return pipe.product(Timed(a, 1), Timed(b, 0))

    cycle, (x, y), found = streamed([a, b], build, seed=a.width)
    assert cycle is not None
    for t in range(12, STEPS):
        assert found[t] == x[t - cycle + 1] * y[t - cycle]


@pytest.fixture
def pipe() -> Iterator[Pipeline]:
    """A pipeline whose module is used, as Amaranth wants it."""
    m = Module()
    yield Pipeline(m)
    Simulator(m)


def test_what_holds_still_takes_no_registers(pipe: Pipeline) -> None:
    still = Timed(Signal(8), None)
    assert pipe.at(still, 7) is still.value
    assert latest(still) == 0


def test_what_is_fetched_comes_when_it_is_first_used(pipe: Pipeline) -> None:
    fetch = Fetch(2)
    one, other = (Fetched(Signal(4), fetch) for _ in range(2))
    assert latest(one) == 2
    assert pipe.at(one, 5) is one.value
    assert fetch.cycle == 5
    # The word is there once: what needs it later keeps it, nobody moves it.
    assert pipe.at(other, 6) is not other.value
    assert latest(other) == 5


def test_a_stage_may_start_later(pipe: Pipeline) -> None:
    fetch = Fetch(2)
    found = pipe.stage(operator.neg, Fetched(Signal(4), fetch), name="negative", after=9)
    assert (found.cycle, fetch.cycle) == (10, 9)
