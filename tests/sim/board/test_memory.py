# SPDX-License-Identifier: Apache-2.0
"""DDR: blocks, stale data and what is refused."""

import ctypes

import numpy as np
import pytest

from spikewright.sim.board.memory import DDR_BASE, PAGE_BYTES, Memory
from spikewright.sim.errors import DeviceError


@pytest.fixture
def memory() -> Memory:
    return Memory(size=4 * PAGE_BYTES)


def in_ddr(memory: Memory, address: int, size: int) -> bytes:
    return ctypes.string_at(memory.locate(address, size), size)


def test_blocks_are_whole_pages_and_reused(memory: Memory) -> None:
    first, second = memory.allocate(1), memory.allocate(PAGE_BYTES + 1)
    assert first.address == DDR_BASE
    assert second.address == DDR_BASE + PAGE_BYTES
    third = memory.allocate(8)
    assert third.address == DDR_BASE + 3 * PAGE_BYTES
    memory.release(first)
    assert memory.allocate(PAGE_BYTES).address == first.address


def test_full_memory(memory: Memory) -> None:
    memory.allocate(3 * PAGE_BYTES)
    with pytest.raises(
        DeviceError,
        match=r"^Buffer of 8192 bytes does not fit in the 0 MiB of the simulated board: free "
        r"others with freebuffer\(\)$",
    ):
        memory.allocate(2 * PAGE_BYTES)
    memory.allocate(PAGE_BYTES)


def test_only_flush_and_invalidate_copy(memory: Memory) -> None:
    block = memory.allocate(8)
    copy = np.arange(8, dtype=np.uint8)
    assert in_ddr(memory, block.address, 8) == b"\xa5" * 8
    memory.flush(block, 0, copy.ctypes.data, 4)
    assert in_ddr(memory, block.address, 8) == b"\0\1\2\3" + b"\xa5" * 4
    memory.invalidate(block, 2, copy.ctypes.data, 4)
    assert copy.tolist() == [2, 3, 0xA5, 0xA5, 4, 5, 6, 7]


def test_new_block_holds_no_old_data(memory: Memory) -> None:
    block = memory.allocate(8)
    memory.flush(block, 0, np.zeros(8, np.uint8).ctypes.data, 8)
    memory.release(block)
    again = memory.allocate(8)
    assert again.address == block.address
    assert in_ddr(memory, again.address, 8) == b"\xa5" * 8


@pytest.mark.parametrize(("offset", "size"), [(-1, 4), (5, 4), (0, 9)])
def test_copies_stay_inside_their_block(memory: Memory, offset: int, size: int) -> None:
    block = memory.allocate(8)
    copy = np.zeros(16, np.uint8)
    for move in (memory.flush, memory.invalidate):
        with pytest.raises(
            DeviceError,
            match=rf"^Array of {size} bytes at offset {offset} is not inside its buffer of 8 "
            r"bytes: copy it into the buffer first$",
        ):
            move(block, offset, copy.ctypes.data, size)


def test_freed_block_is_refused(memory: Memory) -> None:
    block = memory.allocate(8)
    memory.release(block)
    memory.release(block)
    other = memory.allocate(8)
    assert other.address == block.address
    memory.release(block)  # must not free the other
    assert memory.locate(other.address, 8)
    with pytest.raises(
        DeviceError,
        match=r"^Buffer at 0x10000000 was freed: allocate another before using it$",
    ):
        memory.flush(block, 0, 0, 0)


def test_dma_must_stay_inside_one_buffer(memory: Memory) -> None:
    block = memory.allocate(8)
    memory.allocate(8)
    for address, size in ((block.address, 9), (block.address - 1, 2), (DDR_BASE + 64, 4)):
        with pytest.raises(
            DeviceError,
            match=rf"^DMA of {size} bytes at 0x{address:08X} leaves the buffers: it would "
            r"overwrite or leak what Linux has there; check the address and the length$",
        ):
            memory.locate(address, size)
