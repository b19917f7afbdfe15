# SPDX-License-Identifier: Apache-2.0
"""Finding and running the programs that make bitstreams."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from spikewright.sim.errors import ToolError


def find_tool(name: str) -> str:
    """Path of a tool: the wheel's (``yowasp-NAME``) or the machine's own.

    Looked for beside the Python interpreter first, so that an environment's tools win.

    Raises
    ------
    ToolError
        If it is not installed.
    """
    # Not resolved: in a virtual environment the interpreter is a link out of it.
    for folder in (str(Path(sys.executable).parent), None):
        for candidate in (f"yowasp-{name}", name):
            found = shutil.which(candidate, path=folder)
            if found is not None:
                return found
    raise ToolError(f"{name} was not found: run `pip install 'spikewright[synthesis]'`")


def run_tool(name: str, options: Sequence[str], *, folder: Path, log: Path) -> None:
    """Run a tool inside a folder; all it says goes to a log.

    The wheels see another file system than ours under some absolute paths: options must name files
    relative to the folder.

    Raises
    ------
    ToolError
        If it is not installed or fails; the message holds its last error and the log's path.
    """
    program = find_tool(name)
    with log.open("w") as output:
        status = subprocess.run(
            [program, *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status:
        raise ToolError(f"{name} failed with status {status}: {last_error(log)} (see {log})")


def last_error(log: Path) -> str:
    """Last line of a log that tells of an error, or else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no message"])[-1]
