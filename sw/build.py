# SPDX-License-Identifier: Apache-2.0
"""A build folder: what :func:`spikewright.generate.generate` wrote."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikewright.boards.board import Board, find_board
from spikewright.sim.errors import FileError
from spikewright.sim.program import Program
from spikewright.sim.program_file import load_program

FORMAT_VERSION = 2
"""Version of a build folder; a reader refuses newer ones."""
MANIFEST = "build.json"
"""File with the facts of a build; written last, so that a build with it is whole."""
PROGRAM = "program.spk"
VERILOG = "spikewright.v"


@dataclass(frozen=True, kw_only=True)
class Build:
    """A program on a board.

    Parameters
    ----------
    folder : Path
    board : Board
    program : Program
    lanes : mapping of str to int
        Of every node.
    clock_mhz : float
        Clock of the core.
    manifest : mapping
        What :data:`MANIFEST` says.
    """

    folder: Path
    board: Board
    program: Program
    lanes: Mapping[str, int]
    clock_mhz: float
    manifest: Mapping[str, Any]

    @property
    def verilog(self) -> str:
        """Text of the accelerator, top module "spikewright"."""
        return (self.folder / VERILOG).read_text()

    def facts(self) -> dict[str, Any]:
        """What to tell of the build, as JSON values."""
        told = ("board", "clock_mhz", "lanes", "pace", "structure_hash", "program_hash", "estimate")
        facts = {key: self.manifest[key] for key in told}
        return {**facts, "files": sorted(self.manifest["files"])}


def load_build(folder: str | Path) -> Build:
    """Read a build folder back.

    Raises
    ------
    FileError
        If the folder is missing or no whole build, of a newer version, or a file of it is missing
        or was altered.
    BoardError
        If its board is unknown.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise FileError(f"Build {folder} has lost its file {name}: generate again")
        if file_digest(path) != digest:
            raise FileError(f"Build {folder} has an altered file {name}: generate again")
    return Build(
        folder=folder,
        board=find_board(manifest["board"]),
        program=load_program(folder / PROGRAM),
        lanes=manifest["lanes"],
        clock_mhz=manifest["clock_mhz"],
        manifest=manifest,
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the facts of a build, without a look at its files.

    Raises
    ------
    FileError
        If there are none, or they are of a newer version.
    """
    if not folder.is_dir():
        raise FileError(
            f"Build folder {folder} does not exist: make it with `spikewright generate`"
        )
    path = folder / MANIFEST
    if not path.is_file():
        raise FileError(
            f"Folder {folder} has no {MANIFEST}: it is no build, or was interrupted; generate again"
        )
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        version = manifest["format_version"]
        complete = all(key in manifest for key in ("board", "lanes", "clock_mhz", "files"))
    except (ValueError, KeyError, TypeError):
        complete, version = False, None
    if version not in (None, FORMAT_VERSION):
        raise FileError(
            f"Build {folder} has format version {version}, and this Spikewright reads version "
            f"{FORMAT_VERSION}: upgrade Spikewright or generate again"
        )
    if not complete:
        raise FileError(f"File {path} is damaged: generate again")
    return manifest


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
