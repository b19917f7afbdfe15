# SPDX-License-Identifier: Apache-2.0
"""Which family of parts gateware is written for, where a wrapper names the family's own cells."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Given as the platform that gateware is elaborated for.

    Parameters
    ----------
    name : str
        As :class:`spikewright.boards.board.Board` names it.
    multiplier : (int, int)
        Widest signed operands of one multiplier, in bits.
    """

    name: str
    multiplier: tuple[int, int]


ECP5 = Family("ecp5", (18, 18))
ICE40 = Family("ice40", (16, 16))
GOWIN = Family("gowin", (18, 18))
XC7 = Family("xc7", (25, 18))

FAMILIES = {family.name: family for family in (ECP5, ICE40, GOWIN, XC7)}
"""Every family by its name."""


@dataclass(frozen=True)
class Text:
    """Given as the platform where Verilog is written: large memories are modules of its own.

    Parameters
    ----------
    family : Family, optional
        Whose own cells are named besides.
    """

    family: Family | None = None


def family_of(platform: object) -> Family | None:
    """Family that gateware is elaborated for; ``None`` asks for a plain description."""
    if isinstance(platform, Text):
        return platform.family
    return platform if isinstance(platform, Family) else None
