# SPDX-License-Identifier: Apache-2.0
"""Opening a device for a program or a build."""

from collections.abc import Mapping
from pathlib import Path

from spikewright.build import Build, load_build
from spikewright.runtime.accelerated import CLOCK_MHZ
from spikewright.runtime.board import SimulatedBoard, pynq_missing
from spikewright.runtime.device import Device
from spikewright.runtime.emulated import EmulatorDevice
from spikewright.runtime.rtl import RtlDevice
from spikewright.sim.errors import DeviceError
from spikewright.sim.program import Program

DEVICES = ("emulator", "rtl", "pynq-sim")
"""What a program can run on."""


def open_device(
    what: Program | Build | str | Path,
    *,
    on: str | None = None,
    lanes: int | Mapping[str, int] | None = None,
) -> Device:
    """Open a device and load the program.

    Parameters
    ----------
    what : Program, Build or path of a build folder
    on : "emulator", "rtl" or "pynq-sim", optional
        By default the simulated board where pynq is installed, else the RTL engine.
    lanes : int or mapping of str to int, optional
        Of a bare program; a build has its own.

    Raises
    ------
    DeviceError
        If there is no such device.
    ToolError
        If what it needs is not installed.
    """
    if on is None:
        on = "rtl" if pynq_missing() else "pynq-sim"
    if on not in DEVICES:
        raise DeviceError(f"Device must be {', '.join(DEVICES)}, not {on!r}")
    if isinstance(what, str | Path):
        what = load_build(Path(what))
    verilog, clock_mhz = None, CLOCK_MHZ
    if isinstance(what, Build):
        verilog, clock_mhz = what.verilog, what.clock_mhz
        lanes, what = what.lanes, what.program
    if on == "emulator":
        return EmulatorDevice(what)
    if on == "rtl":
        return RtlDevice(what, lanes, verilog=verilog, clock_mhz=clock_mhz)
    return SimulatedBoard(what, lanes, verilog=verilog, clock_mhz=clock_mhz)
