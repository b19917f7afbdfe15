# SPDX-License-Identifier: Apache-2.0
"""Straight activations in gateware equal the golden ones."""

import pytest
from bench.vectors import compare_with_golden
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikewright.hw.activation import Activation
from spikewright.sim import activation
from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat

FUNCTIONS = {
    "leaky_relu": ("leaky_relu", (3,)),
    "two_shifts": ("leaky_relu", (1, 4)),
    "hard_tanh": ("hard_tanh", ()),
    "sign": ("sign", ()),
}


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (7, 3), (8, 4)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_vectors(name: str, size: int, lanes: int, seed: int | None) -> None:
    function, slope = FUNCTIONS[name]
    primitive = activation.Activation(
        size=size,
        input=QFormat(width=14, frac=9),
        output=QFormat(width=6, frac=4),
        function=function,
        slope=slope,
    )
    dut = Activation(primitive, lanes=lanes)
    compare_with_golden(dut, seed=seed or 0, stalls=seed is not None)


formats = st.builds(
    QFormat, width=st.integers(1, 40), frac=st.integers(-4, 30), signed=st.booleans()
)
slopes = st.sets(st.integers(1, 9), min_size=1, max_size=4).map(lambda s: tuple(sorted(s)))


@settings(max_examples=60)
@given(formats, formats, st.sampled_from(activation.FUNCTIONS), slopes, st.integers(0, 99))
def test_any_format(
    x: QFormat, y: QFormat, function: str, slope: tuple[int, ...], seed: int
) -> None:
    slope = slope if function == "leaky_relu" else ()
    try:
        primitive = activation.Activation(size=5, input=x, output=y, function=function, slope=slope)
    except FormatError:
        assume(False)
    compare_with_golden(Activation(primitive, lanes=2), seed=seed, frames=2, steps=3)
