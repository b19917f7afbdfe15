# SPDX-License-Identifier: Apache-2.0
"""Vivado for the PYNQ-Z2: the script that builds a design, and what is done with its results.

Nothing here has ever run in Vivado. The script was only executed by a plain Tcl interpreter in
which every Vivado command is a stub: its syntax holds, its names and addresses are those of the
simulated board, and the rest follows the manuals.
"""

import importlib.resources
import re
import shutil
import subprocess
from pathlib import Path

from spikewright.sim.board import system
from spikewright.sim.board.hwh import check_addresses, fix_up
from spikewright.sim.errors import FileError, ToolError

BUILD_SCRIPT = "build.tcl"
SETTINGS = "settings.tcl"
JOBS = 2
"""Processes that Vivado runs at once; each takes a few gigabytes."""


def write_project(folder: Path, name: str, verilog: str, layers: int, fclk_mhz: float) -> Path:
    """Write what Vivado needs to build a design: its script, its settings and the Verilog.

    ``vivado -mode batch -source build.tcl`` leaves ``out/NAME.bit`` and ``out/NAME.hwh``, or fails
    if the timing is not met; :func:`collect` then takes them.

    Parameters
    ----------
    folder : Path
        Where to; made if it is not there.
    name : str
        Letters, digits and "_", beginning with a letter.
    verilog : str
        Source text with the top module "spikewright".
    layers : int
        Layers with CRC registers.
    fclk_mhz : float
        Clock of the fabric in MHz.

    Returns
    -------
    Path
        The script.

    Raises
    ------
    FileError
        If the name cannot be that of a design.
    FormatError
        If the number of layers is out of range.
    BoardError
        If the board cannot make the clock.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise FileError(
            f'Design name must begin with a letter and hold letters, digits and "_", not {name!r}'
        )
    settings = _settings(name, layers, fclk_mhz)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{system.TOP}.v").write_text(verilog)
    (folder / SETTINGS).write_text(settings)
    script = folder / BUILD_SCRIPT
    source = importlib.resources.files("spikewright.boards").joinpath("vivado.tcl")
    script.write_text(source.read_text())
    return script


def run_vivado(script: Path) -> None:
    """Run a script of :func:`write_project`; this takes minutes.

    Raises
    ------
    ToolError
        If Vivado is not installed or fails; the message holds its first error.
    """
    program = shutil.which("vivado")
    if program is None:
        raise ToolError(
            "Vivado was not found: install it and source its settings64.sh, or run the script "
            f"{script.name} where it is installed"
        )
    command = [program, "-mode", "batch", "-source", script.name]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()
        first = next((line for line in lines if "ERROR" in line), "no message")
        raise ToolError(f"Vivado failed with status {done.returncode}: {first}")


def collect(project: Path, name: str, folder: Path) -> Path:
    """Take the results of a build to a folder, with a .hwh that pynq 3.1 and 4.0 can read.

    Parameters
    ----------
    project : Path
        Folder given to :func:`write_project`.
    name : str
        The design's.
    folder : Path
        Where to; made if it is not there.

    Returns
    -------
    Path
        The .bit; its .hwh is beside it.

    Raises
    ------
    FileError
        If a result is missing or its addresses are not those of the driver.
    """
    bit, hwh = (project / "out" / f"{name}{suffix}" for suffix in (".bit", ".hwh"))
    for file in (bit, hwh):
        if not file.is_file():
            raise FileError(f"{file.name} was not found: run {BUILD_SCRIPT} in Vivado first")
    text = hwh.read_text(encoding="utf-8-sig")  # Vivado begins the file with a byte order mark
    check_addresses(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hwh.name).write_text(fix_up(text), encoding="utf-8")
    return Path(shutil.copy(bit, folder / bit.name))


def _settings(name: str, layers: int, fclk_mhz: float) -> str:
    """Settings in Tcl: variables that the script reads."""
    system.clock_divisors(fclk_mhz)  # refuses a clock the board cannot make
    registers = " \\\n".join(
        f"    {register.name} 0x{register.offset:03X} {register.access.value} "
        f"{_braced(register.text)} "
        + _braced(
            " ".join(f"{field.name} {field.offset} {field.width}" for field in register.fields)
        )
        for register in system.core_registers(layers)
    )
    config = " ".join(f"CONFIG.{key} {value}" for key, value in system.DMA_PARAMETERS.items())
    values = {
        "name": name,
        "part": system.PART,
        "board_part": system.BOARD_PART,
        "top": system.TOP,
        "core_vlnv": system.CORE_VLNV,
        "core_name": system.CORE_NAME,
        "core_address": f"0x{system.ADDRESSES[system.CORE_NAME]:08X}",
        "dma_vlnv": system.DMA_VLNV,
        "dma_name": system.DMA_NAME,
        "dma_address": f"0x{system.ADDRESSES[system.DMA_NAME]:08X}",
        "address_range": f"0x{system.ADDRESS_RANGE:X}",
        "fclk_mhz": f"{fclk_mhz:.6f}",
        "jobs": str(JOBS),
        "dma_config": config,
    }
    lines = [f"set {key} {_braced(value)}" for key, value in values.items()]
    return "\n".join([*lines, f"set registers [list \\\n{registers}]", ""])


def _braced(text: str) -> str:
    """Quote a text for Tcl."""
    return "{" + text + "}"
