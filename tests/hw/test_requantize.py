# SPDX-License-Identifier: Apache-2.0
"""Gateware scaling equals the golden one."""

import pytest
from bench.streams import read_back
from bench.vectors import compare_with_golden
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikewright.hw.requantize import Requantize
from spikewright.sim import requantize
from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat


def scaling(size: int, x: QFormat, y: QFormat, *, own: bool = False) -> requantize.Requantize:
    return requantize.Requantize(size=size, input=x, output=y, shift="s" if own else None)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (5, 1), (7, 3), (8, 4), (5, 5)])
@pytest.mark.parametrize("own", [False, True])
def test_vectors(size: int, lanes: int, own: bool, seed: int | None) -> None:
    primitive = scaling(size, QFormat(width=14, frac=9), QFormat(width=6, frac=4), own=own)
    component = Requantize(primitive, lanes=lanes)
    compare_with_golden(component, seed=seed or 0, stalls=seed is not None)


formats = st.builds(
    lambda signed, width, frac: QFormat(width=min(width, 63 + signed), frac=frac, signed=signed),
    st.booleans(),
    st.integers(1, 64),
    st.integers(-4, 44),
)


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 6), formats, formats, st.booleans(), st.integers(0, 99))
def test_any_format(size: int, lanes: int, x: QFormat, y: QFormat, own: bool, seed: int) -> None:
    try:
        primitive = scaling(size, x, y, own=own)
    except FormatError:
        assume(False)
    compare_with_golden(Requantize(primitive, lanes=min(size, lanes)), seed=seed, frames=2, steps=2)


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_shifts_read_back(lanes: int) -> None:
    primitive = scaling(5, QFormat(width=14, frac=9), QFormat(width=6, frac=4), own=True)
    codes = {"host_0": [0, 15, 3, 7, 8]}
    component = Requantize(primitive, lanes=lanes)
    assert read_back(component, "host_0", 5, tensors=codes, stall_seed=1) == codes["host_0"]
