# SPDX-License-Identifier: Apache-2.0
"""Gateware argmax and argmin equal the golden ones, ties included."""

import pytest
from bench.refusals import refusal
from bench.streams import simulate
from bench.vectors import compare_with_golden

from spikewright.hw.extremum import Extremum
from spikewright.sim import extremum
from spikewright.sim.fixed import QFormat


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize(
    "fmt", [QFormat(width=2), QFormat(width=3, signed=False), QFormat(width=40)], ids=str
)
def test_vectors(fmt: QFormat, largest: bool, size: int, seed: int | None) -> None:
    primitive = extremum.Extremum(size=size, input=fmt, largest=largest)
    compare_with_golden(
        Extremum(primitive, lanes=1), seed=seed or 0, frames=4, stalls=seed is not None
    )


def test_the_first_of_equals_wins() -> None:
    component = Extremum(extremum.Extremum(size=4, input=QFormat(width=3)))
    beats = [{"data": [c], "last": k == 3, "end": 1} for k, c in enumerate([-4, 2, 2, -4])]
    got = simulate(component, {"i_x": beats}, {"o_index": 1})
    assert got["o_index"] == [{"data": [1], "first": 0, "last": 1, "end": 1}]


def test_there_is_one_lane() -> None:
    primitive = extremum.Extremum(size=4, input=QFormat(width=3))
    assert refusal(Extremum, primitive, lanes=2) == (
        "Extremum lanes must be between 1 and its 1 outputs, not 2"
    )


@pytest.mark.parametrize("size", [2, 3, 10])
def test_an_element_a_cycle(size: int) -> None:
    """Some cycles more to see that no more come."""
    count = 200 // size
    beats = [
        {"data": [k], "last": k == size - 1, "end": 1} for _ in range(count) for k in range(size)
    ]
    component = Extremum(extremum.Extremum(size=size, input=QFormat(width=5)))
    simulate(component, {"i_x": beats}, {"o_index": count}, max_cycles=count * size + 40)
