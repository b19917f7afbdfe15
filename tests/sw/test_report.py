# SPDX-License-Identifier: Apache-2.0
import copy
import importlib.util
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from spikewright import report
from spikewright.sim.errors import FileError, ToolError

VOID = {"meta", "br", "link", "img", "input", "hr"}
AVAILABLE = {"lut": 83640, "ff": 83640, "bram": 208, "dsp": 156}


def part(network):
    history = [
        {
            "train_loss": 1.0,
            "train_accuracy": 0.5,
            "validation_loss": 1.1,
            "validation_accuracy": 0.4,
            "seconds": 0.1,
        }
    ]
    run = {
        "device": "d",
        "frames": 12,
        "accuracy": 0.75,
        "agreement": 1.0,
        "mismatches": 0,
        "cycles_per_frame": 128.0,
        "core_seconds": 1.5e-5,
        "transfer_seconds": 0.002,
        "end_to_end_seconds": 0.3,
        "clock_mhz": 100.0,
    }
    built = {
        **{"title": "A board", "part": "a-part", "label": "placed and routed", "reused": True},
        **{"lut": 4321, "ff": 1234, "bram": 5, "dsp": 8, "fmax_mhz": 91.25, "available": AVAILABLE},
        **{"bitstream": "top.bit", "bitstream_bytes": 1900000, "seconds": 61.5},
    }
    layers = [
        {"layer": "relu1", "format": "u8.4", "largest_error": 0.03, "saturations": 7},
        {"layer": "lif1", "format": "u1.0", "largest_error": 0.0123, "saturations": 0},
    ]
    return {
        **{"float_accuracy": 0.8, "accuracy": 0.75, "frames": 12, "mismatches": 0, "first": None},
        **{"agreement": 1.0, "cycles_per_frame": 128.0, "fmax_mhz": 91.25},
        **{"lut": 4321, "ff": 1234, "bram": 5, "dsp": 8, "bitstream": "top.bit"},
        "train": {
            **{"network": network, "samples": 100, "copies": 4, "epochs": 1, "seconds": 0.1},
            **{"steps": 20, "dt_ms": 1.0, "history": history},
        },
        "quantize": {
            **{"weight_bits": 8, "activation_bits": 8, "frames": 12, "agreement": 0.9},
            **{"float_accuracy": 0.8, "integer_accuracy": 0.75, "saturated_inputs": 0},
            "layers": layers,
        },
        "verify": {"frames": 12, "mismatches": 0, "elements": 5555, "where": None},
        "devices": {
            "emulator": {**run, "cycles_per_frame": None, "core_seconds": None, "clock_mhz": None},
            "rtl": run,
            "pynq-sim": {"skipped": "pynq <is> not installed"},
        },
        "synthesize": built,
        "counts": {**built, "fmax_mhz": None, "bitstream": None, "bitstream_bytes": None},
    }


def arrays(name, *, spiking):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 12)
    own = {
        "labels": labels,
        "classes": labels,
        "float": rng.normal(size=(12, 10)),
        "integer": rng.normal(size=(12, 10)),
    }
    if spiking:
        own |= {"picture": np.eye(8), "spikes": np.eye(20, 64, dtype=np.int64)}
        own |= {"voltages": rng.normal(size=(20, 10))}
    return {f"{name}.{key}": array for key, array in own.items()}


@pytest.fixture
def summary():
    return {
        "relu": part("64-32-10"),
        "lif": part("64-64-10"),
        "identical": True,
        "seed": 3,
        "split": {"train": 70, "validation": 18, "test": 12},
        "engine": "an engine",
    }


@pytest.fixture(scope="module")
def drawn():
    return {**arrays("relu", spiking=False), **arrays("lif", spiking=True)}


