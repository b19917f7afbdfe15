# SPDX-License-Identifier: Apache-2.0
"""The demo's steps on tiny networks, without the tools that take minutes."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from spikewright import demo as module
from spikewright import flow
from spikewright.comparison import Divergence
from spikewright.demo import demo, headline
from spikewright.network import Network
from spikewright.recipes import RECIPES, Recipe, Split, judge, train
from spikewright.sim.errors import ToolError
from spikewright.verify import Verification

FLAT = (
    *("float_accuracy", "accuracy", "frames", "agreement", "mismatches", "first"),
    *("cycles_per_frame", "core_seconds", "transfer_seconds", "end_to_end_seconds"),
    *("fmax_mhz", "lut", "ff", "bram", "dsp", "bitstream"),
)
NESTED = ("train", "quantize", "devices", "verify", "synthesize", "counts")
AVAILABLE = {"lut": 100, "ff": 100, "bram": 10, "dsp": 10}


def test_split_holds_digits_out():
    split = Split.draw(0)
    facts = split.facts()
    assert facts == {"train": 1294, "validation": 144, "test": 359}
    parts = (split.data.x_train, split.x, split.data.x_test)
    rows = [row.tobytes() for part in parts for row in part]
    # All digits are there once; that no two are alike makes the parts disjoint.
    assert len(rows) == len(set(rows)) == 1797
    other = Split.draw(1)
    assert not np.array_equal(split.data.x_test, other.data.x_test)


def test_training_is_watched_on_digits_it_never_saw():
    split = Split.draw(0)
    recipe = Recipe("relu", "64-8-10", {"epochs": 2, "batch": 64})
    network, facts = train(recipe, split, 0)
    assert facts["samples"] == 20 * 1294
    assert len(facts["history"]) == 2
    loss, accuracy = judge(network, split.x, split.y)
    last = facts["history"][-1]
    assert (last["validation_loss"], last["validation_accuracy"]) == (loss, accuracy)
    assert facts["history"][0]["validation_loss"] != loss
    assert accuracy == network.accuracy(split.x, split.y) > 0.8
    assert network.history == facts["history"]


def test_judge_is_cross_entropy():
    network = Network.from_spec("2-3")
    network.layers[0].weight[:] = 0
    network.layers[0].bias[:] = (1.0, 0.0, 1000.0)
    loss, accuracy = judge(network, np.zeros((2, 2)), np.array([2, 0]))
    assert loss == pytest.approx(999 / 2)
    assert accuracy == 0.5
    network.layers[0].bias[:] = 0
    assert judge(network, np.zeros((1, 2)), np.array([1]))[0] == pytest.approx(math.log(3))


@pytest.fixture
def quick(monkeypatch):
    """Tiny networks; no gateware and no tools."""

    def verify(program, x, *, lanes, verilog, folder):
        assert len(x) == 359
        assert "module spikewright" in verilog
        return Verification("engine", lanes, len(x), 0, 1000, None, None)

    def load_build(folder):
        board = SimpleNamespace(name=folder.name)
        return SimpleNamespace(folder=folder, board=board, lanes={}, verilog="module spikewright")

    def synthesize_once(build, kept, *, seed):
        placed = build.board.name == "ulx3s"
        bitstream = str(build.folder / "top.bit") if placed else None
        return {
            **{"label": "placed", "reused": False, "seconds": 1.0, "bitstream": bitstream},
            **{"lut": 12, "ff": 34, "bram": 5, "dsp": 6, "available": AVAILABLE},
            **{"fmax_mhz": 77.5 if placed else None, "bitstream_bytes": 9 if placed else None},
        }

    real = flow.run
    monkeypatch.setattr(flow, "run", lambda build, *a, **o: real(build.parent / "net.spk", *a, **o))
    estimate = {"estimate": {"bram": 1, "dsp": 2}}
    monkeypatch.setattr(flow, "generate", lambda program, output, **options: estimate)
    monkeypatch.setattr(module, "load_build", load_build)
    recipes = [Recipe("relu", "64-4-10", {"epochs": 1, "batch": 128})]
    recipes.append(Recipe("lif", "64-4-10", {"epochs": 1, "batch": 128}))
    monkeypatch.setattr(module, "RECIPES", recipes)
    monkeypatch.setattr(module, "DEVICES", ("emulator",))
    monkeypatch.setattr(module, "describe", lambda: "Verilator with a compiler")
    monkeypatch.setattr(module, "verify", verify)
    monkeypatch.setattr(module, "synthesize_once", synthesize_once)
    monkeypatch.setattr(module, "tool_versions", lambda board: {})


def test_summary_has_what_it_promises(quick, tmp_path):
    said = []
    summary = demo(tmp_path / "demo", seed=2, say=said.append)
    assert said[0] == "RTL engine: Verilator with a compiler"
    assert said[-1] == f"report: {tmp_path / 'demo' / 'report.html'}"
    assert any(line.startswith("lif: synthesized for ulx3s") for line in said)
    assert json.loads((tmp_path / "demo" / "summary.json").read_text()) == summary
    assert list(summary) == ["relu", "lif", "identical", "seed", "split", "engine"]
    assert summary["identical"] is True
    assert summary["seed"] == 2
    for name in ("relu", "lif"):
        assert sorted(summary[name]) == sorted((*FLAT, *NESTED))
        assert summary[name]["fmax_mhz"] == 77.5
        assert summary[name]["frames"] == 359
        assert summary[name]["accuracy"] == summary[name]["devices"]["emulator"]["accuracy"]
        assert (tmp_path / "demo" / name / "net.spk").is_file()
    page = (tmp_path / "demo" / "report.html").read_text("utf-8")
    assert "Everything that ran computed the same bits." in page
    shown = headline(summary)
    assert [row["network"] for row in shown["networks"]] == ["relu", "lif"]


def test_a_difference_ends_identical(quick, tmp_path, monkeypatch):
    first = Divergence(3, 1, "lif1.spike", 2, 1, 0)
    outcome = Verification("engine", {}, 359, 2, 1000, first, None)
    monkeypatch.setattr(module, "RECIPES", module.RECIPES[1:])
    monkeypatch.setattr(module, "verify", lambda *args, **options: outcome)
    said = []
    summary = demo(tmp_path, seed=0, say=said.append)
    assert summary["identical"] is False
    assert summary["lif"]["mismatches"] == 2
    assert summary["lif"]["first"] == first.facts()
    assert any(line.endswith(f"2 images differ, first at {first}") for line in said)
    assert f"first at {first}" in (tmp_path / "report.html").read_text("utf-8")


def test_what_is_missing_is_skipped_and_said(quick, tmp_path, monkeypatch):
    def absent(board):
        raise ToolError("yosys was not found")

    def run(build, data, *, on, **options):
        if on == "pynq-sim":
            raise ToolError("pynq is not installed")
        return real(build, data, on=on, **options)

    real = flow.run
    monkeypatch.setattr(module, "RECIPES", module.RECIPES[:1])
    monkeypatch.setattr(module, "DEVICES", ("emulator", "pynq-sim"))
    monkeypatch.setattr(module, "tool_versions", absent)
    monkeypatch.setattr(flow, "run", run)
    said = []
    summary = demo(tmp_path, seed=0, say=said.append)["relu"]
    assert summary["devices"]["pynq-sim"] == {"skipped": "pynq is not installed"}
    assert summary["synthesize"]["skipped"] == "yosys was not found"
    assert [summary[key] for key in ("fmax_mhz", "lut", "bitstream")] == [None] * 3
    assert summary["accuracy"] == summary["devices"]["emulator"]["accuracy"]
    assert "relu: pynq-sim: skipped: pynq is not installed" in said
    assert "relu: synthesis for ulx3s skipped: yosys was not found" in said
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("skipped: yosys was not found") == 2
    assert page.count("skipped: pynq is not installed") == 1


def test_a_slow_engine_gets_few_images(quick, tmp_path, monkeypatch):
    frames = []

    def verify(program, x, **options):
        frames.append(len(x))
        return Verification("Amaranth simulator", {}, len(x), 0, 10, None, None)

    monkeypatch.setattr(module, "RECIPES", module.RECIPES[:1])
    monkeypatch.setattr(module, "describe", lambda: "Amaranth simulator, slow. No compiler.")
    monkeypatch.setattr(module, "verify", verify)
    summary = demo(tmp_path, seed=0, say=lambda line: None)
    assert frames == [module.SLOW_FRAMES]
    assert summary["relu"]["devices"]["emulator"]["frames"] == 359


def test_recipes_are_the_two_networks():
    assert [(recipe.neuron, recipe.spec) for recipe in RECIPES] == [
        ("relu", "64-32-10"),
        ("lif", "64-64-10"),
    ]
