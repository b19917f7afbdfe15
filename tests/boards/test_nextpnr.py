# SPDX-License-Identifier: Apache-2.0
import json
import re
from pathlib import Path

import pytest

from spikewright.boards.board import Resources
from spikewright.boards.nextpnr import Report, read_report
from spikewright.sim.errors import ToolError

REPORT = {
    "fmax": {
        "$glbnet$bridge.buffer.clk": {"achieved": 91.25, "constraint": 80.0},
        "pll_CLKOS": {"achieved": 300.0, "constraint": 25.0},
    },
    "utilization": {
        "TRELLIS_COMB": {"available": 83640, "used": 7000},
        "TRELLIS_FF": {"available": 83640, "used": 5000},
        "DP16KD": {"available": 208, "used": 5},
        "MULT18X18D": {"available": 156, "used": 26},
        "TRELLIS_IO": {"available": 365, "used": 7},
    },
}


def write(folder: Path, report: object) -> Path:
    file = folder / "report.json"
    file.write_text(json.dumps(report))
    return file


def test_report_of_the_core_clock(tmp_path: Path) -> None:
    used = Resources(lut=7000, ff=5000, bram=5, dsp=26)
    assert read_report(write(tmp_path, REPORT), 80.0) == Report(fmax_mhz=91.25, used=used)


def test_report_without_the_clock(tmp_path: Path) -> None:
    file = write(tmp_path, REPORT)
    with pytest.raises(
        ToolError,
        match=rf"^nextpnr's report {re.escape(str(file))} must have a clock of 90 MHz$",
    ):
        read_report(file, 90.0)


@pytest.mark.parametrize("report", [{}, [], {"fmax": {}}, {"fmax": 1, "utilization": {}}])
def test_report_that_is_none(tmp_path: Path, report: object) -> None:
    file = write(tmp_path, report)
    with pytest.raises(
        ToolError, match=rf"^nextpnr's report {re.escape(str(file))} cannot be read: .+$"
    ):
        read_report(file, 80.0)
