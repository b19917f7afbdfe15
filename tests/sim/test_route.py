# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
from bench.codes import golden_run, random_inputs
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.route import Route

FORMAT = QFormat(width=10, frac=3)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), st.integers(0, 2**32))
def test_any_element_goes_anywhere(sizes: list[int], data: st.DataObject, seed: int) -> None:
    places = st.integers(0, sum(sizes) - 1)
    index = data.draw(st.none() | st.lists(places, min_size=1, max_size=9).map(tuple))
    primitive = Route(sizes=tuple(sizes), format=FORMAT, index=index)
    inputs = random_inputs(np.random.default_rng(seed), primitive, 2, 3)
    (y,) = golden_run(primitive, {}, inputs)
    assert list(primitive.ports().inputs) == [f"x{k}" for k in range(len(sizes))]
    for frame in range(2):
        for t in range(3):
            row = [code for x in inputs for code in x[frame, t].tolist()]
            wanted = row if index is None else [row[k] for k in index]
            assert y[frame, t].tolist() == wanted


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sizes": ()}, "Route must have at least one input"),
        ({"sizes": (2, 3), "index": (5,)}, "Route index must be between 0 and 4, not 5"),
        ({"sizes": (2, 3), "index": (0, -1)}, "Route index must be between 0 and 4, not -1"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        Route(format=FORMAT, **fields)
    assert str(caught.value) == message


def test_an_empty_index_has_no_port() -> None:
    with pytest.raises(FormatError, match=r"^Port size must be a positive integer, not 0$"):
        Route(sizes=(2,), format=FORMAT, index=()).ports()
