# SPDX-License-Identifier: Apache-2.0
"""Lanes for a target."""

import re
from dataclasses import replace

import pytest
from programs import lif_count, mlp

from spikewright.boards.board import ULX3S, Board
from spikewright.hw.folding import fold
from spikewright.hw.pace import pace
from spikewright.sim.errors import BoardError
from spikewright.targets import FORMS, choose, needs

NET = mlp((40, 24, 6))
MHZ = 50.0


def units(lanes: dict[str, int]) -> tuple[int, int]:
    return lanes["fc1"], lanes["fc2"]


def part(**resources: int) -> Board:
    return replace(ULX3S, resources=replace(ULX3S.resources, **resources))


def test_smallest_is_one_lane_each() -> None:
    choice = choose(NET, ULX3S, "smallest", MHZ)
    assert units(choice.lanes) == (1, 1)
    assert choice.limit == "fc1 takes 960 cycles a frame"


def test_largest_stops_where_the_input_is_slowest() -> None:
    # 24 lanes take 40 cycles for 40 elements that come one a cycle: more lanes are of no use.
    choice = choose(NET, ULX3S, "largest", MHZ)
    assert choice.pace.interval == 40
    assert units(choice.lanes) == (24, 6)
    assert choice.limit == "x takes 40 cycles a frame"


@pytest.mark.parametrize(("dsp", "lanes"), [(4, (3, 1)), (2, (1, 1)), (9, (8, 1))])
def test_largest_stops_at_the_part(dsp: int, lanes: tuple[int, int]) -> None:
    choice = choose(NET, part(dsp=dsp), "largest", MHZ)
    assert units(choice.lanes) == lanes
    sentence = r"fc[12] with \d+ lanes would need more multipliers than the part has"
    assert re.fullmatch(sentence, choice.limit)
    assert choice.needed.dsp <= dsp


@pytest.mark.parametrize(("most", "lanes"), [(960, (1, 1)), (959, (2, 1)), (120, (8, 2))])
def test_a_rate_takes_the_fewest_lanes_that_make_it(most: int, lanes: tuple[int, int]) -> None:
    choice = choose(NET, ULX3S, f"fps={MHZ * 1e6 / most - 1:.3f}", MHZ)
    assert units(choice.lanes) == lanes
    assert choice.pace.interval <= most


def test_a_latency() -> None:
    choice = choose(NET, ULX3S, "latency=10us", MHZ)
    assert choice.pace.latency <= 500
    fewer = fold(NET, {"fc1": choice.lanes["fc1"] - 1, "fc2": choice.lanes["fc2"]})
    assert pace(NET, fewer).latency > 500


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            "fps=2e6",
            (
                "Target fps=2e6 allows 25 cycles, and 40 are the fewest on the Radiona ULX3S-85F: "
                "x takes 40 cycles a frame; choose a lower target or a faster clock"
            ),
        ),
        (
            "fast",
            f"Target must be {FORMS}, not 'fast'",
        ),
        (
            "fps=0",
            f"Target must be {FORMS}, not 'fps=0'",
        ),
    ],
)
def test_what_cannot_be_met(target: str, sentence: str) -> None:
    with pytest.raises(BoardError, match=rf"^{re.escape(sentence)}$"):
        choose(NET, ULX3S, target, MHZ)


@pytest.mark.parametrize("target", ["fps=1.2.3", "fps=.", "latency=..us", "latency=5", "fps=-1"])
def test_numbers_that_are_none(target: str) -> None:
    with pytest.raises(BoardError) as caught:
        choose(NET, ULX3S, target, MHZ)
    assert str(caught.value) == f"Target must be {FORMS}, not {target!r}"


@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("program", [NET, lif_count((13, 9, 3))], ids=["dense", "spiking"])
def test_what_is_needed_is_known_before_it_is_built(program: object, lanes: int) -> None:
    """The search adds up what :func:`needs` counts in the finished design."""
    from spikewright.targets import _Search

    search = _Search(program, ULX3S)
    folded = fold(program, lanes)
    search.units = {name: folded[name] for name in search.products}
    counted = needs(program, ULX3S, search.lanes)
    assert search._sum(search.rest, search.lanes, 1).dsp == counted.dsp
