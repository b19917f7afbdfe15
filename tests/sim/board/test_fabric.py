# SPDX-License-Identifier: Apache-2.0
"""Addresses, time and programming of the fabric."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from spikewright.sim.board.fabric import CYCLES_PER_ACCESS, SLCR_BASE, Fabric
from spikewright.sim.board.system import ADDRESSES, CORE_NAME, DMA_NAME
from spikewright.sim.errors import DataError, DeviceError, FileError
from spikewright.sim.registers import ID_VALUE, offset

CORE, DMA = ADDRESSES[CORE_NAME], ADDRESSES[DMA_NAME]


@pytest.fixture
def fabric(bit: Path) -> Iterator[Fabric]:
    fabric = Fabric()
    fabric.program(bit.read_bytes())
    yield fabric
    fabric.close()


def test_addresses_reach_their_blocks(fabric: Fabric) -> None:
    assert fabric.read(CORE + offset("ID")) == ID_VALUE
    assert fabric.read(DMA) == 0x10002
    fabric.write(CORE + offset("PARAM_START"), 0xFFFFFFFF)
    assert fabric.read(CORE + offset("PARAM_START")) == 0xFFFFFFFF


def test_core_repeats_beyond_its_address_bits(fabric: Fabric) -> None:
    assert fabric.read(CORE + 0x1000 + offset("ID")) == ID_VALUE
    assert fabric.read(CORE + 0xF000 + offset("ID")) == ID_VALUE


@pytest.mark.parametrize("address", [0, CORE - 4, CORE + 0x10000, DMA + 0x10000])
def test_other_addresses_are_bus_errors(fabric: Fabric, address: int) -> None:
    message = (
        rf"^Nothing answers at 0x{address:08X}, which ends the process with a bus error on the "
        r"board: use an address from the Overlay's ip_dict$"
    )
    with pytest.raises(DeviceError, match=message):
        fabric.read(address)
    with pytest.raises(DeviceError, match=message):
        fabric.write(address, 0)


def test_refused_access(fabric: Fabric) -> None:
    with pytest.raises(DeviceError, match=r"^Write of register 0x000 was refused \(SLVERR\)"):
        fabric.write(CORE + offset("ID"), 1)


def test_time_passes_with_accesses_only(fabric: Fabric) -> None:
    before = fabric.cycles
    fabric.read(DMA)
    assert fabric.cycles == before + CYCLES_PER_ACCESS
    fabric.read(SLCR_BASE + 0x170)
    assert fabric.cycles == before + CYCLES_PER_ACCESS


def test_cycles_of_an_access_are_chosen(bit: Path) -> None:
    fabric = Fabric(cycles_per_access=3)
    fabric.program(bit.read_bytes())
    fabric.read(DMA)
    assert fabric.cycles == 3
    fabric.close()
    with pytest.raises(DataError, match=r"^Cycles of an access must be at least 1, not 0$"):
        Fabric(cycles_per_access=0)


def test_empty_fabric_does_not_answer(bit: Path) -> None:
    fabric = Fabric()
    message = (
        r"^Nothing answers at 0x43C00000 because the fabric is empty, and the board would hang: "
        r"load an Overlay first$"
    )
    with pytest.raises(DeviceError, match=message):
        fabric.read(CORE)
    fabric.program(bit.read_bytes())
    fabric.close()
    with pytest.raises(DeviceError, match=message):
        fabric.write(CORE, 0)
    assert fabric.cycles == 0


def test_programming_again_starts_over(fabric: Fabric, bit: Path) -> None:
    fabric.write(CORE + offset("PARAM_START"), 5)
    fabric.program(bit.read_bytes())
    assert fabric.cycles == 0
    assert fabric.read(CORE + offset("PARAM_START")) == 0


def test_foreign_bit_leaves_the_design_in_place(fabric: Fabric) -> None:
    with pytest.raises(FileError, match=r"^The file is not a \.bit"):
        fabric.program(b"no bitstream")
    assert fabric.read(CORE) == ID_VALUE


def test_clock_registers_keep_what_is_written(fabric: Fabric) -> None:
    fabric.write(SLCR_BASE + 0x170, 0x00200500)
    assert fabric.read(SLCR_BASE + 0x170) == 0x00200500
    with pytest.raises(
        DeviceError,
        match=r"^The simulated board has no register at 0xF8000008: of the processing system's "
        r"registers it has those of the clocks$",
    ):
        fabric.read(SLCR_BASE + 8)
