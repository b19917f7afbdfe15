# SPDX-License-Identifier: Apache-2.0
"""Gateware routing equals the golden one."""

import pytest
from bench.vectors import compare_with_golden
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.route import Route
from spikewright.sim import route
from spikewright.sim.fixed import QFormat

FORMAT = QFormat(width=7)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(
    ("sizes", "index"),
    [
        ((1,), None),
        ((4,), (3, 2, 1, 0)),
        ((1, 1), (1,)),
        ((2, 3, 1), None),
        ((3, 2), (4, 4, 0, 4, 1, 2)),
    ],
)
def test_vectors(sizes: tuple[int, ...], index: tuple[int, ...] | None, seed: int | None) -> None:
    component = Route(route.Route(sizes=sizes, format=FORMAT, index=index))
    compare_with_golden(component, seed=seed or 0, stalls=seed is not None)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), st.integers(0, 99))
def test_any_index(sizes: list[int], data: st.DataObject, seed: int) -> None:
    places = st.integers(0, sum(sizes) - 1)
    index = data.draw(st.lists(places, min_size=1, max_size=9).map(tuple))
    component = Route(route.Route(sizes=tuple(sizes), format=FORMAT, index=index))
    compare_with_golden(component, seed=seed, frames=2)
