# SPDX-License-Identifier: Apache-2.0
"""The board's DDR memory as the fabric sees it, and buffers of which the processor has a copy.

On the board the processor works in its cache and the fabric in DDR. Here each buffer has two
arrays: the processor's, which user code sees, and its place in DDR, which the DMA reaches. Only
:meth:`Memory.flush` and :meth:`Memory.invalidate` copy, so a call that user code forgot shows as
stale data, every time instead of now and then.
"""

import ctypes
from dataclasses import dataclass

import numpy as np

from spikewright.sim.errors import DeviceError

DDR_BASE = 0x10000000
"""First address of the part that buffers come from."""
DDR_BYTES = 64 << 20
PAGE_BYTES = 4096

_STALE = 0xA5
"""What fills DDR that nothing was flushed to: zeros would look like data."""


@dataclass(frozen=True)
class Block:
    """A buffer's place in DDR: `size` bytes from physical `address` on."""

    address: int
    size: int


class Memory:
    """DDR with buffers in it.

    Parameters
    ----------
    base : int
        Physical address of the first byte.
    size : int
        Bytes.
    """

    def __init__(self, base: int = DDR_BASE, size: int = DDR_BYTES) -> None:
        self.base = base
        self.size = size
        self._bytes = np.zeros(size, np.uint8)
        self._blocks: dict[int, Block] = {}

    def allocate(self, size: int) -> Block:
        """Reserve whole pages for `size` bytes, at the lowest address that has room.

        Raises
        ------
        DeviceError
            If the memory is full.
        """
        needed = max(-(-size // PAGE_BYTES), 1) * PAGE_BYTES
        address = self.base
        for block in sorted(self._blocks.values(), key=lambda block: block.address):
            if block.address - address >= needed:
                break
            address = block.address + -(-block.size // PAGE_BYTES) * PAGE_BYTES
        if address + needed > self.base + self.size:
            raise DeviceError(
                f"Buffer of {size} bytes does not fit in the {self.size >> 20} MiB of the "
                "simulated board: free others with freebuffer()"
            )
        block = Block(address, max(size, 1))
        self._blocks[address] = block
        start = address - self.base
        self._bytes[start : start + needed] = _STALE
        return block

    def release(self, block: Block) -> None:
        """Give the pages of a block back; a second time does nothing."""
        if self._blocks.get(block.address) is block:
            del self._blocks[block.address]

    def __contains__(self, address: int) -> bool:
        return self.base <= address < self.base + self.size

    def locate(self, address: int, size: int) -> int:
        """Pointer to `size` bytes of a buffer by their physical address.

        Raises
        ------
        DeviceError
            If they are not all in one buffer.
        """
        for block in self._blocks.values():
            if block.address <= address and address + size <= block.address + block.size:
                return int(self._bytes.ctypes.data) + address - self.base
        raise DeviceError(
            f"DMA of {size} bytes at 0x{address:08X} leaves the buffers: it would overwrite or "
            "leak what Linux has there; check the address and the length"
        )

    def flush(self, block: Block, offset: int, pointer: int, size: int) -> None:
        """Copy the processor's bytes at `pointer` to a place in a block.

        Raises
        ------
        DeviceError
            If they do not fit in the block, or it was released.
        """
        ctypes.memmove(self._place(block, offset, size), pointer, size)

    def invalidate(self, block: Block, offset: int, pointer: int, size: int) -> None:
        """Copy a place in a block to the processor's bytes at `pointer`.

        Raises
        ------
        DeviceError
            If the block does not have so many bytes, or was released.
        """
        ctypes.memmove(pointer, self._place(block, offset, size), size)

    def _place(self, block: Block, offset: int, size: int) -> int:
        if self._blocks.get(block.address) is not block:
            raise DeviceError(
                f"Buffer at 0x{block.address:08X} was freed: allocate another before using it"
            )
        # numpy gives views that run backwards, and results of arithmetic, the class of the buffer.
        if offset < 0 or offset + size > block.size:
            raise DeviceError(
                f"Array of {size} bytes at offset {offset} is not inside its buffer of "
                f"{block.size} bytes: copy it into the buffer first"
            )
        return int(self._bytes.ctypes.data) + block.address - self.base + offset
