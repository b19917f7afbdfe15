# SPDX-License-Identifier: Apache-2.0
"""Synthesis: what it tells and leaves behind, with stand-ins for the tools and with the tools."""

import json
import re
import sys
from pathlib import Path

import pytest
from programs import lif_count, mlp

from spikewright.boards.board import PYNQ_Z2, ULX3S, Resources
from spikewright.boards.tool import find_tool
from spikewright.generate import Build, generate
from spikewright.sim.errors import ToolError
from spikewright.synthesize import Synthesis, synthesize

YOSYS = 'echo "$@"; echo netlist >top.json'
COUNTS = {"design": {"num_cells_by_type": {"LUT6": 5, "FDRE": 4, "RAMB18E1": 3, "DSP48E1": 2}}}
NEXTPNR = """echo "$@"
test -f top.il && test -f top.lpf && test -f spikewright_ecp5.v && test -f top.json || exit 9
echo configuration >top.config
cat >report.json <<END
{{"fmax": {{"clk": {{"achieved": {achieved}, "constraint": 50.0}}}},
 "utilization": {{"TRELLIS_COMB": {{"used": 7}}, "TRELLIS_FF": {{"used": 6}},
                  "DP16KD": {{"used": 5}}, "MULT18X18D": {{"used": 4}}}}}}
END"""
ECPPACK = "echo bits >top.bit"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("builds")
    generate(mlp((4, 3, 2)), lanes=1, folder=folder / "ulx3s")
    generate(mlp((4, 3, 2)), lanes=1, board="pynq-z2", folder=folder / "pynq-z2")
    return folder


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Path:
    return copied(made / "ulx3s", tmp_path / "build")


def copied(source: Path, target: Path) -> Path:
    for path in source.rglob("*"):
        if path.is_file():
            to = target / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
    return target


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the tools, found beside a Python interpreter."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    for name, script in (
        ("yosys", YOSYS),
        ("nextpnr-ecp5", NEXTPNR.format(achieved=91.5)),
        ("ecppack", ECPPACK),
    ):
        write_tool(folder, name, script)
    return folder


def write_tool(folder: Path, name: str, script: str) -> None:
    path = folder / f"yowasp-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_result_and_what_is_left_behind(build: Path, tools: Path) -> None:
    before, steps = files(build), []
    result = synthesize(build, seed=3, progress=lambda *step: steps.append(step))
    assert result == Synthesis(
        board="ulx3s",
        label="placed and routed",
        clock_mhz=50.0,
        fmax_mhz=91.5,
        used=Resources(lut=7, ff=6, bram=5, dsp=4),
        available=ULX3S.resources,
        bitstream=build / "synthesis" / "top.bit",
        seed=3,
        seconds=result.seconds,
    )
    assert json.loads((build / "synthesis.json").read_text()) == result.facts()
    assert result.facts()["bitstream"] == str(build / "synthesis" / "top.bit")
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert files(build) - before == {
        *("synthesis.json", "yosys.log", "nextpnr.log", "ecppack.log"),
        *(f"synthesis/{name}" for name in ("spikewright_ecp5.v", "top.il", "top.lpf", "top.json")),
        *(f"synthesis/{name}" for name in ("top.config", "report.json", "top.bit")),
    }
    log = (build / "nextpnr.log").read_text()
    assert "--85k --package CABGA381 --speed 6" in log
    assert "--freq 50.0000" in log
    assert "--seed 3" in log


def test_second_run_replaces_the_first(build: Path, tools: Path) -> None:
    first = synthesize(build)
    write_tool(tools, "nextpnr-ecp5", NEXTPNR.format(achieved=99.0))
    second = synthesize(build, seed=2)
    assert (first.fmax_mhz, second.fmax_mhz) == (91.5, 99.0)
    assert json.loads((build / "synthesis.json").read_text())["fmax_mhz"] == 99.0


def test_failing_tool_leaves_the_results_before_it(build: Path, tools: Path) -> None:
    synthesize(build)
    before = files(build)
    write_tool(tools, "nextpnr-ecp5", "echo ERROR: Unable to find a placement; exit 1")
    log = build / "nextpnr.log"
    with pytest.raises(
        ToolError,
        match=r"^nextpnr-ecp5 failed with status 1: ERROR: Unable to find a placement "
        rf"\(see {re.escape(str(log))}\)$",
    ):
        synthesize(build)
    assert files(build) == before
    assert json.loads((build / "synthesis.json").read_text())["fmax_mhz"] == 91.5


def test_design_that_misses_its_clock(build: Path, tools: Path) -> None:
    write_tool(tools, "nextpnr-ecp5", NEXTPNR.format(achieved=49.94))
    with pytest.raises(
        ToolError,
        match=r"^Design reaches 49\.9 MHz and must reach 50 MHz: try another seed, or generate "
        r"again with fewer lanes or a slower clock$",
    ):
        synthesize(build)
    assert not (build / "synthesis.json").exists()
    assert not list(build.glob("**/top.bit"))


def test_missing_tool_is_told_before_the_first_runs(
    build: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tools / "yowasp-ecppack").unlink()
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(
        ToolError, match=r"^ecppack was not found: run `pip install 'spikewright\[synthesis\]'`$"
    ):
        synthesize(build)
    assert not (build / "yosys.log").exists()


def test_counts_of_a_pynq_build(made: Path, tools: Path, tmp_path: Path) -> None:
    write_tool(tools, "yosys", f"cat >counts.json <<END\n{json.dumps(COUNTS)}\nEND")
    build = copied(made / "pynq-z2", tmp_path / "pynq")
    facts = synthesize(build).facts()
    assert facts.pop("seconds") >= 0
    assert facts == {
        "board": "pynq-z2",
        "label": "counts only",
        "clock_mhz": 100.0,
        "fmax_mhz": None,
        **{"lut": 5, "ff": 4, "bram": 3, "dsp": 2},
        "available": {"lut": 53200, "ff": 106400, "bram": 280, "dsp": 220},
        "bitstream": None,
        "seed": 1,
    }


def needs_tools() -> None:
    try:
        find_tool("nextpnr-ecp5")
        find_tool("yosys")
    except ToolError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_bitstream_of_a_small_network(build: Path) -> None:
    needs_tools()
    result = synthesize(build)
    assert result.fmax_mhz is not None
    assert result.fmax_mhz >= 80
    assert result.bitstream is not None
    assert b"Part: LFE5U-85F-6CABGA381" in result.bitstream.read_bytes()[:200]
    estimate = json.loads((build / "build.json").read_text())["estimate"]
    assert {"bram": result.used.bram, "dsp": result.used.dsp} == estimate


@pytest.mark.slow
@pytest.mark.parametrize("program", [mlp(), lif_count()], ids=["mlp", "lif"])
def test_counts_agree_with_the_estimate(program: object, tmp_path: Path) -> None:
    needs_tools()
    build = generate(program, board="pynq-z2", lanes=4, folder=tmp_path / "build")
    assert isinstance(build, Build)
    used = synthesize(build).used
    assert used.dsp == build.manifest["estimate"]["dsp"]
    assert 0 < used.lut < PYNQ_Z2.resources.lut
