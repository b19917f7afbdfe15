# SPDX-License-Identifier: Apache-2.0
"""nextpnr and ecppack: from a netlist to an ECP5 bitstream, and what it takes."""

import json
from dataclasses import dataclass
from pathlib import Path

from spikewright.boards.board import Resources
from spikewright.boards.tool import run_tool
from spikewright.sim.errors import ToolError

BITSTREAM = "top.bit"
REPORT = "report.json"
_CONFIGURATION = "top.config"
_DEVICE = ("--85k", "--package", "CABGA381", "--speed", "6")
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
    """Place and route a netlist; what it takes is in the report, :data:`REPORT`.

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
    options = [*_DEVICE, "--json", netlist, "--lpf", constraints, "--freq", f"{clock_mhz:.4f}"]
    options += ["--textcfg", _CONFIGURATION, "--report", REPORT, "--seed", str(seed)]
    run_tool("nextpnr-ecp5", [*options, "--timing-allow-fail"], folder=folder, log=log)
    return read_report(folder / REPORT, clock_mhz)


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
    """Read nextpnr's report.

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
    try:
        report = json.loads(path.read_text())
        clocks = [
            clock["achieved"]
            for clock in report["fmax"].values()
            if abs(clock["constraint"] - clock_mhz) <= _SAME_CLOCK * clock_mhz
        ]
        cells = {name: cell["used"] for name, cell in report["utilization"].items()}
    except (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ToolError(f"nextpnr's report {path} cannot be read: {error!r}") from error
    if not clocks:
        raise ToolError(f"nextpnr's report {path} must have a clock of {clock_mhz:g} MHz")
    used = Resources(
        lut=cells.get("TRELLIS_COMB", 0),
        ff=cells.get("TRELLIS_FF", 0),
        bram=cells.get("DP16KD", 0),
        dsp=cells.get("MULT18X18D", 0),
    )
    return Report(fmax_mhz=min(clocks), used=used)
