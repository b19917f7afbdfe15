# SPDX-License-Identifier: Apache-2.0
import pytest

from spikewright.boards.board import ULX3S
from spikewright.boards.part import PARTS, find_part
from spikewright.hw.cells.family import FAMILIES
from spikewright.sim.errors import BoardError


def test_parts_are_found_by_name() -> None:
    assert list(PARTS) == ["ecp5-25k", "ecp5-85k", "up5k", "gw1n-9", "gw2a-18", "xc7z020"]
    assert all(find_part(name).name == name for name in PARTS)
    assert {part.family.name for part in PARTS.values()} == set(FAMILIES)


def test_the_largest_ecp5_is_the_one_on_the_board() -> None:
    part = find_part("ecp5-85k")
    assert part.place[:5] == ("--85k", "--package", "CABGA381", "--speed", "6")
    assert part.resources == ULX3S.resources


def test_a_clock_is_believed_only_where_the_tool_knows_it() -> None:
    timed = {name for name, part in PARTS.items() if part.timed}
    assert timed == {"ecp5-25k", "ecp5-85k", "up5k"}


def test_unknown_part() -> None:
    names = "ecp5-25k, ecp5-85k, up5k, gw1n-9, gw2a-18, xc7z020"
    with pytest.raises(BoardError, match=rf"^Part must be one of {names}, not 'ecp5'$"):
        find_part("ecp5")
