# SPDX-License-Identifier: Apache-2.0
import json
import re
from pathlib import Path

import pytest

from spikewright.boards.board import Resources
from spikewright.boards.yosys import read_counts
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
