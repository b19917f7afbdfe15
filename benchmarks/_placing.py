# SPDX-License-Identifier: Apache-2.0
"""Synthesis, placement and routing of a component between registers."""

import hashlib
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _harness import TOP, Bench, core_rtlil
from amaranth.lib import wiring

from spikewright.boards import nextpnr, yosys
from spikewright.boards.part import Part
from spikewright.hw.cells.family import ICE40

SPRAM_BITS = 1 << 18
HIDDEN = ("fmax_seeds", "placed", "harness", "slowest", "timed", "gateware", "seconds")
"""What only the file of figures holds."""
_SOURCE = "bench.il"
_PINS = {
    "gw1n-9": {"clk": 52, "rst": 25, "si": 26, "so": 27},
    "gw2a-18": {"clk": 4, "rst": 25, "si": 26, "so": 27},
}
"""Pins where a placer refuses to choose."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What to place: a component, on a part, at a clock.

    Parameters
    ----------
    name : str
    make : callable
        Returns the component, a new one at each call.
    part : Part
    clock_mhz : float
        What the placer strives for; somewhat above what must be reached.
    weight_bits : int
        Bits of all weights together, if it has any.
    shared : int
        Lanes or neurons that its lookup tables are divided by, if that says something.
    """

    name: str
    make: Callable[[], wiring.Component]
    part: Part
    clock_mhz: float = 100.0
    weight_bits: int = 0
    shared: int = 0

    @property
    def title(self) -> str:
        """Name of the component and of the part."""
        return f"{self.name} on {self.part.name}"


def count(placement: Placement, folder: Path) -> yosys.Cells:
    """Cells of the component alone, nothing around it."""
    text = core_rtlil(placement.make(), placement.part.family)
    (folder / _SOURCE).write_text(text)
    return yosys.synthesize(
        folder,
        part=placement.part,
        rtlil=_SOURCE,
        top=TOP,
        log=folder / "yosys.log",
        netlist=None,
    )


def place(
    placement: Placement, folder: Path, seeds: Sequence[int], reports: Path | None
) -> dict[str, Any]:
    """Clock speed of the component between registers, with each seed; reports are kept."""
    part, bench = placement.part, Bench(placement.make())
    (folder / _SOURCE).write_text(bench.rtlil(part.family))
    yosys.synthesize(folder, part=part, rtlil=_SOURCE, top=TOP, log=folder / "yosys.log")
    constraints = None
    if part.name in _PINS:
        constraints = "bench.cst"
        lines = [f'IO_LOC "{port}" {pin};\n' for port, pin in _PINS[part.name].items()]
        (folder / constraints).write_text("".join(lines))
    found: dict[str, float] = {}
    for seed in seeds:
        nextpnr.place(
            folder,
            part=part,
            netlist=yosys.NETLIST,
            constraints=constraints,
            clock_mhz=placement.clock_mhz,
            seed=seed,
            log=folder / f"nextpnr.{seed}.log",
        )
        report = folder / nextpnr.REPORT
        found[str(seed)] = nextpnr.read_clock(report, placement.clock_mhz)
        if reports is not None:
            name = "".join(c if c.isalnum() or c in ".-" else "-" for c in placement.title)
            shutil.copy(report, reports / f"{name}.{seed}.json")
    return {
        "fmax_seeds": found,
        "placed": nextpnr.read_utilization(folder / nextpnr.REPORT),
        "slowest": slowest(folder / nextpnr.REPORT),
        "harness": asdict(bench.harness),
    }


def slowest(report: Path) -> list[str]:
    """Both ends of the slowest path from a clock's edge to its next one."""
    paths = [
        path["path"]
        for path in json.loads(report.read_text())["critical_paths"]
        if path["from"] == path["to"]
    ]
    worst = max(paths, key=lambda path: sum(part["delay"] for part in path))
    return [worst[0]["from"]["cell"], worst[-1]["to"]["cell"]]


def derived(placement: Placement, cells: yosys.Cells) -> dict[str, Any]:
    """Lookup tables of a lane or neuron, and bits of RAM for a bit of weights; all RAM counts."""
    block = 4096 if placement.part.family is ICE40 else 18 * 1024
    ram = cells.bram * block + cells.spram * SPRAM_BITS
    return {
        "lut each": (cells.lut + cells.lut_ram) / placement.shared if placement.shared else "",
        "ram/weights": ram / placement.weight_bits if placement.weight_bits else "",
    }


def measure(
    placement: Placement,
    seeds: Sequence[int],
    reports: Path | None,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Cells of the component alone and, where a tool places the part, its clock speed.

    What is known of the very same gateware is not measured again.
    """
    part = placement.part
    text = Bench(placement.make()).rtlil(part.family) + f"{part} {placement.clock_mhz}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    found: dict[str, Any] = {"timed": part.timed, "gateware": digest}
    if known is not None and known.get("gateware") == digest:
        found |= known
    done: dict[str, float] = found.get("fmax_seeds", {})
    left = [seed for seed in seeds if str(seed) not in done] if part.placer else []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        if "lut" not in found:
            cells = count(placement, Path(name))
            found |= {**asdict(cells), **derived(placement, cells)}
        if left:
            found |= place(placement, Path(name), left, reports)
            found["fmax_seeds"] = {**done, **found["fmax_seeds"]}
    if found.get("fmax_seeds"):
        found["fmax_mhz"] = statistics.median(found["fmax_seeds"].values())
    return found


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Cells of a printed row."""
    cells = {key: _figure(value) for key, value in row.items() if key not in HIDDEN}
    if "lut_ram" in row:
        fmax = row.get("fmax_mhz")
        text = "" if fmax is None else f"{fmax:.1f}"
        cells["fmax_mhz"] = text if row["timed"] or not text else f"({text})"
    return cells


def _figure(value: Any) -> Any:
    """Cycles with all their digits, where a table would round them."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) and value >= 100 else value
