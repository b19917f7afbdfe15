# SPDX-License-Identifier: Apache-2.0
import pytest

from spikewright.boards.board import BOARDS, find_board
from spikewright.sim.board import system
from spikewright.sim.errors import BoardError


def test_boards_are_found_by_name() -> None:
    assert list(BOARDS) == ["ulx3s", "pynq-z2"]
    assert find_board("ulx3s").part.startswith("LFE5U-85F-6")
    assert find_board("pynq-z2").part == system.PART
    assert find_board("ulx3s").facts() == {
        "name": "ulx3s",
        "title": "Radiona ULX3S-85F",
        "part": "LFE5U-85F-6BG381C",
        "toolchain": "Yosys and nextpnr",
        "clock_mhz": 50.0,
        "lut": 83640,
        "ff": 83640,
        "bram": 208,
        "dsp": 156,
    }


def test_unknown_board() -> None:
    with pytest.raises(BoardError, match=r"^Board must be one of ulx3s, pynq-z2, not 'arty'$"):
        find_board("arty")
