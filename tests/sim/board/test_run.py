# SPDX-License-Identifier: Apache-2.0
"""The command that runs pynq scripts."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from spikewright.sim.board.run import main
from spikewright.sim.registers import ID_VALUE

SCRIPT = Path(__file__).with_name("user_script.py")
COMMAND = (sys.executable, "-m", "spikewright.sim.board.run")


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.pynq
def test_user_script_runs_as_it_is(bit: Path, tmp_path: Path) -> None:
    done = run(str(SCRIPT), str(bit), "300", folder=tmp_path)
    assert done.stderr == ""
    assert ast.literal_eval(done.stdout) == {
        "driver": "DefaultIP",
        "loaded": True,
        "id": f"{ID_VALUE:x}",
        "fclk0": 100.0,
        "bytes": 1200,
        "sum": sum(range(300)) + 300 * 1000,
    }
    assert list(tmp_path.iterdir()) == []


@pytest.mark.pynq
def test_script_fails_as_it_would(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("CODE = 7\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, helper\nassert sys.argv[1:] == ['-x', 'y']\nsys.exit(helper.CODE)\n"
    )
    assert run(str(script), "-x", "y", folder=tmp_path.parent).returncode == 7


def test_missing_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main([str(tmp_path / "absent.py")])
    assert capsys.readouterr().err.endswith("absent.py is no file: name a Python script\n")


def test_missing_pynq(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "script.py").write_text("")
    with pytest.raises(SystemExit, match=r"^2$"):
        main([str(tmp_path / "script.py")])
    assert capsys.readouterr().err.endswith(
        "pynq was not found: run `pip install spikewright[pynq]` (Python 3.11 or 3.12)\n"
    )
