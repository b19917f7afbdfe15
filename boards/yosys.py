# SPDX-License-Identifier: Apache-2.0
"""Yosys: from Verilog to a part's cells."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spikewright.boards.board import Resources
from spikewright.boards.part import Part
from spikewright.boards.tool import run_tool
from spikewright.hw.cells.family import XC7, Family
from spikewright.sim.errors import ToolError

NETLIST = "top.json"
COUNTS = "counts.json"


@dataclass(frozen=True, kw_only=True)
class Cells:
    """What a design takes of a part, each cell weighed by what it occupies.

    Parameters
    ----------
    lut : int
        Lookup tables; a carry of two bits (CCU2C) takes two, a Gowin ALU one. On iCE40 a carry lies
        beside a table, which it need not leave free for others.
    lut_ram : int
        Lookup tables that are memory or shift registers.
    ff : int
    bram : int
        Block RAMs of 18 kbit, on iCE40 of 4 kbit.
    spram : int
        Single-port RAMs of 256 kbit.
    dsp : int
        Multipliers: MULT18X18D, SB_MAC16, DSP48E1, MULT9X9 (a MULT18X18 takes two).
    """

    lut: int
    lut_ram: int
    ff: int
    bram: int
    spram: int
    dsp: int


_BRAM = ("SDPB", "SDPX9B", "DPB", "DPX9B", "SP", "SPX9", "pROM", "pROMX9")
_WEIGHTS: dict[str, dict[str, dict[str, int]]] = {
    "ecp5": {
        "lut": {"LUT4": 1, "CCU2C": 2},
        "lut_ram": {"TRELLIS_DPR16X4": 4},
        "ff": {"TRELLIS_FF": 1},
        "bram": {"DP16KD": 1, "PDPW16KD": 1},
        "dsp": {"MULT18X18D": 1},
    },
    "ice40": {
        "lut": {"SB_LUT4": 1},
        "ff": {"SB_DFF": 1},
        "bram": {"SB_RAM40_4K": 1},
        "spram": {"SB_SPRAM256KA": 1},
        "dsp": {"SB_MAC16": 1},
    },
    "gowin": {
        "lut": {"LUT1": 1, "LUT2": 1, "LUT3": 1, "LUT4": 1, "ALU": 1},
        "lut_ram": {"RAM16SDP1": 1, "RAM16SDP2": 2, "RAM16SDP4": 4},
        "ff": {"DFF": 1},
        "bram": dict.fromkeys(_BRAM, 1),
        "dsp": {"MULT9X9": 1, "MULT18X18": 2, "MULTALU18X18": 2, "MULTADDALU18X18": 4},
    },
    "xc7": {
        "lut": {f"LUT{inputs}": 1 for inputs in range(1, 7)},
        "lut_ram": {
            **{"SRL16E": 1, "SRLC32E": 1, "RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2},
            **{"RAM64X1D": 2, "RAM128X1D": 4, "RAM32M": 4, "RAM64M": 4},
        },
        "ff": {"FDRE": 1, "FDSE": 1, "FDCE": 1, "FDPE": 1},
        "bram": {"RAMB18E1": 1, "RAMB36E1": 2},
        "dsp": {"DSP48E1": 1},
    },
}
_PREFIXES = ("SB_DFF", "DFF")
"""Cells of which any name that begins so is one."""


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


def synthesize(
    folder: Path, *, part: Part, rtlil: str, top: str, log: Path, netlist: str | None = NETLIST
) -> Cells:
    """Map a design (RTLIL) to the cells of any part.

    Parameters
    ----------
    folder : Path
        With the file in it; takes Yosys' statistics, :data:`COUNTS`, and the netlist.
    part : Part
    rtlil : str
        Name of the file.
    top : str
        Top module.
    log : Path
    netlist : str or None
        Name of the netlist to write for the placer; ``None`` only counts.

    Raises
    ------
    ToolError
        If Yosys is not installed or fails.
    """
    write = "" if netlist is None else f" -json {netlist}"
    script = (
        f"read_rtlil {rtlil}; {part.synthesis} -top {top}{write}; "
        f"tee -q -o {COUNTS} stat -json -top {top}"
    )
    run_tool("yosys", ["-p", script], folder=folder, log=log)
    return weigh(read_cells(folder / COUNTS), part.family)


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
    cells = weigh(read_cells(path), XC7)
    return Resources(lut=cells.lut, ff=cells.ff, bram=cells.bram, dsp=cells.dsp)


def read_cells(path: Path) -> dict[str, int]:
    """Cells of each type from Yosys' statistics.

    Raises
    ------
    ToolError
        If there are no counts in the file.
    """
    try:
        cells = json.loads(path.read_text())["design"]["num_cells_by_type"]
        return {str(name): int(count) for name, count in cells.items()}
    except (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ToolError(f"Yosys' counts in {path} cannot be read: {error}") from error


def weigh(cells: Mapping[str, int], family: Family) -> Cells:
    """What so many cells of each type take of a part of a family."""
    weights = _WEIGHTS[family.name]
    found = dict.fromkeys(Cells.__dataclass_fields__, 0)
    for kind, table in weights.items():
        for name, count in cells.items():
            known = next((p for p in _PREFIXES if p in table and name.startswith(p)), name)
            found[kind] += table.get(known, 0) * count
    return Cells(**found)
