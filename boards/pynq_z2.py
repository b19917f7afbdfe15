# SPDX-License-Identifier: Apache-2.0
"""PYNQ-Z2: the simulated board's files, and the Vivado project of the real one's.

No board has run this yet, and no Vivado has built it.
"""

from pathlib import Path

from spikewright.boards.vivado import write_project
from spikewright.sim.board.bundle import write_bundle

NAME = "spikewright"
"""Name of the design: of its .bit and its .hwh."""
SIMULATED = "simulated"
"""Folder of the simulated board's .bit and .hwh."""
PROJECT = "vivado"
"""Folder of the Vivado project."""


def write_files(folder: Path, *, verilog: str, layers: int, clock_mhz: float) -> None:
    """Write both into a build folder.

    Parameters
    ----------
    folder : Path
    verilog : str
        Source text of the accelerator.
    layers : int
        Layers with probes and CRC registers.
    clock_mhz : float
        Clock of the fabric.

    Raises
    ------
    BoardError
        If the board cannot make the clock.
    """
    write_bundle(folder / SIMULATED, NAME, verilog, layers, clock_mhz)
    write_project(folder / PROJECT, NAME, verilog, layers, clock_mhz)
