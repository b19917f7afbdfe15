# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML file that needs nothing beside it. Needs the demo extra."""

import importlib
import importlib.util
import io
import json
import os
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.data import read_arrays
from spikewright.sim.errors import FileError, ToolError
from spikewright.sim.ports import SPIKE

Facts = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]

NETWORKS = ("relu", "lif")
"""Parts of a summary."""
EXTRA = {
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "sklearn": "scikit-learn",
    "threadpoolctl": "scikit-learn",
}
"""Modules of the demo extra, and what installs them."""
MISSING = "-"
"""What stands for no value."""
RESOURCES = ("lut", "ff", "bram", "dsp")
SUMMARY, ARRAYS, REPORT = "summary.json", "report.npz", "report.html"
"""Files of a demo's folder."""


def require_extra() -> None:
    """Refuse to begin what would fail at its end.

    Raises
    ------
    ToolError
        If a package of the demo extra is missing.
    """
    for module, package in EXTRA.items():
        if importlib.util.find_spec(module) is None:
            raise ToolError(
                f"The demo and its report need {package}: run pip install spikewright[demo]"
            )


def render(summary: Mapping[str, Any], arrays: Arrays) -> str:
    """HTML of a report.

    Parameters
    ----------
    summary : mapping
        As :func:`spikewright.demo.demo` returns it.
    arrays : mapping of str to ndarray
        For each network NAME: ``NAME.labels`` and ``NAME.classes`` (frames,), ``NAME.float`` and
        ``NAME.integer`` (frames, classes) logits; for a spiking one also ``NAME.picture`` (rows,
        columns), ``NAME.spikes`` (steps, neurons) and ``NAME.voltages`` (steps, classes).

    Raises
    ------
    ToolError
        If a package of the demo extra is missing.
    """
    require_extra()
    jinja2 = importlib.import_module("jinja2")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(percent=percent, duration=duration, number=number, size=size)
    environment.tests.update(spiking=lambda layer: layer["format"] == str(SPIKE))
    source = files("spikewright").joinpath("templates/report.html.j2").read_text("utf-8")
    networks = [name for name in NETWORKS if name in summary]
    page: str = environment.from_string(source).render(
        summary=summary,
        networks=networks,
        figures={name: dict(_figures(name, summary[name], arrays)) for name in networks},
    )
    return page


def write(folder: Path, summary: Mapping[str, Any], arrays: Arrays) -> Path:
    """Write summary, arrays and report to a folder, each complete or not at all; return the report.

    Raises
    ------
    ToolError
        If a package of the demo extra is missing.
    """
    page = render(summary, arrays)
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **dict(arrays))
    _write(folder / ARRAYS, packed.getvalue())
    _write(folder / SUMMARY, (json.dumps(summary, indent=2) + "\n").encode())
    _write(folder / REPORT, page.encode())
    return folder / REPORT


def read(folder: Path) -> tuple[Facts, dict[str, NDArray[Any]]]:
    """Summary and arrays that :func:`write` wrote.

    Raises
    ------
    FileError
        If one is missing or incomplete.
    """
    path = folder / SUMMARY
    if not path.is_file():
        raise FileError(f"There is no file {path}: run spikewright demo first")
    try:
        summary: Facts = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise FileError(f"{path} is not complete JSON: run spikewright demo again") from error
    return summary, read_arrays(folder / ARRAYS)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _figures(name: str, part: Mapping[str, Any], arrays: Arrays) -> Iterator[tuple[str, str]]:
    """Figures of a network by what the template calls them."""
    plots = importlib.import_module("spikewright.plots")
    own = {key.removeprefix(f"{name}."): value for key, value in arrays.items()}
    yield "training", plots.training(part["train"]["history"], name=f"{name}-training")
    if "spikes" in own:
        frame = own["picture"], own["spikes"], own["voltages"]
        yield "raster", plots.raster(*frame, name=f"{name}-raster")
    yield "agreement", plots.agreement(own["float"], own["integer"], name=f"{name}-agreement")
    yield "confusion", plots.confusion(own["labels"], own["classes"], name=f"{name}-confusion")
    for what in ("synthesize", "counts"):
        facts = part[what]
        if "skipped" not in facts:
            used = {resource: facts[resource] for resource in RESOURCES}
            yield what, plots.utilization(used, facts["available"], name=f"{name}-{what}")


def percent(share: float | None, digits: int = 1) -> str:
    """A share (0 to 1) in percent; all and nothing are never the outcome of rounding.

    >>> percent(0.9777), percent(0.9999), percent(1.0)
    ('97.8 %', '99.99 %', '100 %')
    """
    if share is None:
        return MISSING
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    text = f"{100 * share:.{digits}f}"
    return f"{text} %" if 0 < float(text) < 100 or digits > 6 else percent(share, digits + 1)


def duration(seconds: float | None) -> str:
    """Seconds with the unit that suits.

    >>> duration(0.00123), duration(75.0)
    ('1.23 ms', '75 s')
    """
    if seconds is None:
        return MISSING
    if seconds == 0:
        return "0 s"
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}" if seconds < 1e3 else f"{seconds:.0f} s"
    return f"{seconds * 1e6:.3g} µs"


def number(value: float | None) -> str:
    """A count with thousands apart, or a measurement with few digits.

    >>> number(12345), number(81.4567)
    ('12,345', '81.46')
    """
    if value is None:
        return MISSING
    whole = abs(value) >= 1000 or float(value).is_integer()
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def size(count: int | None) -> str:
    """Bytes in the unit that suits.

    >>> size(1_900_000)
    '1.9 MB'
    """
    if count is None:
        return MISSING
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
