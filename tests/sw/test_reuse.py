# SPDX-License-Identifier: Apache-2.0
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from trained import blobs, trained

from spikewright import reuse
from spikewright.boards.board import Resources, find_board
from spikewright.generate import generate
from spikewright.quantize import quantize
from spikewright.reuse import key, synthesize_once
from spikewright.synthesize import FOLDER, RESULT, Synthesis


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    program = quantize(trained("relu"), calibrate=blobs().x_train)
    return generate(program, board="ulx3s", folder=tmp_path_factory.mktemp("reuse") / "build")


@pytest.fixture
def tools(monkeypatch):
    """Tools of known versions, and a synthesis that only counts how often it was asked for."""
    calls = []

    def synthesize(build, *, seed):
        calls.append(seed)
        bitstream = build.folder / FOLDER / "top.bit"
        bitstream.parent.mkdir(exist_ok=True)
        bitstream.write_bytes(bytes(100 + len(calls)))
        board = find_board(build.board.name)
        done = Synthesis(
            board=board.name,
            label="placed and routed",
            clock_mhz=50.0,
            fmax_mhz=60.0 + len(calls),
            used=Resources(lut=1, ff=2, bram=3, dsp=4),
            available=board.resources,
            bitstream=bitstream,
            seed=seed,
            seconds=1.0,
        )
        (build.folder / RESULT).write_text(json.dumps(done.facts()))
        return done

    monkeypatch.setattr(reuse, "synthesize", synthesize)
    monkeypatch.setattr(reuse, "tool_versions", lambda board: {"yosys": "1"})
    return calls


def forget(build):
    (build.folder / RESULT).unlink()
    shutil.rmtree(build.folder / FOLDER)


def test_the_second_time_nothing_is_done(build, tools, tmp_path):
    first = synthesize_once(build, tmp_path / "kept", seed=1)
    forget(build)
    again = synthesize_once(build, tmp_path / "kept", seed=1)
    assert tools == [1]
    assert (first["reused"], again["reused"]) == (False, True)
    assert {**first, "reused": True} == again
    assert again["bitstream_bytes"] == 101
    assert (build.folder / FOLDER / "top.bit").stat().st_size == 101


def test_another_seed_is_another_synthesis(build, tools, tmp_path):
    synthesize_once(build, tmp_path / "kept", seed=1)
    assert not synthesize_once(build, tmp_path / "kept", seed=2)["reused"]
    assert tools == [1, 2]
    # Only the last result is kept.
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert not synthesize_once(build, tmp_path / "kept", seed=1)["reused"]


def test_results_move_with_their_folder(build, tools, tmp_path):
    synthesize_once(build, tmp_path / "kept", seed=1)
    moved = replace(build, folder=tmp_path / "moved")
    shutil.copytree(build.folder, moved.folder)
    facts = synthesize_once(moved, tmp_path / "kept", seed=1)
    assert facts["bitstream"] == str(tmp_path / "moved" / FOLDER / "top.bit")


def test_what_decides_is_in_the_key(build, tmp_path):
    program, versions = build.program, {"yosys": "1"}
    same = key(build, 1, versions)
    weights = dict(program.tensors)
    weights["fc1.weight"] = np.zeros_like(weights["fc1.weight"])
    others = {
        "weights": generate(replace(program, tensors=weights), folder=tmp_path / "weights"),
        "lanes": generate(program, lanes=2, folder=tmp_path / "lanes"),
        "clock": generate(program, clock_mhz=40, folder=tmp_path / "clock"),
    }
    assert key(others["weights"], 1, versions) == same
    assert key(others["lanes"], 1, versions) != same
    assert key(others["clock"], 1, versions) != same
    assert key(build, 2, versions) != same
    assert key(build, 1, {"yosys": "2"}) != same


def test_tools_tell_their_versions(monkeypatch, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho some tool 1.2 >&2\n")
    tool.chmod(0o755)
    monkeypatch.setattr(reuse, "find_tool", lambda name: str(tool))
    told = {"yosys": "some tool 1.2", "nextpnr-ecp5": "some tool 1.2"}
    assert reuse.tool_versions("ulx3s") == told
