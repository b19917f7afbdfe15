# SPDX-License-Identifier: Apache-2.0
"""Yosys: from Verilog to a part's cells."""

import json
from pathlib import Path

from spikewright.boards.board import Resources
from spikewright.boards.tool import run_tool
from spikewright.sim.errors import ToolError

NETLIST = "top.json"
COUNTS = "counts.json"


def synthesize_ecp5(folder: Path, *, verilog: str, rtlil: str, top: str, log: Path) -> None:
    """Write the netlist of a top (RTLIL) around a core (Verilog) for nextpnr.

    Parameters
    ----------
    folder : Path
        With both files in it; takes the netlist, :data:`NETLIST`.
    verilog, rtlil : str
        Names of the files.
    top : str
        Top module.
    log : Path

    Raises
    ------
    ToolError
        If Yosys is not installed or fails.
    """
    script = f"read_verilog {verilog}; read_rtlil {rtlil}; synth_ecp5 -top {top} -json {NETLIST}"
    run_tool("yosys", ["-p", script], folder=folder, log=log)


def count_xilinx(folder: Path, *, verilog: str, top: str, log: Path) -> Resources:
    """Cells of a core on a Xilinx 7 part: counts only, which say nothing of timing.

    The probes are cut off first, as they are on a board.

    Parameters
    ----------
    folder : Path
        With the Verilog in it; takes Yosys' statistics, :data:`COUNTS`.
    verilog : str
        Name of the file.
    top : str
        Top module.
    log : Path

    Raises
    ------
    ToolError
        If Yosys is not installed or fails.
    """
    script = (
        f"read_verilog {verilog}; hierarchy -top {top}; delete -port {top}/probe*; "
        f"synth_xilinx -family xc7 -flatten -top {top}; tee -q -o {COUNTS} stat -json -top {top}"
    )
    run_tool("yosys", ["-p", script], folder=folder, log=log)
    return read_counts(folder / COUNTS)


def read_counts(path: Path) -> Resources:
    """Resources from Yosys' statistics of a Xilinx design.

    LUTs are LUT1 to LUT6, and the LUTs that distributed RAM takes are not among them; flip-flops
    are FDRE, FDSE, FDCE and FDPE; a RAMB36 counts as two block RAMs.

    Raises
    ------
    ToolError
        If there are no counts in the file.
    """
    try:
        cells = json.loads(path.read_text())["design"]["num_cells_by_type"]
        return Resources(
            lut=sum(cells.get(f"LUT{inputs}", 0) for inputs in range(1, 7)),
            ff=sum(cells.get(name, 0) for name in ("FDRE", "FDSE", "FDCE", "FDPE")),
            bram=cells.get("RAMB18E1", 0) + 2 * cells.get("RAMB36E1", 0),
            dsp=cells.get("DSP48E1", 0),
        )
    except (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ToolError(f"Yosys' counts in {path} cannot be read: {error}") from error
