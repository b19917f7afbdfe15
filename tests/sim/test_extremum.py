# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from bench.codes import golden_run
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.extremum import Extremum
from spikewright.sim.fixed import QFormat


@given(st.lists(st.integers(-4, 3), min_size=1, max_size=9), st.booleans())
def test_ties_go_to_the_lowest_index(codes: list[int], largest: bool) -> None:
    primitive = Extremum(size=len(codes), input=QFormat(width=3), largest=largest)
    (got,) = golden_run(primitive, {}, [np.array([[codes]])])
    best = 0
    for k, code in enumerate(codes):
        if code > codes[best] if largest else code < codes[best]:
            best = k
    assert got.tolist() == [[[best]]]


@pytest.mark.parametrize(("size", "width"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (257, 9)])
def test_the_format_just_holds_every_index(size: int, width: int) -> None:
    (port,) = Extremum(size=size, input=QFormat(width=4)).ports().outputs.values()
    assert (port.size, port.format) == (1, QFormat(width=width, signed=False))
    assert port.format.hi >= size - 1
