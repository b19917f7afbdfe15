# SPDX-License-Identifier: Apache-2.0
import pytest
from programs import mlp

from spikewright.hw.accelerator import Accelerator
from spikewright.hw.cells.family import ECP5, XC7, Family
from spikewright.hw.estimate import Estimate, block_rams, estimate
from spikewright.hw.verilog import to_rtlil


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [(128, 128, 4), (128, 1024, 8), (80, 64, 3), (80, 32, 0), (11, 128, 0), (8, 4096, 2)],
)
def test_block_rams_as_yosys_takes_them(width: int, depth: int, blocks: int) -> None:
    assert block_rams(width, depth) == blocks


def test_a_product_a_lane_and_none_for_addresses() -> None:
    accelerator = Accelerator(mlp((64, 32, 10)), 16)
    plain, own = estimate(to_rtlil(accelerator), XC7), estimate(to_rtlil(accelerator, ECP5), ECP5)
    # On ECP5 lookup tables hold at most 32 words, as more are slow.
    assert plain == Estimate(bram=4, dsp=26)
    assert own == Estimate(bram=6, dsp=26)


@pytest.mark.parametrize(
    ("a", "b", "family", "count"),
    [
        (18, 18, ECP5, 1),
        (21, 17, ECP5, 2),
        (21, 17, XC7, 1),
        (17, 25, XC7, 1),
        (26, 17, XC7, 2),
        (32, 32, ECP5, 4),
    ],
)
def test_wide_products(a: int, b: int, family: Family, count: int) -> None:
    cell = (
        f"  cell $mul $1\n    parameter \\A_WIDTH {a}\n    parameter \\B_WIDTH {b}\n"
        "    connect \\A \\x\n    connect \\B \\y\n  end\n"
    )
    assert estimate(cell, family).dsp == count