class Balance(HTMLParser):
    """Every tag that opens must close."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def text(page):
    """Words of a page, its tags balanced."""
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    return " ".join(" ".join(parser.text).split())


def test_the_page_needs_nothing_beside_it(summary, drawn):
    page = report.render(summary, drawn)
    assert page.startswith("<!DOCTYPE html>")
    assert not re.search(r"<script|<link|<img|@import|src=|https?://", page)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert page.count("<svg") == 11
    assert "prefers-color-scheme: dark" in page
    assert page == report.render(copy.deepcopy(summary), drawn)


def test_what_the_page_says(summary, drawn):
    told = text(report.render(summary, drawn))
    assert "Nothing here ran on real hardware." in told
    assert "Everything that ran computed the same bits." in told
    assert "75.0 %" in told
    assert "PYNQ-Z2, simulated" in told
    assert "skipped: pynq <is> not installed" in told
    assert "91.25 MHz" in told
    assert "4,321" in told
    assert "1.9 MB" in told
    assert "1.23 % of spikes" in told
    assert "counts only" in told
    assert "reused" in told
    assert "none differs." in told


def test_a_difference_is_no_small_print(summary, drawn):
    summary["identical"] = False
    summary["lif"]["mismatches"] = 2
    summary["lif"]["verify"] |= {"mismatches": 2, "where": "frame 3, step 1, layer lif1.spike"}
    told = text(report.render(summary, drawn))
    assert "Some results differ: see below which." in told
    assert "2 images differ, first at frame 3, step 1, layer lif1.spike." in told
    assert "Everything that ran" not in told


def test_what_was_not_synthesized_is_said(summary, drawn):
    skipped = {"title": "A board", "part": "a-part", "skipped": "yosys was not found"}
    summary["relu"] |= {"synthesize": skipped, "counts": skipped, "fmax_mhz": None, "lut": None}
    page = report.render(summary, drawn)
    assert text(page).count("skipped: yosys was not found") == 2
    assert page.count("<svg") == 9


def test_write_and_read(summary, drawn, tmp_path):
    assert report.write(tmp_path, summary, drawn) == tmp_path / "report.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report.html",
        "report.npz",
        "summary.json",
    ]
    again, arrays_again = report.read(tmp_path)
    assert again == summary
    page = (tmp_path / "report.html").read_text("utf-8")
    assert report.render(again, arrays_again) == page


def test_a_folder_without_a_whole_summary_is_refused(tmp_path):
    path = tmp_path / "summary.json"
    sentence = f"There is no file {path}: run spikewright demo first"
    with pytest.raises(FileError, match=f"^{re.escape(sentence)}$"):
        report.read(tmp_path)
    path.write_text(json.dumps({"relu": 1})[:-1])
    sentence = f"{path} is not complete JSON: run spikewright demo again"
    with pytest.raises(FileError, match=f"^{re.escape(sentence)}$"):
        report.read(tmp_path)


@pytest.mark.parametrize("module", ["jinja2", "matplotlib", "sklearn"])
def test_a_missing_extra_is_named(module, summary, drawn, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == module else found(name)
    )
    package = report.EXTRA[module]
    sentence = f"The demo and its report need {package}: run pip install spikewright[demo]"
    with pytest.raises(ToolError, match=f"^{re.escape(sentence)}$"):
        report.render(summary, drawn)


def test_shares_are_never_rounded_to_all_or_nothing():
    assert [report.percent(s) for s in (None, 0, 1, 0.5, 0.99999, 1e-5)] == [
        *("-", "0 %", "100 %", "50.0 %", "99.999 %", "0.001 %")
    ]


def test_units_suit():
    assert [report.duration(s) for s in (2e-6, 0.0123, 61.4, 4000.0)] == [
        *("2 µs", "12.3 ms", "61.4 s", "4000 s")
    ]
    assert [report.size(n) for n in (None, 700, 2_500_000)] == ["-", "0.7 kB", "2.5 MB"]
    assert [report.number(n) for n in (None, 1234, 128.0, 91.2345)] == [
        "-",
        "1,234",
        "128",
        "91.23",
    ]
