# SPDX-License-Identifier: Apache-2.0
"""Gateware integrators equal the golden ones."""

import pytest
from bench.streams import read_back
from bench.vectors import compare_with_golden
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.leaky import Leaky
from spikewright.sim import leaky
from spikewright.sim.fixed import QFormat


def integrators(size: int, **options: object) -> leaky.Leaky:
    fields = {"input": QFormat(width=7), "membrane": QFormat(width=9), "leak_frac": 6, **options}
    return leaky.Leaky(size=size, leak="leak", **fields)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (2, 1), (3, 2), (7, 3), (8, 4), (13, 13)])
@pytest.mark.parametrize("after", [False, True])
def test_vectors(size: int, lanes: int, after: bool, seed: int | None) -> None:
    component = Leaky(integrators(size, leak_after_input=after, per_neuron=after), lanes=lanes)
    compare_with_golden(component, seed=seed or 0, steps=7, stalls=seed is not None)


@settings(max_examples=25)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(2, 32),
    st.tuples(st.integers(1, 32), st.booleans()),
    st.integers(1, 24),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_any_format(
    size: int,
    lanes: int,
    membrane: int,
    current: tuple[int, bool],
    leak_frac: int,
    own: bool,
    after: bool,
    seed: int,
) -> None:
    primitive = integrators(
        size,
        input=QFormat(width=current[0], signed=current[1]),
        membrane=QFormat(width=membrane),
        leak_frac=leak_frac,
        per_neuron=own,
        leak_after_input=after,
    )
    compare_with_golden(Leaky(primitive, lanes=min(size, lanes)), seed=seed, frames=2, steps=4)


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_leaks_read_back(lanes: int) -> None:
    codes = {"host_0": [1, 22, 64, 100, 127]}
    component = Leaky(integrators(5, per_neuron=True), lanes=lanes)
    assert read_back(component, "host_0", 5, tensors=codes, stall_seed=1) == codes["host_0"]
