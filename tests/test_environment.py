# SPDX-License-Identifier: Apache-2.0
"""`.ci/environment` with Pythons and compilers that only pretend: nothing is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "environment"
TOOLS = ["sh", "cat", "cksum", "rm", "mkdir", "cp"]
PYTHON = """#!/bin/sh
# Judged once; then asked for `-m venv --clear DIR`; then, from DIR, for `-m pip install ...`.
case $2 in
venv) rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; echo "venv $4" >>log ;;
pip) echo "$7" >>log; exit "$(cat pip-status)" ;;
*) echo '{verdict}' ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a space in its name, a pyproject.toml and an empty PATH folder `bin`."""
    folder = tmp_path / "a checkout"
    (folder / "bin").mkdir(parents=True)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (folder / "bin" / tool).symlink_to(found)
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "pip-status").write_text("0")
    return folder


def add_command(checkout: Path, name: str, text: str = "#!/bin/sh\n") -> None:
    path = checkout / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def add_python(checkout: Path, name: str = "python3.12", verdict: str = "ok 3.12.1 /usr") -> None:
    add_command(checkout, name, PYTHON.format(verdict=verdict))


def run(checkout: Path, extras: str = "rtl,dev", **variables: str) -> tuple[int, str, str]:
    """Ask for the environment `.venv`; return the exit status, the output and what was run."""
    log = checkout / "log"
    log.write_text("")
    result = subprocess.run(
        ["sh", SCRIPT, ".venv", extras],
        cwd=checkout,
        env={"PATH": str(checkout / "bin"), "PWD": str(checkout), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return result.returncode, result.stdout, log.read_text()


def test_second_call_does_nothing(checkout: Path) -> None:
    add_python(checkout)
    add_command(checkout, "g++")
    status, output, log = run(checkout)
    assert (status, log) == (0, "venv .venv\n.[rtl,dev]\n")
    assert output == (
        ".venv: installing rtl,dev from PyPI for Python 3.12.1; this takes a few minutes.\n"
        ".venv: the C++ code of the simulators is compiled by this machine's g++.\n"
        ".venv: ready.\n"
    )
    assert run(checkout) == (0, "", "")


def test_changed_pyproject_or_extras_install_into_what_stands(checkout: Path) -> None:
    add_python(checkout)
    add_command(checkout, "c++")
    run(checkout)
    assert run(checkout, "rtl")[2] == ".[rtl]\n"
    assert run(checkout) == (0, "", "")
    (checkout / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert run(checkout)[2] == ".[rtl,dev]\n"


def test_interrupted_installation_starts_anew(checkout: Path) -> None:
    add_python(checkout)
    add_command(checkout, "c++")
    run(checkout)
    (checkout / "pip-status").write_text("1")
    assert run(checkout, "rtl")[::2] == (1, ".[rtl]\n")
    (checkout / "pip-status").write_text("0")
    assert run(checkout)[::2] == (0, "venv .venv\n.[rtl,dev]\n")


def test_other_python_or_folder_starts_anew(checkout: Path) -> None:
    add_python(checkout)
    add_python(checkout, "my python", "ok 3.11.7 /opt")
    add_command(checkout, "c++")
    run(checkout)
    assert run(checkout, PYTHON="my python")[2] == "venv .venv\n.[rtl,dev]\n"
    moved = checkout.rename(checkout.parent / "moved")
    assert run(moved, PYTHON="my python")[2] == "venv .venv\n.[rtl,dev]\n"


def test_no_working_compiler_installs_one(checkout: Path) -> None:
    add_python(checkout)
    add_command(checkout, "g++", "#!/bin/sh\nexit 1\n")
    _, output, log = run(checkout)
    assert log == "venv .venv\n.[rtl,dev,compiler]\n"
    assert output.splitlines()[1] == (
        ".venv: no working C++ compiler here (c++, g++, clang++): installing one from PyPI "
        "(Zig, 411 MB)."
    )


def test_compiler_that_was_asked_for_must_work(checkout: Path) -> None:
    add_python(checkout)
    add_command(checkout, "c++")
    assert run(checkout, CXX="absent++ -O1") == (
        1,
        "CXX names absent++ -O1, which does not compile C++: unset it or name one that does.\n",
        "",
    )


def test_python_without_pynq_is_said(checkout: Path) -> None:
    add_python(checkout, "python3", "ok 3.13.0 /usr")
    assert run(checkout, "pynq,rtl")[1].splitlines()[1] == (
        ".venv: Python 3.13.0: pynq is left out, because the grpcio 1.64 it asks for has no wheel "
        "for Python 3.13 and later; the simulated PYNQ board needs Python 3.11 or 3.12."
    )


def test_no_suitable_python_is_one_sentence(checkout: Path) -> None:
    add_command(checkout, "python3.11", "#!/bin/sh\nexit 127\n")
    add_python(checkout, "python3", "python3 is Python 3.9.18")
    status, output, log = run(checkout)
    assert (status, log) == (1, "")
    assert output == (
        "Spikewright needs Python 3.11 or 3.12 with its venv module, but python3.12 is not there, "
        "python3.11 does not run, python3 is Python 3.9.18: install one, or name yours with "
        "make PYTHON=/path/to/python3.12.\n"
    )


def test_this_python_is_judged_suitable() -> None:
    """The one run of the real judgement, on a Python that is known to do."""
    judge = SCRIPT.read_text().split("find_python\nfind_compiler")[0] + 'judge "$PYTHON"\n'
    result = subprocess.run(
        ["sh", "-c", judge, "sh", ".venv", "dev"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert (result.stdout[:5], result.stderr) == ("ok 3.", "")
