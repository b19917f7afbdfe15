# SPDX-License-Identifier: Apache-2.0
"""The rounding and overflow rules as gateware, on every code of small formats."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from amaranth import C, Module, Signal, Value, signed
from amaranth.sim import Simulator
from bench.codes import random_codes

from spikewright.hw.fixed import (
    halved,
    minus_rounded,
    plus_shifted,
    rounded,
    saturate,
    shape_of,
    split,
)
from spikewright.sim import fixed
from spikewright.sim.fixed import QFormat


def evaluate(
    fmt: QFormat, rule: Callable[[Module, Signal], Value], codes: Sequence[int]
) -> list[int]:
    """Values of an expression of a code."""
    m = Module()
    code = Signal(shape_of(fmt))
    expression = rule(m, code)
    result = Signal(expression.shape())
    m.d.comb += result.eq(expression)
    found: list[int] = []

    async def bench(ctx: Any) -> None:
        for value in codes:
            ctx.set(code, value)
            found.append(ctx.get(result))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def codes_of(fmt: QFormat) -> np.ndarray:
    if fmt.width <= 7:
        return np.arange(fmt.lo, fmt.hi + 1)
    return random_codes(np.random.default_rng(fmt.width), fmt, (60,))


FORMATS = [
    QFormat(width=width, signed=signed)
    for width in (1, 2, 3, 5, 7, 33, 64)
    for signed in (True, False)
    if width < 64 or signed
]


@pytest.mark.parametrize("to", FORMATS, ids=str)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_saturate(fmt: QFormat, to: QFormat) -> None:
    codes = codes_of(fmt)
    got = evaluate(fmt, lambda m, code: saturate(m, code, to), codes.tolist())
    assert got == to.saturate(codes).tolist()


@pytest.mark.parametrize("shift", [0, 1, 2, 5, 9, 63])
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_rounding_in_two_halves(fmt: QFormat, shift: int) -> None:
    codes = codes_of(fmt)
    want = fixed.round_half_up(codes, shift).tolist()
    got = evaluate(fmt, lambda _, code: rounded(halved(code, shift)), codes.tolist())
    assert got == want


@pytest.mark.parametrize("value", [-9, 0, 100])
@pytest.mark.parametrize("shift", [0, 1, 2, 5, 9, 63])
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_minus_rounded(fmt: QFormat, shift: int, value: int) -> None:
    codes = codes_of(fmt)
    want = [value - amount for amount in fixed.round_half_up(codes, shift).tolist()]
    base = C(value, signed(8))
    got = evaluate(fmt, lambda _, code: minus_rounded(base, code, shift), codes.tolist())
    assert got == want


@pytest.mark.parametrize("shift", [-1, -4])
def test_negative_shifts_multiply(shift: int) -> None:
    fmt = QFormat(width=5)
    codes = codes_of(fmt).tolist()
    got = evaluate(fmt, lambda _, code: rounded(halved(code, shift)), codes)
    assert got == [code << -shift for code in codes]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("width", [1, 12, 18, 19, 22, 24, 25, 32])
def test_parts_add_up(width: int, signed: bool) -> None:
    fmt = QFormat(width=width, signed=signed)
    codes = [*codes_of(fmt).tolist(), fmt.lo, fmt.hi]

    def together(_: Module, code: Signal) -> Value:
        high, low, below = split(code)
        assert (low is None) == (below == 0)
        assert len(high) <= 18 + (below == 0 and not signed)
        return high if low is None else plus_shifted(low, high, below)

    assert evaluate(fmt, together, codes) == codes


@pytest.mark.parametrize("high", [-9, 0, 100])
@pytest.mark.parametrize("shift", [0, 1, 2, 5, 9, 40])
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_plus_shifted(fmt: QFormat, shift: int, high: int) -> None:
    codes = codes_of(fmt).tolist()
    base = C(high, signed(8))
    got = evaluate(fmt, lambda _, code: plus_shifted(code, base, shift), codes)
    assert got == [code + (high << shift) for code in codes]
