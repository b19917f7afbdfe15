# SPDX-License-Identifier: Apache-2.0
"""Parts that gateware is synthesized for, with or without a board around them."""

from dataclasses import dataclass

from spikewright.boards.board import PYNQ_Z2, ULX3S, Resources
from spikewright.hw.cells.family import ECP5, GOWIN, ICE40, XC7, Family
from spikewright.sim.errors import BoardError


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part, and how the open tools are told of it.

    Parameters
    ----------
    name : str
        What a user types.
    title : str
        What its vendor calls it.
    family : Family
    synthesis : str
        Command of Yosys that maps to its cells.
    placer : str or None
        Program that places and routes; ``None`` where no open one does: counts only.
    place : tuple of str
        What tells that program of the part.
    constraints : str
        Option before the file of constraints.
    resources : Resources
        What it holds. Block RAMs are of 4 kbit on iCE40; Gowin's multipliers count as 9 x 9.
    timed : bool
        Whether the clock speed that the placer reports can be believed.
    """

    name: str
    title: str
    family: Family
    synthesis: str
    placer: str | None
    place: tuple[str, ...] = ()
    constraints: str = ""
    resources: Resources
    timed: bool = True


def _ecp5(size: str, package: str, resources: Resources) -> Part:
    return Part(
        name=f"ecp5-{size}",
        title=f"LFE5U-{size[:-1]}F-6 {package}",
        family=ECP5,
        synthesis="synth_ecp5",
        placer="nextpnr-ecp5",
        # With less weight on time some cells of a wide design lie far from all that they join.
        place=(
            *(f"--{size}", "--package", package, "--speed", "6"),
            *("--placer-heap-timingweight", "150"),
        ),
        constraints="--lpf",
        resources=resources,
    )


def _gowin(name: str, title: str, series: str, family: str, resources: Resources) -> Part:
    return Part(
        name=name,
        title=title,
        family=GOWIN,
        synthesis=f"synth_gowin -family {series}",
        placer="nextpnr-himbaechel-gowin",
        place=("--device", title, "--vopt", f"family={family}"),
        constraints="--vopt",
        resources=resources,
        # Its slowest path is never one through a multiplier: those delays are not modelled.
        timed=False,
    )


ECP5_25K = _ecp5("25k", "CABGA256", Resources(lut=24288, ff=24288, bram=56, dsp=28))
ECP5_85K = _ecp5("85k", "CABGA381", ULX3S.resources)
UP5K = Part(
    name="up5k",
    title="iCE40UP5K-SG48",
    family=ICE40,
    synthesis="synth_ice40 -dsp -device u",
    placer="nextpnr-ice40",
    place=("--up5k", "--package", "sg48"),
    constraints="--pcf",
    resources=Resources(lut=5280, ff=5280, bram=30, dsp=8),
)
GW1N_9 = _gowin(
    "gw1n-9",
    "GW1NR-LV9QN88PC6/I5",
    "gw1n",
    "GW1N-9C",
    Resources(lut=8640, ff=6480, bram=26, dsp=40),
)
GW2A_18 = _gowin(
    "gw2a-18",
    "GW2AR-LV18QN88C8/I7",
    "gw2a",
    "GW2A-18C",
    Resources(lut=20736, ff=15552, bram=46, dsp=96),
)
XC7Z020 = Part(
    name="xc7z020",
    title=PYNQ_Z2.part,
    family=XC7,
    synthesis="synth_xilinx -family xc7 -flatten",
    placer=None,
    resources=PYNQ_Z2.resources,
    timed=False,
)

PARTS = {part.name: part for part in (ECP5_25K, ECP5_85K, UP5K, GW1N_9, GW2A_18, XC7Z020)}
"""Every part by its name."""


def find_part(name: str) -> Part:
    """Part of a name.

    Raises
    ------
    BoardError
        If there is none.
    """
    if name not in PARTS:
        raise BoardError(f"Part must be one of {', '.join(PARTS)}, not {name!r}")
    return PARTS[name]
