# SPDX-License-Identifier: Apache-2.0
"""A synthesis that is not done twice."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from spikewright.boards.tool import find_tool
from spikewright.build import PROGRAM, Build
from spikewright.sim.engine.cache import digest
from spikewright.synthesize import FOLDER, RESULT, synthesize

TOOLS = {"ulx3s": ("yosys", "nextpnr-ecp5"), "pynq-z2": ("yosys",)}
"""Tools that decide a board's result."""


def tool_versions(board: str) -> dict[str, str]:
    """What the tools of a board say of their versions.

    Raises
    ------
    ToolError
        If one is not installed.
    """
    return {name: _version(find_tool(name)) for name in TOOLS[board]}


def key(build: Build, seed: int, versions: dict[str, str]) -> str:
    """Digest of all that decides a synthesis: of a build's files all but the program.

    Weights are loaded at run time, so that another program of the same structure changes nothing.
    """
    given = {name: sha for name, sha in build.manifest["files"].items() if name != PROGRAM}
    decides = [build.board.name, build.clock_mhz, given, seed, versions]
    return digest(json.dumps(decides, sort_keys=True))


def synthesize_once(build: Build, kept: Path, *, seed: int) -> dict[str, Any]:
    """Facts of a synthesis, and whether they were ``reused`` from an earlier one.

    Parameters
    ----------
    build : Build
        Takes the results either way.
    kept : Path
        Folder of earlier results, the last for each board.
    seed : int
        Of the placement.

    Raises
    ------
    ToolError
        As :func:`spikewright.synthesize.synthesize` does.
    """
    board = build.board.name
    entry = kept / f"{board}-{key(build, seed, tool_versions(board))}"
    reused = entry.is_dir()
    if reused:
        shutil.rmtree(build.folder / FOLDER, ignore_errors=True)
        shutil.copytree(entry / FOLDER, build.folder / FOLDER)
        shutil.copy(entry / RESULT, build.folder / RESULT)
    else:
        synthesize(build, seed=seed)
        _keep(build, entry)
        for older in set(kept.glob(f"{board}-*")) - {entry}:
            shutil.rmtree(older)
    facts: dict[str, Any] = json.loads((build.folder / RESULT).read_text())
    if facts["bitstream"] is not None:
        # The folder may have been moved since.
        facts["bitstream"] = str(build.folder / FOLDER / Path(facts["bitstream"]).name)
        facts["bitstream_bytes"] = Path(facts["bitstream"]).stat().st_size
    return {"bitstream_bytes": None, **facts, "reused": reused}


def _keep(build: Build, entry: Path) -> None:
    """Copy results where the next run looks for them, complete or not at all."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    try:
        shutil.copytree(build.folder / FOLDER, staged / FOLDER)
        shutil.copy(build.folder / RESULT, staged / RESULT)
        staged.rename(entry)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}".strip()
