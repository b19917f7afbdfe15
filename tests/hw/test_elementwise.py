# SPDX-License-Identifier: Apache-2.0
"""Gateware sums and products equal the golden ones."""

import pytest
from bench.vectors import compare_with_golden
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.elementwise import Elementwise
from spikewright.sim import elementwise
from spikewright.sim.fixed import QFormat


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (5, 1), (7, 3), (8, 4), (5, 5)])
@pytest.mark.parametrize("operation", ["add", "multiply"])
def test_vectors(size: int, lanes: int, operation: str, seed: int | None) -> None:
    primitive = elementwise.Elementwise(
        size=size, a=QFormat(width=6), b=QFormat(width=4, signed=False), operation=operation
    )
    component = Elementwise(primitive, lanes=lanes)
    compare_with_golden(component, seed=seed or 0, stalls=seed is not None)


@settings(max_examples=20)
@given(
    st.sampled_from(["add", "multiply"]),
    st.tuples(st.integers(1, 31), st.booleans()),
    st.tuples(st.integers(1, 31), st.booleans()),
    st.integers(0, 99),
)
def test_any_format(operation: str, a: tuple[int, bool], b: tuple[int, bool], seed: int) -> None:
    primitive = elementwise.Elementwise(
        size=3,
        a=QFormat(width=a[0], signed=a[1]),
        b=QFormat(width=b[0], signed=b[1]),
        operation=operation,
    )
    compare_with_golden(Elementwise(primitive, lanes=2), seed=seed, frames=2)
