# SPDX-License-Identifier: Apache-2.0
"""Gateware integrators equal the golden ones."""

import numpy as np
import pytest
from bench.codes import golden_run
from bench.lifs import leaks
from bench.streams import first_divergence, read_back, simulate
from bench.vectors import compare_with_golden, dense_beats
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.leaky import Leaky
from spikewright.sim import leaky
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import LeakForm


def integrators(size: int, **options: object) -> leaky.Leaky:
    fields = {
        "input": QFormat(width=7),
        "membrane": QFormat(width=9),
        "leak_frac": 6,
        "leak": "leak",
    }
    return leaky.Leaky(size=size, **{**fields, **options})


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


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("shifts", [(), (1,), (6,), (2, 3), (1, 2, 3, 4, 5, 6)])
def test_shifts(shifts: tuple[int, ...], after: bool, seed: int | None) -> None:
    component = Leaky(integrators(7, leak=shifts, leak_after_input=after), lanes=3)
    compare_with_golden(component, seed=seed or 0, steps=9, stalls=seed is not None)


@settings(max_examples=30)
@given(st.integers(2, 32), leaks(24, "leak"), st.booleans(), st.integers(0, 99))
def test_any_shifts(width: int, leak: LeakForm, after: bool, seed: int) -> None:
    primitive = integrators(
        2, leak=leak, leak_frac=24, membrane=QFormat(width=width), leak_after_input=after
    )
    compare_with_golden(Leaky(primitive, lanes=1), seed=seed, frames=2, steps=4)


def test_the_largest_leak_of_the_smallest_sum() -> None:
    """λ is nearly 2 and turns -4 to 4, which takes a bit more than the sum itself."""
    fmt = QFormat(width=2)
    primitive = integrators(1, input=fmt, membrane=fmt, leak_frac=24, leak_after_input=True)
    currents, leak = np.array([[[-2], [1], [-2]]]), np.array([(1 << 25) - 1])
    (want,) = golden_run(primitive, {"leak": leak}, [currents])
    assert want.ravel().tolist() == [1, -2, 1]
    got = simulate(
        Leaky(primitive, lanes=1),
        {"i_i": dense_beats(currents, 1)},
        {"o_v": 3},
        tensors={"host_0": leak.tolist()},
    )
    assert first_divergence(dense_beats(want, 1), got["o_v"]) is None


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_leaks_read_back(lanes: int) -> None:
    codes = {"host_0": [1, 22, 64, 100, 127]}
    component = Leaky(integrators(5, per_neuron=True), lanes=lanes)
    assert read_back(component, "host_0", 5, tensors=codes, stall_seed=1) == codes["host_0"]
