# SPDX-License-Identifier: Apache-2.0
"""What a design takes of a part's block RAM and multipliers, before synthesis."""

import re
from dataclasses import dataclass

BLOCK_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""Width and depth that a block RAM of 18 kbit can have."""
LUT_RAMS_PER_BLOCK = 24
"""LUT RAMs of 16 x 4 bits up to which a memory rather takes them than a block."""

_MEMORY = re.compile(r"^\s*memory width (\d+) size (\d+) ", re.MULTILINE)
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


def estimate(rtlil: str, multiplier: tuple[int, int]) -> Estimate:
    """Count memories and products in a design's RTLIL; the program's weights are not in it.

    Parameters
    ----------
    rtlil : str
        As :func:`spikewright.hw.verilog.to_rtlil` writes it.
    multiplier : (int, int)
        Widest signed operands of one multiplier, in bits: (18, 18) on ECP5, (25, 18) on Xilinx 7.
    """
    memories = [(int(width), int(depth)) for width, depth in _MEMORY.findall(rtlil)]
    products = [cell for cell in _PRODUCT.findall(rtlil) if not _CONSTANT.search(cell)]
    return Estimate(
        bram=sum(block_rams(width, depth) for width, depth in memories),
        dsp=sum(_multipliers(cell, multiplier) for cell in products),
    )


def block_rams(width: int, depth: int) -> int:
    """Block RAMs of a memory with one write and one read port; 0 if LUTs do.

    >>> block_rams(128, 128), block_rams(80, 32)
    (4, 0)
    """
    blocks = min(-(-width // wide) * -(-depth // deep) for wide, deep in BLOCK_SHAPES)
    lut_rams = -(-width // 4) * -(-depth // 16)
    return 0 if lut_rams <= LUT_RAMS_PER_BLOCK * blocks else blocks


def _multipliers(cell: str, multiplier: tuple[int, int]) -> int:
    """Multipliers of a product: each part but the highest of a wide operand loses its sign bit."""
    widths = dict(_WIDTH.findall(cell))
    narrow, wide = sorted((int(widths["A"]), int(widths["B"])))
    parts = 1
    for width, limit in zip((wide, narrow), sorted(multiplier, reverse=True), strict=True):
        parts *= max(1, -(-(width - 1) // (limit - 1)))
    return parts
