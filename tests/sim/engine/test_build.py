# SPDX-License-Identifier: Apache-2.0
"""Compiled designs are kept, and a failed build leaves nothing behind."""

from dataclasses import replace
from pathlib import Path

import pytest
from bench.adder import DESIGN

from spikewright.sim.engine import describe, open_engine
from spikewright.sim.engine.build import compile_sources
from spikewright.sim.engine.cache import cache_folder, cached, digest
from spikewright.sim.engine.compiler import require_compiler
from spikewright.sim.engine.verilator import VerilatorEngine
from spikewright.sim.errors import ToolError


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of designs beside the usual runtime of Verilator."""
    usual = cache_folder() / "runtime"
    usual.mkdir(parents=True, exist_ok=True)
    (tmp_path / "runtime").symlink_to(usual)
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    return tmp_path / "designs"


def test_the_second_opening_builds_nothing(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_engine(DESIGN).close()
    (library,) = fresh.iterdir()
    made = library.stat().st_mtime_ns
    monkeypatch.setattr("spikewright.sim.engine.build.verilate", None)
    with open_engine(DESIGN) as engine:
        assert engine.read(0x004) == 0
    assert [path.stat().st_mtime_ns for path in fresh.iterdir()] == [made]


def test_another_design_is_another_file(fresh: Path) -> None:
    other = replace(DESIGN, verilog=DESIGN.verilog.replace("+ addend", "- addend"))
    with open_engine(DESIGN) as plus, open_engine(other) as minus:
        for engine in (plus, minus):
            engine.write(0x000, 3)
        assert plus.transfer([10], 1, limit_cycles=9).tolist() == [13]
        assert minus.transfer([10], 1, limit_cycles=9).tolist() == [7]
    assert len(list(fresh.iterdir())) == 2


def test_two_engines_of_one_design_are_apart() -> None:
    with open_engine(DESIGN) as one, open_engine(DESIGN) as two:
        one.write(0x000, 1)
        two.write(0x000, 2)
        assert (one.read(0x000), two.read(0x000)) == (1, 2)


def test_probes_are_optional(fresh: Path) -> None:
    with open_engine(replace(DESIGN, layers=0)) as engine:
        engine.record(True)
        assert engine.transfer([1], 1, limit_cycles=9).tolist() == [1]
        assert engine.probes().shape == (0, 3)


def test_verilog_with_an_error(fresh: Path) -> None:
    with pytest.raises(ToolError, match=r"^Verilator failed with status 1: %Error: design\.v:1:"):
        open_engine(replace(DESIGN, verilog="module adder(; endmodule\n"))
    assert not fresh.exists() or not list(fresh.iterdir())


def test_waveforms_are_chosen_at_the_start(tmp_path: Path) -> None:
    message = r"^This engine was opened without waveforms: open it with trace=True$"
    with open_engine(DESIGN) as engine, pytest.raises(ToolError, match=message):
        engine.trace(tmp_path / "wave.vcd")


def test_large_designs_are_compiled_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikewright.sim.engine.build.UNITY_BYTES", 0)
    sources = [tmp_path / "one.cpp", tmp_path / "two__Slow.cpp"]
    for source in sources:
        source.write_text("static int here() { return 1; }\nint (*f)() = here;\n")
    made = compile_sources(require_compiler(), (), sources, folder=tmp_path)
    assert [path.name for path in made] == ["one.o", "two__Slow.o"]
    assert all(path.exists() for path in made)


def test_a_file_is_built_once(tmp_path: Path) -> None:
    folders: list[Path] = []

    def build(folder: Path) -> Path:
        folders.append(folder)
        (folder / "made").write_text("content")
        return folder / "made"

    for _ in range(2):
        assert cached(tmp_path / "deep" / "file", build).read_text() == "content"
    assert len(folders) == 1
    assert not folders[0].exists()


def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    def build(folder: Path) -> Path:
        (folder / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "file", build)
    assert list(tmp_path.iterdir()) == []


def test_digest_tells_where_texts_are_split() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPIKEWRIGHT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "spikewright"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "spikewright"
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"


def test_describe_names_the_compiler() -> None:
    compiler = require_compiler()
    assert describe() == f"Verilator with {compiler.name} ({compiler.version})"
    with VerilatorEngine(DESIGN) as engine:
        assert engine.name == f"Verilator with {compiler.name}"
