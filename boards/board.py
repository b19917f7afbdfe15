# SPDX-License-Identifier: Apache-2.0
"""What a board is: its part, what that holds, its clock, its pins and its tools."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from spikewright.sim.errors import BoardError

BLOCK_KBITS = 18
"""Size of a block RAM as counted here, in kbit: a DP16KD, or half a RAMB36."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a part holds, or a design needs.

    Parameters
    ----------
    lut : int
        Lookup tables: of four inputs on ECP5, of six on Xilinx 7.
    ff : int
        Flip-flops.
    bram : int
        Block RAMs of 18 kbit.
    dsp : int
        Multipliers: MULT18X18D or DSP48E1.
    """

    lut: int
    ff: int
    bram: int
    dsp: int


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board.

    Parameters
    ----------
    name : str
        What a user types.
    title : str
    part : str
    family : {"ecp5", "xc7"}
        What Yosys calls the part's family.
    toolchain : str
        What makes its bitstream.
    clock_hz : float
        Clock of the core unless another is asked for, in Hz.
    oscillator_hz : float or None
        Clock on the board from which it is made; ``None`` where the processor gives it.
    resources : Resources
        What the part holds.
    multiplier : (int, int)
        Widest signed operands of one of its multipliers, in bits.
    pins : mapping of str to str
        Ball of each port of the top, where the toolchain needs it.
    """

    name: str
    title: str
    part: str
    family: str
    toolchain: str
    clock_hz: float
    oscillator_hz: float | None
    resources: Resources
    multiplier: tuple[int, int]
    pins: Mapping[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """What to tell of the board, as JSON values."""
        return {
            "name": self.name,
            "title": self.title,
            "part": self.part,
            "toolchain": self.toolchain,
            "clock_mhz": self.clock_hz / 1e6,
            **asdict(self.resources),
        }


ULX3S = Board(
    name="ulx3s",
    title="Radiona ULX3S-85F",
    part="LFE5U-85F-6BG381C",
    family="ecp5",
    toolchain="Yosys and nextpnr",
    clock_hz=50e6,
    oscillator_hz=25e6,
    resources=Resources(lut=83640, ff=83640, bram=208, dsp=156),
    multiplier=(18, 18),
    # Names and balls as in the board's own constraint file; txd and rxd are the FTDI chip's.
    pins={
        "clk_25mhz": "G2",
        "ftdi_txd": "M1",
        "ftdi_rxd": "L4",
        "btn_fire": "R1",
        "led_running": "B2",
        "led_failed": "C2",
        "wifi_gpio0": "L2",
    },
)

PYNQ_Z2 = Board(
    name="pynq-z2",
    title="TUL PYNQ-Z2",
    part="xc7z020clg400-1",
    family="xc7",
    toolchain="Vivado",
    clock_hz=100e6,
    oscillator_hz=None,
    resources=Resources(lut=53200, ff=106400, bram=280, dsp=220),
    multiplier=(25, 18),
)

BOARDS: dict[str, Board] = {board.name: board for board in (ULX3S, PYNQ_Z2)}
"""Every board by its name."""


def find_board(name: str) -> Board:
    """Board of a name.

    Raises
    ------
    BoardError
        If there is none.
    """
    if name not in BOARDS:
        raise BoardError(f"Board must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]
