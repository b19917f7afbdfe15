# SPDX-License-Identifier: Apache-2.0
import json
import re
from pathlib import Path

import pytest

from spikewright.boards.board import Resources
from spikewright.boards.part import PARTS
from spikewright.boards.yosys import Cells, read_counts, synthesize, weigh
from spikewright.hw.cells.family import FAMILIES
from spikewright.sim.errors import ToolError


def test_counts_of_a_xilinx_design(tmp_path: Path) -> None:
    cells = {"LUT1": 1, "LUT2": 10, "LUT6": 100, "FDRE": 7, "FDSE": 2, "CARRY4": 50}
    cells |= {"RAMB18E1": 3, "RAMB36E1": 2, "DSP48E1": 5, "RAM32M": 4}
    file = tmp_path / "counts.json"
    file.write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
    assert read_counts(file) == Resources(lut=111, ff=9, bram=7, dsp=5)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"design": 3}'])
def test_counts_that_are_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "counts.json"
    file.write_text(text)
    with pytest.raises(
        ToolError, match=rf"^Yosys' counts in {re.escape(str(file))} cannot be read: .+$"
    ):
        read_counts(file)


@pytest.mark.parametrize(
    ("family", "cells", "expected"),
    [
        (
            "ecp5",
            {"LUT4": 10, "CCU2C": 3, "PFUMX": 9, "TRELLIS_DPR16X4": 2, "TRELLIS_FF": 4},
            Cells(lut=16, lut_ram=8, ff=4, bram=0, spram=0, dsp=0),
        ),
        (
            "ecp5",
            {"DP16KD": 2, "MULT18X18D": 5},
            Cells(lut=0, lut_ram=0, ff=0, bram=2, spram=0, dsp=5),
        ),
        (
            "ice40",
            {"SB_LUT4": 7, "SB_CARRY": 6, "SB_DFF": 1, "SB_DFFESR": 2, "SB_RAM40_4K": 3},
            Cells(lut=7, lut_ram=0, ff=3, bram=3, spram=0, dsp=0),
        ),
        (
            "ice40",
            {"SB_SPRAM256KA": 4, "SB_MAC16": 8},
            Cells(lut=0, lut_ram=0, ff=0, bram=0, spram=4, dsp=8),
        ),
        (
            "gowin",
            {"LUT1": 1, "LUT4": 2, "ALU": 4, "MUX2_LUT5": 9, "RAM16SDP4": 1, "DFFSE": 5, "DFF": 1},
            Cells(lut=7, lut_ram=4, ff=6, bram=0, spram=0, dsp=0),
        ),
        (
            "gowin",
            {"SDPX9B": 1, "SDPB": 2, "MULT9X9": 3, "MULT18X18": 2, "IBUF": 3},
            Cells(lut=0, lut_ram=0, ff=0, bram=3, spram=0, dsp=7),
        ),
        (
            "xc7",
            {"LUT2": 1, "LUT6": 2, "SRLC32E": 1, "RAM32M": 2, "FDRE": 3, "RAMB36E1": 1, "INV": 4},
            Cells(lut=3, lut_ram=9, ff=3, bram=2, spram=0, dsp=0),
        ),
    ],
)
def test_cells_weigh_what_they_occupy(family: str, cells: dict[str, int], expected: Cells) -> None:
    assert weigh(cells, FAMILIES[family]) == expected


SUM = """
module \\top
  wire width 8 input 1 \\a
  wire width 8 input 2 \\b
  wire input 3 \\clk
  wire width 8 output 4 \\q
  wire width 8 \\sum
  cell $add \\adder
    parameter \\A_SIGNED 0
    parameter \\B_SIGNED 0
    parameter \\A_WIDTH 8
    parameter \\B_WIDTH 8
    parameter \\Y_WIDTH 8
    connect \\A \\a
    connect \\B \\b
    connect \\Y \\sum
  end
  cell $dff \\register
    parameter \\WIDTH 8
    parameter \\CLK_POLARITY 1
    connect \\CLK \\clk
    connect \\D \\sum
    connect \\Q \\q
  end
end
"""


@pytest.mark.parametrize("name", PARTS)
def test_a_registered_sum_on_every_part(name: str, tmp_path: Path) -> None:
    (tmp_path / "sum.il").write_text(SUM)
    part, log = PARTS[name], tmp_path / "yosys.log"
    cells = synthesize(tmp_path, part=part, rtlil="sum.il", top="top", log=log)
    assert (cells.ff, cells.bram, cells.dsp, cells.lut_ram) == (8, 0, 0, 0)
    assert 7 <= cells.lut <= 10
    assert (tmp_path / "top.json").exists()


def test_counting_alone_writes_no_netlist(tmp_path: Path) -> None:
    (tmp_path / "sum.il").write_text(SUM)
    log = tmp_path / "yosys.log"
    part = PARTS["ecp5-25k"]
    synthesize(tmp_path, part=part, rtlil="sum.il", top="top", log=log, netlist=None)
    assert not (tmp_path / "top.json").exists()
