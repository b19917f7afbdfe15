# SPDX-License-Identifier: Apache-2.0
"""The two files of a design for the simulated board: NAME.bit and NAME.hwh."""

import os
import re
import tempfile
from pathlib import Path

from spikewright.sim.board import system
from spikewright.sim.board.bit import Configuration, hash_hwh, pack_bit
from spikewright.sim.board.hwh import make_hwh
from spikewright.sim.errors import FileError


def write_bundle(
    folder: Path, name: str, verilog: str, layers: int, fclk_mhz: float, *, top: str = system.TOP
) -> Path:
    """Write NAME.bit and NAME.hwh; the same arguments give the same bytes.

    Parameters
    ----------
    folder : Path
        Where to; made if it is not there.
    name : str
        Letters, digits, "_" and "-", beginning with a letter.
    verilog : str
        Source text of the accelerator.
    layers : int
        Layers with probes and CRC registers.
    fclk_mhz : float
        Clock of the fabric in MHz; see :func:`~spikewright.sim.board.hwh.make_hwh`.
    top : str
        Top module.

    Returns
    -------
    Path
        The .bit, as ``Overlay`` wants it.

    Raises
    ------
    FileError
        If the name cannot be that of a design.
    FormatError
        If the number of layers is out of range.
    BoardError
        If the board cannot make the clock.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise FileError(
            f'Design name must begin with a letter and hold letters, digits, "_" and "-", '
            f"not {name!r}"
        )
    hwh = make_hwh(name, layers=layers, fclk_mhz=fclk_mhz).encode()
    configuration = Configuration(
        verilog=verilog,
        top=top,
        layers=layers,
        fclk_mhz=fclk_mhz,
        addresses=system.ADDRESSES,
        hwh_sha256=hash_hwh(hwh),
    )
    folder.mkdir(parents=True, exist_ok=True)
    bit = folder / f"{name}.bit"
    _replace(bit.with_suffix(".hwh"), hwh)
    _replace(bit, pack_bit(name, configuration))
    return bit


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    handle, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(staged, 0o644)
        os.replace(staged, path)
    except BaseException:
        os.unlink(staged)
        raise
