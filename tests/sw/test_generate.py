# SPDX-License-Identifier: Apache-2.0
"""Build folders: whole or not there, and every sentence about what is wrong with one."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from programs import dense, mlp, per_frame, program

from spikewright.boards.board import BOARDS, ULX3S, Resources
from spikewright.build import MANIFEST
from spikewright.generate import Build, generate, load_build
from spikewright.hw.accelerator import Accelerator
from spikewright.hw.verilog import to_verilog
from spikewright.sim.errors import BoardError, FileError
from spikewright.sim.fixed import QFormat
from spikewright.sim.program import Program

SMALL = mlp((4, 3, 2))


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return generate(SMALL, lanes=2, folder=tmp_path / "build")


def wide(rows: int, columns: int, weight_bits: int) -> Program:
    fc = dense("fc", rows, columns, w=QFormat(width=weight_bits, frac=weight_bits - 1))
    return program({"x": per_frame(columns)}, {"fc": (fc, ("x",))}, {"y": "fc"})


def test_build_comes_back_as_it_was_written(build: Build) -> None:
    again = load_build(build.folder)
    assert again.program.content_hash == SMALL.content_hash
    assert again.lanes == {"fc1": 2, "fc1.y": 1, "relu": 1, "fc2": 2, "fc2.y": 1, "argmax": 1}
    assert again.board.name == "ulx3s"
    assert again.clock_mhz == 50.0
    accelerator = Accelerator(SMALL, 2)
    assert again.verilog == to_verilog(accelerator)
    facts = again.facts()
    assert facts["structure_hash"] == f"{accelerator.structure_hash:016x}"
    assert facts["program_hash"] == f"{SMALL.program_hash:016x}"
    assert facts["files"] == [
        *("program.spk", "spikewright.v", "spikewright_ecp5.v", "top.il", "top.lpf"),
    ]
    assert facts == json.loads(json.dumps(facts))


def test_same_program_same_bytes(build: Build, tmp_path: Path) -> None:
    again = generate(SMALL, lanes=2, folder=tmp_path / "again")
    assert again.manifest == build.manifest


def test_pynq_build_has_the_simulated_board_and_the_project(tmp_path: Path) -> None:
    build = generate(SMALL, board="pynq-z2", clock_mhz=50, folder=tmp_path / "new" / "build")
    assert build.clock_mhz == 50
    assert {"simulated/spikewright.bit", "simulated/spikewright.hwh", "vivado/build.tcl"} <= set(
        build.facts()["files"]
    )


def test_older_build_is_replaced(build: Build) -> None:
    (build.folder / "synthesis.json").write_text("{}")
    other = mlp((5, 3, 2))
    assert generate(other, folder=build.folder).program.content_hash == other.content_hash
    assert not (build.folder / "synthesis.json").exists()
    assert [path.name for path in build.folder.parent.iterdir()] == ["build"]


def test_interrupted_run_leaves_the_older_build(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[generate.__module__], "file_digest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(mlp((5, 3, 2)), folder=build.folder)
    assert load_build(build.folder).manifest == build.manifest
    assert [path.name for path in build.folder.parent.iterdir()] == ["build"]


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    assert generate(SMALL, folder=tmp_path).folder == tmp_path


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        FileError,
        match=rf"^Folder {re.escape(str(tmp_path))} is not empty and no build: "
        r"choose another or empty it$",
    ):
        generate(SMALL, folder=tmp_path)
    file = tmp_path / "notes.txt"
    with pytest.raises(
        FileError,
        match=rf"^Build folder {re.escape(str(file))} must be a folder, and is a file: "
        r"choose another$",
    ):
        generate(SMALL, folder=file)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_targets(tmp_path: Path) -> None:
    smallest = generate(SMALL, target="smallest", folder=tmp_path / "a")
    largest = generate(SMALL, target="largest", folder=tmp_path / "b")
    assert (smallest.lanes["fc1"], smallest.lanes["fc2"]) == (1, 1)
    # Two lanes of fc2 would gain nothing: the words that leave take as long.
    assert (largest.lanes["fc1"], largest.lanes["fc2"]) == (3, 1)
    assert largest.manifest["pace"]["limit"] == "frame.out takes 6 cycles a frame"
    assert smallest.manifest["pace"]["limit"] == "fc1 takes 12 cycles a frame"
    with pytest.raises(BoardError, match=r"^Either lanes or a target must be given, not both$"):
        generate(SMALL, target="largest", lanes=2, folder=tmp_path / "c")


def test_programs_too_large_for_the_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Resources(lut=100, ff=100, bram=1, dsp=4)
    monkeypatch.setitem(BOARDS, "ulx3s", replace(ULX3S, resources=part))
    with pytest.raises(
        BoardError,
        match=r"^Program on these lanes needs about 5 multipliers, and the Radiona ULX3S-85F has "
        r"4: choose fewer lanes$",
    ):
        generate(SMALL, folder=tmp_path / "build")
    with pytest.raises(
        BoardError,
        match=r"^Program needs about 11 block RAMs of 18 kbit, and the Radiona ULX3S-85F has 1: "
        r"choose a smaller network or fewer weight bits$",
    ):
        generate(wide(4, 2048, 16), folder=tmp_path / "build")
    assert list(tmp_path.iterdir()) == []


def test_clocks_the_board_cannot_make(tmp_path: Path) -> None:
    with pytest.raises(
        BoardError,
        match=r"^Clock of the Radiona ULX3S-85F must be between 10 and 400 MHz, not 500$",
    ):
        generate(SMALL, clock_mhz=500, folder=tmp_path / "build")
    with pytest.raises(
        BoardError, match=r"^Fabric clock must be between 0\.25 and 250 MHz, not 500$"
    ):
        generate(SMALL, board="pynq-z2", clock_mhz=500, folder=tmp_path / "build")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_no_builds(tmp_path: Path) -> None:
    with pytest.raises(
        FileError,
        match=rf"^Build folder {re.escape(str(tmp_path / 'x'))} does not exist: "
        r"make it with `spikewright generate`$",
    ):
        load_build(tmp_path / "x")
    with pytest.raises(
        FileError,
        match=rf"^Folder {re.escape(str(tmp_path))} has no build\.json: it is no build, or was "
        r"interrupted; generate again$",
    ):
        load_build(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(
        FileError,
        match=rf"^File {re.escape(str(tmp_path / MANIFEST))} is damaged: generate again$",
    ):
        load_build(tmp_path)
    (tmp_path / MANIFEST).write_text('{"format_version": 3}')
    with pytest.raises(
        FileError,
        match=rf"^Build {re.escape(str(tmp_path))} has format version 3, and this Spikewright "
        r"reads version 2: upgrade Spikewright or generate again$",
    ):
        load_build(tmp_path)


def test_files_lost_or_altered(build: Build) -> None:
    folder = re.escape(str(build.folder))
    (build.folder / "spikewright.v").write_text("module spikewright; endmodule")
    with pytest.raises(
        FileError, match=rf"^Build {folder} has an altered file spikewright\.v: generate again$"
    ):
        load_build(build.folder)
    (build.folder / "spikewright.v").unlink()
    with pytest.raises(
        FileError, match=rf"^Build {folder} has lost its file spikewright\.v: generate again$"
    ):
        load_build(build.folder)
