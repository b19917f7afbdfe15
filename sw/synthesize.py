# SPDX-License-Identifier: Apache-2.0
"""From a build folder to a bitstream, or to counts where no open tool makes one."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spikewright.boards import nextpnr, ulx3s, yosys
from spikewright.boards.board import ULX3S, Resources
from spikewright.boards.tool import find_tool
from spikewright.build import VERILOG, Build, load_build
from spikewright.hw.verilog import TOP
from spikewright.sim.errors import ToolError

RESULT = "synthesis.json"
"""Facts of a synthesis in its build folder; written last."""
FOLDER = "synthesis"
"""Folder of its bitstream and reports."""
PLACED = "placed and routed"
COUNTED = "counts only"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """What a build takes on its board's part.

    Parameters
    ----------
    board : str
    label : {"placed and routed", "counts only"}
        Counts alone say nothing of timing and make no bitstream.
    clock_mhz : float
        Clock asked for.
    fmax_mhz : float or None
        Fastest clock of the core, as nextpnr finds it for the worst case.
    used, available : Resources
    bitstream : Path or None
    seed : int
        Of the placement.
    seconds : float
        Of all tools, by the clock on the wall.
    """

    board: str
    label: str
    clock_mhz: float
    fmax_mhz: float | None
    used: Resources
    available: Resources
    bitstream: Path | None
    seed: int
    seconds: float

    def facts(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "board": self.board,
            "label": self.label,
            "clock_mhz": self.clock_mhz,
            "fmax_mhz": self.fmax_mhz,
            **asdict(self.used),
            "available": asdict(self.available),
            "bitstream": None if self.bitstream is None else str(self.bitstream),
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
        }


def synthesize(
    build: Build | str | Path, *, seed: int = 1, progress: Progress | None = None
) -> Synthesis:
    """Make the bitstream of a build for the ULX3S, or count the cells of one for the PYNQ-Z2.

    Logs go to the build folder (``yosys.log``, ``nextpnr.log``, ``ecppack.log``), reports and
    bitstream to its folder ``synthesis``, the facts to ``synthesis.json``. An interrupted run
    leaves the results before it as they were.

    Parameters
    ----------
    build : Build or path of a build folder
    seed : int
        Of the placement, at least 0.
    progress : callable, optional
        Called with the steps done and the steps in all.

    Raises
    ------
    ToolError
        If a tool is missing or fails, the design does not fit, or it misses its clock.
    FileError
        If the folder holds no whole build.
    """
    if not isinstance(build, Build):
        build = load_build(build)
    started = time.monotonic()
    told = progress or (lambda done, total: None)
    work = Path(tempfile.mkdtemp(prefix=f".{FOLDER}.", dir=build.folder))
    try:
        work.chmod(0o755)
        if build.board.name == ULX3S.name:
            report = _place(build, work, seed, told)
            label, fmax, used = PLACED, report.fmax_mhz, report.used
        else:
            label, fmax, used = COUNTED, None, _count(build, work, told)
        _replace(build.folder, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    bitstream = build.folder / FOLDER / nextpnr.BITSTREAM if label == PLACED else None
    result = Synthesis(
        board=build.board.name,
        label=label,
        clock_mhz=build.clock_mhz,
        fmax_mhz=fmax,
        used=used,
        available=build.board.resources,
        bitstream=bitstream,
        seed=seed,
        seconds=time.monotonic() - started,
    )
    _write_result(build.folder, result)
    return result


def _place(build: Build, work: Path, seed: int, told: Progress) -> nextpnr.Report:
    """Yosys, nextpnr, ecppack."""
    for tool in ("yosys", "nextpnr-ecp5", "ecppack"):
        find_tool(tool)
    for name in (ulx3s.CORE_FILE, ulx3s.SOURCE, ulx3s.CONSTRAINTS):
        shutil.copy(build.folder / name, work / name)
    told(0, 3)
    yosys.synthesize_ecp5(
        work,
        verilog=ulx3s.CORE_FILE,
        rtlil=ulx3s.SOURCE,
        top=ulx3s.TOP,
        log=build.folder / "yosys.log",
    )
    told(1, 3)
    report = nextpnr.place_and_route(
        work,
        netlist=yosys.NETLIST,
        constraints=ulx3s.CONSTRAINTS,
        clock_mhz=build.clock_mhz,
        seed=seed,
        log=build.folder / "nextpnr.log",
    )
    if report.fmax_mhz < build.clock_mhz:
        raise ToolError(
            f"Design reaches {report.fmax_mhz:.1f} MHz and must reach {build.clock_mhz:g} MHz: "
            "try another seed, or generate again with fewer lanes or a slower clock"
        )
    told(2, 3)
    nextpnr.pack(work, log=build.folder / "ecppack.log")
    told(3, 3)
    return report


def _count(build: Build, work: Path, told: Progress) -> Resources:
    """Yosys alone."""
    shutil.copy(build.folder / VERILOG, work / VERILOG)
    told(0, 1)
    used = yosys.count_xilinx(work, verilog=VERILOG, top=TOP, log=build.folder / "yosys.log")
    told(1, 1)
    return used


def _replace(folder: Path, work: Path) -> None:
    """Put new results where older ones may be; their facts go first, as they no longer hold."""
    (folder / RESULT).unlink(missing_ok=True)
    if (folder / FOLDER).exists():
        shutil.rmtree(folder / FOLDER)
    os.rename(work, folder / FOLDER)


def _write_result(folder: Path, result: Synthesis) -> None:
    staged = folder / f".{RESULT}.{os.getpid()}"
    try:
        staged.write_text(json.dumps(result.facts(), indent=2) + "\n")
        staged.replace(folder / RESULT)
    finally:
        staged.unlink(missing_ok=True)
