# SPDX-License-Identifier: Apache-2.0
"""Run a pynq script, as it is, on the simulated board.

``python -m spikewright.sim.board.run script.py [argument ...]``
"""

import argparse
import importlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from spikewright.sim.errors import ToolError


def prepare() -> None:
    """Let pynq find the simulated board in this process; call before its first use of a board.

    Raises
    ------
    ToolError
        If pynq is not installed.
    """
    if importlib.util.find_spec("pynq") is None:
        raise ToolError(
            "pynq was not found: run `pip install spikewright[pynq]` (Python 3.11 or 3.12)"
        )
    device = importlib.import_module("spikewright.sim.board.device")
    os.environ[device.ENABLE] = "1"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: run the script as Python would, with its arguments in ``sys.argv``."""
    parser = argparse.ArgumentParser(
        prog="python -m spikewright.sim.board.run",
        description="Run a pynq script, as it is, on the simulated PYNQ-Z2.",
    )
    parser.add_argument("script", type=Path, help="the script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    options = parser.parse_args(arguments)
    if not options.script.is_file():
        parser.error(f"{options.script} is no file: name a Python script")
    try:
        prepare()
    except ToolError as error:
        parser.error(str(error))
    sys.argv = [str(options.script), *options.arguments]
    sys.path.insert(0, str(options.script.resolve().parent))
    runpy.run_path(str(options.script), run_name="__main__")


if __name__ == "__main__":
    main()
