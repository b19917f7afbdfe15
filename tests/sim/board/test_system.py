# SPDX-License-Identifier: Apache-2.0
"""The facts that the simulated and the real board share."""

import pytest

from spikewright.sim.board.system import (
    ADDRESS_RANGE,
    ADDRESSES,
    DMA_ALIGNMENT,
    DMA_LENGTH_BITS,
    DMA_MAX_BYTES,
    IO_PLL_MHZ,
    clock_divisors,
    core_registers,
)
from spikewright.sim.errors import BoardError, FormatError
from spikewright.sim.registers import CRC_WINDOW, REGISTERS


def test_blocks_do_not_overlap() -> None:
    bases = sorted(ADDRESSES.values())
    assert all(base % ADDRESS_RANGE == 0 for base in bases)
    assert len(set(bases)) == len(ADDRESSES)


def test_longest_transfer_fits_the_register_and_keeps_the_alignment() -> None:
    assert DMA_MAX_BYTES < 1 << DMA_LENGTH_BITS
    assert DMA_MAX_BYTES % DMA_ALIGNMENT == 0


def test_core_has_a_crc_for_each_layer() -> None:
    registers = core_registers(2)
    assert registers[:-2] == REGISTERS
    assert [(r.name, r.offset) for r in registers[-2:]] == [
        ("CRC_0", CRC_WINDOW),
        ("CRC_1", CRC_WINDOW + 4),
    ]
    assert core_registers(0) == REGISTERS


@pytest.mark.parametrize("layers", [-1, 65])
def test_number_of_layers_is_checked(layers: int) -> None:
    with pytest.raises(
        FormatError, match=rf"^Number of layers must be between 0 and 64, not {layers}$"
    ):
        core_registers(layers)


@pytest.mark.parametrize("fclk_mhz", [100.0, 50.0, 125.0, 250.0, 142.857143, 0.252])
def test_divisors_make_the_clock(fclk_mhz: float) -> None:
    first, second = clock_divisors(fclk_mhz)
    assert IO_PLL_MHZ / (first * second) == pytest.approx(fclk_mhz, rel=1e-3)
    assert 1 <= second <= first <= 63


def test_prime_divisor_is_not_split() -> None:
    assert clock_divisors(1000 / 61) == (61, 1)
    assert clock_divisors(1000 / 10) == (5, 2)


@pytest.mark.parametrize("fclk_mhz", [0.2, 251.0])
def test_clock_is_checked(fclk_mhz: float) -> None:
    with pytest.raises(
        BoardError, match=rf"^Fabric clock must be between 0\.25 and 250 MHz, not {fclk_mhz}$"
    ):
        clock_divisors(fclk_mhz)
