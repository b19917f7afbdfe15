# SPDX-License-Identifier: Apache-2.0
"""Strides in other coordinates, and matrices in two halves, equal stepping."""

import random
from collections.abc import Callable

import pytest
from amaranth import Module, Signal, Value
from amaranth.sim import Simulator, SimulatorContext

from spikewright.hw.glue.flow import delayed
from spikewright.hw.lfsr import Parities, Strides, combined, inverse
from spikewright.sim.lfsr import ORDER, advance, product, seed_of, skip

IDENTITY = tuple(1 << k for k in range(ORDER))


CYCLES = 2
"""Most registers on the way."""


def results(make: Callable[[Module, Value], Value], strides: Strides | None = None) -> list[int]:
    """What gateware makes of the states, or of their coordinates, of seeds 0 to 19."""
    m, state = Module(), Signal(ORDER)
    held = delayed(m, state if strides is None else strides.of_state(state), 1)
    value = make(m, held)
    seen = Signal(len(value))
    m.d.comb += seen.eq(value)
    found = []

    async def testbench(ctx: SimulatorContext) -> None:
        for number in range(20):
            ctx.set(state, seed_of(number))
            await ctx.tick().repeat(CYCLES)
            found.append(ctx.get(seen))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return found


def coordinates_of(strides: Strides, state: int) -> int:
    return sum(((row & state).bit_count() & 1) << k for k, row in enumerate(strides.from_state))


@pytest.mark.parametrize("stride", [1, 8, 30, 64, 784 * 8])
def test_a_stride_is_so_many_steps(stride: int) -> None:
    strides = Strides(stride)
    got = results(lambda m, held: strides.after(held), strides)
    wanted = [coordinates_of(strides, advance(seed_of(k), stride)) for k in range(20)]
    assert got == wanted


@pytest.mark.parametrize("bits", [0, 1, 31, 100])
def test_any_skip_in_coordinates(bits: int) -> None:
    strides = Strides(64)
    got = results(lambda m, held: strides.skipped(held, bits), strides)
    assert got == [coordinates_of(strides, advance(seed_of(k), bits)) for k in range(20)]


@pytest.mark.parametrize("low", [ORDER, 8, 1])
@pytest.mark.parametrize("bits", [0, 8, 61])
def test_bits_of_a_state_from_its_coordinates(bits: int, low: int) -> None:
    strides = Strides(24)

    def make(m: Module, held: Value) -> Value:
        parities = Parities(held, lambda bit: delayed(m, bit, 1))
        return parities.combined(strides.rows_of(bits, low))

    wanted = [advance(seed_of(k), bits) & ((1 << low) - 1) for k in range(20)]
    assert results(make, strides) == wanted


def test_a_matrix_in_one_cycle() -> None:
    got = results(lambda m, held: combined(skip(77), held))
    assert got == [advance(seed_of(k), 77) for k in range(20)]


@pytest.mark.parametrize("seed", range(5))
def test_inverses(seed: int) -> None:
    rnd = random.Random(seed)
    rows = skip(rnd.randrange(2**31))
    assert product(rows, inverse(rows)) == product(inverse(rows), rows) == IDENTITY
