# SPDX-License-Identifier: Apache-2.0
"""nextpnr and ecppack: from a netlist to an ECP5 bitstream, and what a design takes of any part."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikewright.boards.board import Resources
from spikewright.boards.part import ECP5_85K, Part
from spikewright.boards.tool import run_tool
from spikewright.sim.errors import ToolError

BITSTREAM = "top.bit"
REPORT = "report.json"
_CONFIGURATION = "top.config"
_SAME_CLOCK = 0.01
"""Largest difference, as a fraction, between the clock asked for and the constraint reported."""


@dataclass(frozen=True)
class Report:
    """What nextpnr found: the fastest clock that the core's paths allow, and what is used."""

    fmax_mhz: float
    used: Resources


def place_and_route(
    folder: Path, *, netlist: str, constraints: str, clock_mhz: float, seed: int, log: Path
) -> Report:
    """Place and route a netlist on the ULX3S' part; what it takes is in :data:`REPORT`.

    A design that misses its clock is no error here: the report says how fast it is.

    Parameters
    ----------
    folder : Path
        With both files in it.
    netlist, constraints : str
        Names of the files (.json, .lpf).
    clock_mhz : float
        Clock of the core.
    seed : int
        The same seed gives the same placement.
    log : Path

    Raises
    ------
    ToolError
        If nextpnr is not installed or fails, as where the design does not fit.
    """
    place(
        folder,
        part=ECP5_85K,
        netlist=netlist,
        constraints=constraints,
        clock_mhz=clock_mhz,
        seed=seed,
        log=log,
        more=("--textcfg", _CONFIGURATION),
    )
    return read_report(folder / REPORT, clock_mhz)


def place(
    folder: Path,
    *,
    part: Part,
    netlist: str,
    constraints: str | None,
    clock_mhz: float,
    seed: int,
    log: Path,
    more: Sequence[str] = (),
) -> None:
    """Place and route a netlist on any part that an open tool places.

    Parameters
    ----------
    folder : Path
        With the files in it; takes the report, :data:`REPORT`.
    part : Part
    netlist : str
        Name of the file.
    constraints : str or None
        Name of the file, if there is one; its pins are otherwise free, which Gowin's tool refuses.
    clock_mhz : float
    seed : int
        The same seed gives the same placement.
    log : Path
    more : sequence of str
        Further options.

    Raises
    ------
    ToolError
        If no open tool places the part, or the tool is not installed or fails.
    """
    if part.placer is None:
        raise ToolError(f"No open tool places and routes {part.title}: count its cells instead")
    options = [*part.place, "--json", netlist, "--freq", f"{clock_mhz:.4f}"]
    if constraints is not None:
        vendor = part.constraints == "--vopt"
        options += [part.constraints, f"cst={constraints}" if vendor else constraints]
    options += [*more, "--report", REPORT, "--seed", str(seed), "--timing-allow-fail"]
    run_tool(part.placer, options, folder=folder, log=log)


def pack(folder: Path, *, log: Path) -> Path:
    """Bitstream of what was placed and routed in a folder.

    Raises
    ------
    ToolError
        If ecppack is not installed or fails.
    """
    options = ["--compress", "--input", _CONFIGURATION, "--bit", BITSTREAM]
    run_tool("ecppack", options, folder=folder, log=log)
    return folder / BITSTREAM


def read_report(path: Path, clock_mhz: float) -> Report:
    """Read nextpnr's report of an ECP5 design.

    ``lut`` is TRELLIS_COMB: every lookup table position taken, also for carry chains, LUT RAM and
    signals that only pass through. ``bram`` is DP16KD, ``dsp`` MULT18X18D.

    Parameters
    ----------
    path : Path
    clock_mhz : float
        Clock whose constraint names the core's.

    Raises
    ------
    ToolError
        If it is no report, or knows no such clock.
    """
    cells, fmax = read_utilization(path), read_clock(path, clock_mhz)
    used = Resources(
        lut=cells.get("TRELLIS_COMB", 0),
        ff=cells.get("TRELLIS_FF", 0),
        bram=cells.get("DP16KD", 0),
        dsp=cells.get("MULT18X18D", 0),
    )
    return Report(fmax_mhz=fmax, used=used)


def read_clock(path: Path, clock_mhz: float) -> float:
    """Fastest clock, in MHz, that a report of any part states for a clock asked for.

    Raises
    ------
    ToolError
        If it is no report, or knows no such clock.
    """
    try:
        clocks = [
            float(clock["achieved"])
            for clock in _read(path)["fmax"].values()
            if abs(clock["constraint"] - clock_mhz) <= _SAME_CLOCK * clock_mhz
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from error
    if not clocks:
        raise ToolError(f"nextpnr's report {path} must have a clock of {clock_mhz:g} MHz")
    return min(clocks)


def read_utilization(path: Path) -> dict[str, int]:
    """Cells that a report of any part says are used, by the placer's own names.

    Raises
    ------
    ToolError
        If it is no report.
    """
    try:
        used = {name: int(cell["used"]) for name, cell in _read(path)["utilization"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from error
    return {name: count for name, count in used.items() if count}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ToolError:
    return ToolError(f"nextpnr's report {path} cannot be read: {error!r}")
