# SPDX-License-Identifier: Apache-2.0
import json
import re
from pathlib import Path

import pytest

from spikewright.boards import nextpnr
from spikewright.boards.board import Resources
from spikewright.boards.nextpnr import Report, place, read_clock, read_report, read_utilization
from spikewright.boards.part import PARTS
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


def test_report_of_any_part(tmp_path: Path) -> None:
    report = {
        "fmax": {"clk$SB_IO_IN_$glb_clk": {"achieved": 50.25, "constraint": 48}},
        "utilization": {
            "ICESTORM_LC": {"available": 5280, "used": 2875},
            "ICESTORM_SPRAM": {"available": 4, "used": 0},
        },
    }
    file = write(tmp_path, report)
    assert read_clock(file, 48.0) == 50.25
    assert read_utilization(file) == {"ICESTORM_LC": 2875}


@pytest.mark.parametrize("report", [[], {"utilization": 1}, {"utilization": {"LUT4": 3}}])
def test_utilization_that_is_none(tmp_path: Path, report: object) -> None:
    file = write(tmp_path, report)
    with pytest.raises(
        ToolError, match=rf"^nextpnr's report {re.escape(str(file))} cannot be read: .+$"
    ):
        read_utilization(file)


def test_a_part_that_no_open_tool_places(tmp_path: Path) -> None:
    sentence = r"^No open tool places and routes xc7z020clg400-1: count its cells instead$"
    with pytest.raises(ToolError, match=sentence):
        place(
            tmp_path,
            part=PARTS["xc7z020"],
            netlist="top.json",
            constraints=None,
            clock_mhz=100.0,
            seed=1,
            log=tmp_path / "nextpnr.log",
        )


@pytest.mark.parametrize(
    ("part", "constraints", "expected"),
    [
        ("ecp5-25k", None, ["--25k", "--package", "CABGA256", "--speed", "6"]),
        ("up5k", "top.pcf", ["--up5k", "--package", "sg48", "--pcf", "top.pcf"]),
        ("gw1n-9", "top.cst", ["--vopt", "family=GW1N-9C", "--vopt", "cst=top.cst"]),
    ],
)
def test_what_a_placer_is_told_of_its_part(
    part: str,
    constraints: str | None,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(
        nextpnr, "run_tool", lambda name, options, **_: called.append((name, options))
    )
    place(
        tmp_path,
        part=PARTS[part],
        netlist="top.json",
        constraints=constraints,
        clock_mhz=48.0,
        seed=3,
        log=tmp_path / "nextpnr.log",
    )
    ((name, options),) = called
    assert name == PARTS[part].placer
    assert [option for option in options if option in expected] == expected
    assert options[options.index("--seed") + 1] == "3"
    assert options[options.index("--freq") + 1] == "48.0000"
