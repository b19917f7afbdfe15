# SPDX-License-Identifier: Apache-2.0
"""What a design takes of a part's block RAM and multipliers, before synthesis."""

import re
from dataclasses import dataclass

from spikewright.hw.cells.family import Family

BLOCK_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""Width and depth that a block RAM of 18 kbit can have."""
LUT_RAMS_PER_BLOCK = 24
"""LUT RAMs of 16 x 4 bits up to which a memory rather takes them than a block."""

_MEMORY = re.compile(r"^(\s*attribute .*\n)?\s*memory width (\d+) size (\d+) ", re.MULTILINE)
_BLOCK = re.compile(r"^\s*cell \\(DP16KD|MULT18X18D) ", re.MULTILINE)
_PRODUCT = re.compile(r"^\s*cell \$mul .*?^\s*end$", re.MULTILINE | re.DOTALL)
_WIDTH = re.compile(r"parameter \\([AB])_WIDTH (\d+)")
_CONSTANT = re.compile(r"connect \\[AB] \d+'[01]+$", re.MULTILINE)


@dataclass(frozen=True)
class Estimate:
    """Block RAMs of 18 kbit and multipliers.

    Block RAMs were off by at most one from what Yosys took in the networks tried; where a memory is
    near the limit between block and LUT RAM it may be more. Multipliers were exact.
    """

    bram: int
    dsp: int


def estimate(rtlil: str, family: Family) -> Estimate:
    """Count memories and products in a design's RTLIL; the program's weights are not in it.

    Parameters
    ----------
    rtlil : str
        As :func:`spikewright.hw.verilog.to_rtlil` writes it for the family.
    family : Family
    """
    memories = [
        block_rams(int(width), int(depth))
        for attribute, width, depth in _MEMORY.findall(rtlil)
        if "distributed" not in attribute
    ]
    products = [
        multipliers(*_widths(cell), family)
        for cell in _PRODUCT.findall(rtlil)
        if not _CONSTANT.search(cell)
    ]
    blocks = _BLOCK.findall(rtlil)
    return Estimate(
        bram=sum(memories) + blocks.count("DP16KD"), dsp=sum(products) + blocks.count("MULT18X18D")
    )


def block_rams(width: int, depth: int) -> int:
    """Block RAMs of a memory with one write and one read port; 0 if LUTs do.

    >>> block_rams(128, 128), block_rams(80, 32)
    (4, 0)
    """
    blocks = min(-(-width // wide) * -(-depth // deep) for wide, deep in BLOCK_SHAPES)
    lut_rams = -(-width // 4) * -(-depth // 16)
    return 0 if lut_rams <= LUT_RAMS_PER_BLOCK * blocks else blocks


def multipliers(a: int, b: int, family: Family) -> int:
    """Multipliers of a product of two widths, in bits of signed operands.

    Each part but the highest of a wide operand loses its sign bit.
    """
    parts = 1
    for width, limit in zip(sorted((a, b)), sorted(family.multiplier), strict=True):
        parts *= max(1, -(-(width - 1) // (limit - 1)))
    return parts


def _widths(cell: str) -> tuple[int, int]:
    """Widths of a product's operands."""
    widths = dict(_WIDTH.findall(cell))
    return int(widths["A"]), int(widths["B"])
