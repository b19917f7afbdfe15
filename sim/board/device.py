# SPDX-License-Identifier: Apache-2.0
"""The simulated PYNQ-Z2 as pynq sees it: one more kind of device. Importing this imports pynq.

pynq asks every class of device whether it finds boards. This one says yes only when the variable
`SPIKEWRIGHT_SIM_BOARD` is set, so that it never hides a real board.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from spikewright.sim.board import system
from spikewright.sim.board.bit import hash_hwh, unpack_bit
from spikewright.sim.board.fabric import CYCLES_PER_ACCESS, Fabric
from spikewright.sim.board.memory import Block
from spikewright.sim.errors import DeviceError, FileError

if TYPE_CHECKING:
    # mypy allows no base class of unknown type, and pynq has no types: these are what is used.
    class Device:
        """A board."""

        def __init__(self, tag: str) -> None: ...

        def post_download(self, bitstream: Any, parser: Any, name: str) -> None:
            """Note which bitstream is loaded."""

    class PynqBuffer:
        """An array in memory that a DMA reaches."""

        def __init__(self, *arguments: Any, **options: Any) -> None: ...
else:
    from pynq.buffer import PynqBuffer
    from pynq.pl_server.device import Device

ENABLE = "SPIKEWRIGHT_SIM_BOARD"
"""Environment variable that makes pynq find the simulated board."""


class SimBuffer(PynqBuffer):
    """Array that ``allocate`` returns: the processor's copy of a block of DDR."""

    def freebuffer(self) -> None:
        """Give the block back. pynq's own method unmaps memory of the board's operating system."""
        # Views share the class but not this: only the array that was allocated has it.
        owned: tuple[Fabric, Block] | None = self.__dict__.pop("_owned", None)
        if owned:
            fabric, block = owned
            fabric.memory.release(block)


class SimMemory:
    """The device's only memory.

    Parameters
    ----------
    device : SimDevice
    """

    def __init__(self, device: "SimDevice") -> None:
        self.device = device
        self.base_address = device.fabric.memory.base
        self.size = device.fabric.memory.size

    def allocate(
        self, shape: int | tuple[int, ...], dtype: DTypeLike, **options: object
    ) -> SimBuffer:
        """Allocate a zeroed array; `options`, such as ``cacheable``, change nothing.

        Raises
        ------
        DeviceError
            If the memory is full.
        """
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        fabric = self.device.fabric
        block = fabric.memory.allocate(size)
        place: dict[str, Any] = {"device_address": block.address, "bo": block, "coherent": False}
        copy = np.zeros(size, np.uint8)
        buffer = SimBuffer(shape, kind, buffer=copy, device=self.device, **place)
        buffer.__dict__["_owned"] = (fabric, block)
        return buffer


class SimDevice(Device):
    """A PYNQ-Z2 whose fabric is simulated.

    Pass it as ``Overlay(..., device=...)``, or make it ``Device.active_device``.

    Parameters
    ----------
    tag : str
        Name of this one among several.
    cycles_per_access : int
        Clock cycles of the fabric that pass with each register access.

    Attributes
    ----------
    fabric : Fabric
        The programmable logic; its `cycles` tell the simulated time.
    """

    # Before the real board (50) and remote ones (100); no two classes may share a number.
    _probe_priority_ = 10

    @classmethod
    def _probe_(cls) -> list["SimDevice"]:
        return [cls()] if os.environ.get(ENABLE) else []

    def __init__(
        self, tag: str = "simulated", *, cycles_per_access: int = CYCLES_PER_ACCESS
    ) -> None:
        super().__init__(tag)
        self.name = system.BOARD_NAME
        self.arch = "armv7l"  # by which pynq chooses the Zynq-7000's clock registers
        self.capabilities = {"REGISTER_RW": True}
        self.fabric = Fabric(cycles_per_access=cycles_per_access)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Parse the .hwh next to a .bit; pynq calls this.

        Raises
        ------
        FileError
            If the .bit is no simulated one, or the .hwh is missing or belongs to another.
        DeviceError
            If a partial bitstream is asked for.
        """
        if partial:
            raise DeviceError(
                "The simulated board has no partial reconfiguration: load the whole design"
            )
        # Imported late: whoever only reads registers does not need it.
        from pynqmetadata.frontends import Metadata
        from pynqmetadata.views.runtime import RuntimeMetadataParser

        path = Path(bitfile_name)
        _check_pair(path)
        parser = RuntimeMetadataParser(Metadata(input=path.with_suffix(".hwh")))
        parser.bin_data = None
        parser.xclbin_data = None
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Program the fabric with a .bit; pynq calls this.

        Raises
        ------
        FileError
            If the .bit is no simulated one, or the .hwh is missing or belongs to another.
        ToolError
            If its Verilog cannot be compiled.
        """
        path = Path(bitstream.bitfile_name)
        parser = parser or self.get_bitfile_metadata(str(path), bitstream.partial)
        self.fabric.program(path.read_bytes())
        self.post_download(bitstream, parser, self.name)

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Keep nothing: pynq would write what it parsed into its own installation."""

    def read_registers(self, address: int, length: int) -> bytes:
        """Read whole words; pynq calls this."""
        words = (self.fabric.read(address + offset) for offset in range(0, length, 4))
        return b"".join(word.to_bytes(4, "little") for word in words)

    def write_registers(self, address: int, data: bytes) -> None:
        """Write whole words; pynq calls this."""
        data = bytes(data)
        for offset in range(0, len(data), 4):
            word = int.from_bytes(data[offset : offset + 4], "little")
            self.fabric.write(address + offset, word)

    @property
    def default_memory(self) -> SimMemory:
        """Memory that ``pynq.allocate`` takes from."""
        return SimMemory(self)

    def get_memory(self, description: object) -> SimMemory:
        """Memory of a description in a .hwh: there is one."""
        return SimMemory(self)

    def flush(self, block: Block, offset: int, pointer: int, size: int) -> None:
        """Copy from a buffer's array to DDR; buffers call this."""
        self.fabric.memory.flush(block, offset, pointer, size)

    def invalidate(self, block: Block, offset: int, pointer: int, size: int) -> None:
        """Copy from DDR to a buffer's array; buffers call this."""
        self.fabric.memory.invalidate(block, offset, pointer, size)

    def close(self) -> None:
        """Empty the fabric."""
        self.fabric.close()


def _check_pair(bit: Path) -> None:
    """Refuse a .bit and a .hwh that were not made together."""
    configuration = unpack_bit(bit.read_bytes())
    hwh = bit.with_suffix(".hwh")
    if not hwh.is_file():
        raise FileError(f"{hwh.name} must be next to {bit.name} and is missing: copy both")
    if hash_hwh(hwh.read_bytes()) != configuration.hwh_sha256:
        raise FileError(
            f"{hwh.name} was altered or belongs to another design than {bit.name}: "
            "build the design again"
        )
