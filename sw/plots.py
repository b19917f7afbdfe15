# SPDX-License-Identifier: Apache-2.0
"""Figures of the report as inline SVG that takes its colours from the page. Needs the demo extra.

Every function returns the text of one ``<svg>`` element: the same for the same arguments, with ids
that begin with the figure's ``name``.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

INK, MUTED, GRID, SURFACE = "#010203", "#020304", "#030405", "#040506"
BLUE, ORANGE = "#050607", "#060708"
COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    SURFACE: "var(--surface)",
    BLUE: "var(--blue)",
    ORANGE: "var(--orange)",
}
"""What the page's style sheet puts in the place of each colour drawn here."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "spikewright",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}

WIDTH = 3.9
"""Of every figure, in inches: about a phone's, so that text stays as large as the page's."""

CLOUD = 100
"""Frames whose logits are drawn."""


def training(history: Sequence[Mapping[str, float | None]], *, name: str) -> str:
    """Loss and accuracy over epochs."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for axes, what in ((above, "loss"), (below, "accuracy")):
            for part, colour, dashes in (("train", BLUE, "-"), ("validation", ORANGE, "--")):
                points = [entry[f"{part}_{what}"] for entry in history]
                if None not in points:
                    epochs = np.arange(1, len(points) + 1)
                    (line,) = axes.plot(epochs, points, dashes, color=colour, label=part)
                    line.set(marker="o", markersize=3, linewidth=1.8)
            axes.set_title(what.capitalize())
        above.set_ylim(bottom=0)
        above.legend()
        below.set_xlabel("epoch")
        below.xaxis.set_major_locator(MaxNLocator(integer=True))
        return _svg(figure, name, "Loss and accuracy of training and validation over the epochs")


def raster(
    picture: NDArray[Any], spikes: NDArray[Any], voltages: NDArray[Any], *, name: str
) -> str:
    """One frame of a spiking network: its picture, its spikes and the output's voltages.

    Parameters
    ----------
    picture : (rows, columns) ndarray
        From 0 to 1.
    spikes : (steps, neurons) ndarray
        0 or 1.
    voltages : (steps, classes) ndarray
    name : str
    """
    steps, neurons = spikes.shape
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
        grid = figure.add_gridspec(2, 2, width_ratios=(1, 2), height_ratios=(1.25, 1))
        _picture(figure.add_subplot(grid[0, 0]), picture)
        above = figure.add_subplot(grid[0, 1])
        when, which = np.nonzero(spikes)
        above.vlines(when, which - 0.45, which + 0.45, color=BLUE, linewidth=2)
        above.set(title="Spikes by hidden neuron", ylim=(-1, neurons), xlim=(-0.5, steps - 0.5))
        below = figure.add_subplot(grid[1, :])
        winner = int(voltages[-1].argmax())
        for k, line in enumerate(voltages.T):
            wins = k == winner
            below.plot(line, color=ORANGE if wins else MUTED, linewidth=2.4 if wins else 1)
        below.text(0.02, 0.95, f"class {winner}", color=ORANGE, transform=below.transAxes, va="top")
        below.set(title="Output voltages by class", xlabel="time step", xlim=(-0.5, steps - 0.5))
        for axes, ticks in ((above, 5), (below, 10)):
            axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))
        return _svg(figure, name, "A digit, the spikes it causes and the voltages of the outputs")


def _picture(axes: Any, picture: NDArray[Any]) -> None:
    rows, columns = picture.shape
    for (row, column), value in np.ndenumerate(picture):
        if value > 0:
            axes.add_patch(Rectangle((column, row), 1, 1, color=INK, alpha=float(value), lw=0))
    axes.add_patch(Rectangle((0, 0), columns, rows, fill=False, color=GRID))
    axes.set(xlim=(0, columns), ylim=(rows, 0), aspect="equal", title="Input")
    axes.axis("off")


def agreement(wanted: NDArray[Any], got: NDArray[Any], *, name: str, frames: int = CLOUD) -> str:
    """Logits in floating point against those of the integers.

    Parameters
    ----------
    wanted, got : (frames, classes) ndarray
        Float, and integer as values.
    name : str
    frames : int
        Of those that agree on the class, so many are drawn; all that do not are.
    """
    differ = wanted.argmax(axis=1) != got.argmax(axis=1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
        axes = figure.subplots()
        ends = min(wanted.min(), got.min()), max(wanted.max(), got.max())
        axes.plot(ends, ends, color=MUTED, linewidth=1, label="equal")
        for rows, colour, label in (
            (np.flatnonzero(~differ)[:frames], BLUE, "same class"),
            (np.flatnonzero(differ), ORANGE, "another class"),
        ):
            if len(rows):
                x, y = wanted[rows].ravel(), got[rows].ravel()
                (points,) = axes.plot(x, y, "o", color=colour, label=label)
                points.set(markersize=2.6, markeredgewidth=0, alpha=0.6)
        axes.set(xlabel="float logit", ylabel="integer logit, as a value")
        axes.legend(markerscale=2.5)
        return _svg(figure, name, "Integer logits against float logits, and the line of equality")


def confusion(labels: NDArray[Any], classes: NDArray[Any], *, name: str) -> str:
    """How often each digit was taken for which."""
    size = int(max(labels.max(), classes.max())) + 1
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (labels, classes), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
        axes = figure.subplots()
        for (row, column), count in np.ndenumerate(counts):
            if not count:
                continue
            right, share = row == column, float(shares[row, column])
            # A single mistake must still be seen.
            colour, alpha = (BLUE, share) if right else (ORANGE, 0.45)
            place = column - 0.47, row - 0.47
            axes.add_patch(Rectangle(place, 0.94, 0.94, color=colour, alpha=alpha, lw=0))
            ink = SURFACE if right and share > 0.5 else INK
            axes.text(column, row, str(count), color=ink, ha="center", va="center")
        axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
        axes.set(xticks=range(size), yticks=range(size), xlabel="answer", ylabel="label")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return _svg(figure, name, "Confusion matrix: rows are labels, columns are answers")


def utilization(used: Mapping[str, int], available: Mapping[str, int], *, name: str) -> str:
    """What a design takes of each resource of a part."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH, 0.62 * len(used) + 0.1), layout="constrained")
        axes = figure.subplots()
        for row, (resource, count) in enumerate(used.items()):
            share = count / available[resource]
            axes.barh(row, 1, 0.34, color=GRID)
            axes.barh(row, share, 0.34, color=BLUE if share <= 1 else ORANGE)
            told = f"{count:,} of {available[resource]:,} ({100 * share:.1f} %)"
            axes.text(0, row - 0.25, resource.upper(), va="bottom")
            axes.text(1, row - 0.25, told, va="bottom", ha="right", color=MUTED)
        axes.set(xlim=(0, 1), ylim=(len(used) - 0.7, -0.75))
        axes.axis("off")
        return _svg(figure, name, "Used of available resources")


def _svg(figure: Figure, name: str, label: str) -> str:
    """A figure as one element that can stand beside others in a page."""
    buffer = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</defs>", "", text, flags=re.DOTALL)
    text = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg role="img" aria-label="{label}" \1>', text
    )
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", text).replace("xlink:href", "href")
    for drawn, shown in COLOURS.items():
        text = text.replace(drawn, shown)
    return text
