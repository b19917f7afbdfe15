# SPDX-License-Identifier: Apache-2.0
"""Gateware tables equal the golden ones."""

import numpy as np
import pytest
from amaranth.back import verilog
from bench.streams import first_divergence, simulate
from bench.vectors import compare_with_golden, dense_beats
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.lookup import Lookup
from spikewright.sim import lookup
from spikewright.sim.fixed import QFormat

SIZES = [(1, 1), (7, 3), (8, 4)]


def component(x: QFormat, y: QFormat, function: str, size: int = 1, lanes: int = 1) -> Lookup:
    return Lookup(lookup.Lookup(size=size, input=x, output=y, function=function), lanes=lanes)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("size", "lanes"), SIZES)
@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
@pytest.mark.parametrize("frac_out", [7, 14], ids=["plain", "interpolated"])
def test_vectors(frac_out: int, function: str, size: int, lanes: int, seed: int | None) -> None:
    x, y = QFormat(width=18, frac=14), QFormat(width=frac_out + 1, frac=frac_out)
    dut = component(x, y, function, size, lanes)
    compare_with_golden(dut, seed=seed or 0, stalls=seed is not None)


formats = st.builds(
    QFormat,
    width=st.integers(1, 24),
    frac=st.integers(-3, 24),
    signed=st.booleans(),
)
outputs = st.builds(
    QFormat, width=st.integers(1, 20), frac=st.integers(0, 16), signed=st.booleans()
)


@settings(max_examples=40)
@given(formats, outputs, st.sampled_from(["sigmoid", "tanh"]), st.integers(0, 99))
def test_any_format(x: QFormat, y: QFormat, function: str, seed: int) -> None:
    dut = component(x, y, function, 5, 2)
    compare_with_golden(dut, seed=seed, frames=4, steps=4)


@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (QFormat(width=9, frac=5), QFormat(width=9, frac=8)),
        (QFormat(width=10, frac=9), QFormat(width=17, frac=16)),
        (QFormat(width=10, frac=3, signed=False), QFormat(width=8, frac=7)),
    ],
    ids=str,
)
def test_every_code(x: QFormat, y: QFormat, function: str) -> None:
    dut = component(x, y, function, 8, 8)
    codes = np.arange(x.lo, x.hi + 1).reshape(-1, 1, 8)
    _, (expected,) = dut.primitive.step({}, {}, codes[:, 0])
    want = dense_beats(expected[:, None], 8)
    got = simulate(dut, {"i_x": dense_beats(codes, 8)}, {"o_y": len(want)})
    assert first_divergence(want, got["o_y"]) is None


@pytest.mark.parametrize(("y", "limit"), [(8, 40_000), (17, 70_000)])
def test_a_table_is_few_lines_of_verilog(y: int, limit: int) -> None:
    dut = component(QFormat(width=24, frac=14), QFormat(width=y, frac=y - 1), "tanh")
    assert len(verilog.convert(dut, emit_src=False)) < limit
