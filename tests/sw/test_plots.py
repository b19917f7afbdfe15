# SPDX-License-Identifier: Apache-2.0
"""Figures are text: what they say is looked for in it."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from spikewright import plots

HISTORY = [
    {
        "train_loss": 1 / epoch,
        "train_accuracy": 1 - 0.5 / epoch,
        "validation_loss": 2 / epoch,
        "validation_accuracy": 0.9,
    }
    for epoch in (1, 2, 3)
]
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(20, 10))
LABELS = RNG.integers(0, 10, 20)

FIGURES = {
    "training": lambda: plots.training(HISTORY, name="n"),
    "raster": lambda: plots.raster(
        np.eye(8), np.eye(6, 9, dtype=np.int64), np.linspace(0, 1, 60).reshape(6, 10), name="n"
    ),
    "agreement": lambda: plots.agreement(LOGITS, LOGITS + 0.01, name="n"),
    "confusion": lambda: plots.confusion(LABELS, LABELS, name="n"),
    "utilization": lambda: plots.utilization({"lut": 8364}, {"lut": 83640}, name="n"),
}


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("text")]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_can_stand_in_a_page_beside_others(figure):
    svg = FIGURES[figure]()
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert root.get("viewBox")
    assert root.get("width") is None
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("n-") for name in ids)
    used = re.findall(r'(?:url\(#|href="#)([^")]*)', svg)
    assert set(used) <= set(ids)
    assert "http" not in svg
    assert svg == FIGURES[figure]()


@pytest.mark.parametrize("figure", FIGURES)
def test_every_colour_is_the_page_s(figure):
    svg = FIGURES[figure]()
    assert not re.findall(r"#[0-9a-fA-F]{6}\b", svg)
    assert "var(--" in svg


def test_validation_is_left_out_where_there_is_none():
    assert "validation" in words(plots.training(HISTORY, name="n"))
    without = [{**entry, "validation_loss": None, "validation_accuracy": None} for entry in HISTORY]
    assert "validation" not in words(plots.training(without, name="n"))


def test_agreement_shows_every_frame_whose_class_differs():
    got = LOGITS.copy()
    svg = plots.agreement(LOGITS, got, name="n", frames=5)
    assert "another class" not in words(svg)
    assert svg.count("<use") < 10 * 5 + 40
    got[17] = -got[17]
    assert "another class" in words(plots.agreement(LOGITS, got, name="n", frames=5))


def test_confusion_counts():
    labels = np.array([0, 0, 0, 1, 1, 2])
    classes = np.array([0, 0, 1, 1, 1, 2])
    told = words(plots.confusion(labels, classes, name="n"))
    assert sorted(told) == sorted([*"012", *"012", "answer", "label", "2", "1", "2", "1"])


def test_utilization_tells_used_and_available():
    told = words(plots.utilization({"lut": 8364, "dsp": 0}, {"lut": 83640, "dsp": 156}, name="n"))
    assert told == ["LUT", "8,364 of 83,640 (10.0 %)", "DSP", "0 of 156 (0.0 %)"]


def test_too_large_a_design_stands_out():
    assert "var(--orange)" in plots.utilization({"dsp": 200}, {"dsp": 156}, name="n")
    assert "var(--orange)" not in plots.utilization({"dsp": 100}, {"dsp": 156}, name="n")
