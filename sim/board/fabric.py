# SPDX-License-Identifier: Apache-2.0
"""The programmable logic behind the processor's bus: address decode, clocks, DMA and the core.

The core runs as Verilog, clock by clock. Time is deterministic: it stands still between accesses,
and each access to the fabric takes a fixed number of its clock cycles.
"""

import threading
from collections.abc import Callable, Mapping

from spikewright.sim.board import system
from spikewright.sim.board.bit import unpack_bit
from spikewright.sim.board.dma import Dma
from spikewright.sim.board.memory import Memory
from spikewright.sim.engine import Design, Engine, open_engine
from spikewright.sim.errors import DataError, DeviceError
from spikewright.sim.registers import ADDRESS_BITS

CYCLES_PER_ACCESS = 100
"""Default cycles of an access: 1 us at 100 MHz, the least that pynq's Python needs on the board."""

SLCR_BASE = 0xF8000000
_SLCR_RANGE = 0x1000

# What the registers of the clocks hold on a PYNQ-Z2 after booting: PLLs of 50 MHz times 26, 21
# and 20, and the clocks of the fabric at 1000 MHz / (5 * 4) = 50 MHz.
_SLCR_AFTER_BOOT = {
    0x100: 0x0001A008,  # ARM_PLL_CTRL
    0x104: 0x00015008,  # DDR_PLL_CTRL
    0x108: 0x00014008,  # IO_PLL_CTRL
    0x120: 0x1F000200,  # ARM_CLK_CTRL
    0x170: 0x00400500,  # FPGA0_CLK_CTRL
    0x180: 0x00400500,
    0x190: 0x00400500,
    0x1A0: 0x00400500,
}


class Fabric:
    """Programmable logic that the processor reads and writes by physical address.

    Parameters
    ----------
    memory : Memory, optional
        DDR for the DMA.
    cycles_per_access : int
        Clock cycles that pass with each access.
    opener : callable
        Makes an engine from a design.

    Raises
    ------
    DataError
        If no cycle would pass with an access: polling would never end.
    """

    def __init__(
        self,
        memory: Memory | None = None,
        *,
        cycles_per_access: int = CYCLES_PER_ACCESS,
        opener: Callable[[Design], Engine] = open_engine,
    ) -> None:
        if cycles_per_access < 1:
            raise DataError(f"Cycles of an access must be at least 1, not {cycles_per_access!r}")
        self.memory = memory or Memory()
        self.cycles_per_access = cycles_per_access
        self._opener = opener
        self._engine: Engine | None = None
        self._dma: Dma | None = None
        self._addresses: Mapping[str, int] = {}
        self._clocks = dict(_SLCR_AFTER_BOOT)
        # Notebooks poll from threads, and an engine can take one call at a time.
        self._lock = threading.RLock()

    @property
    def cycles(self) -> int:
        """Clock cycles since the fabric was programmed; 0 before."""
        with self._lock:
            return self._engine.cycles if self._engine else 0

    def program(self, bit: bytes) -> None:
        """Put the design of a simulated .bit into the fabric, in place of the one before.

        Raises
        ------
        FileError
            If this is no simulated .bit.
        ToolError
            If its Verilog cannot be compiled.
        """
        configuration = unpack_bit(bit)
        design = Design(
            verilog=configuration.verilog, top=configuration.top, layers=configuration.layers
        )
        with self._lock:
            self.close()
            self._engine = self._opener(design)
            self._dma = Dma(self._engine, self.memory)
            self._addresses = configuration.addresses

    def read(self, address: int) -> int:
        """Read the 32-bit word at a physical address.

        Raises
        ------
        DeviceError
            If nothing answers there or the core refuses.
        """
        with self._lock:
            if SLCR_BASE <= address < SLCR_BASE + _SLCR_RANGE:
                return self._clocks[self._clock_offset(address)]
            block, offset = self._access(address)
            return block.read(offset)

    def write(self, address: int, value: int) -> None:
        """Write the 32-bit word at a physical address.

        Raises
        ------
        DeviceError
            If nothing answers there or the core refuses.
        """
        with self._lock:
            if SLCR_BASE <= address < SLCR_BASE + _SLCR_RANGE:
                self._clocks[self._clock_offset(address)] = value
            else:
                block, offset = self._access(address)
                block.write(offset, value)

    def close(self) -> None:
        """Empty the fabric."""
        with self._lock:
            if self._engine:
                self._engine.close()
            self._engine = self._dma = None

    def _access(self, address: int) -> tuple[Engine | Dma, int]:
        """Block that answers an address and the offset in it, after the time an access takes."""
        if self._engine is None or self._dma is None:
            raise DeviceError(
                f"Nothing answers at 0x{address:08X} because the fabric is empty, and the board "
                "would hang: load an Overlay first"
            )
        for name, base in self._addresses.items():
            offset = address - base
            if 0 <= offset < system.ADDRESS_RANGE:
                self._engine.run(self.cycles_per_access)
                if name == system.DMA_NAME:
                    return self._dma, offset
                # The core has no more address bits, so its registers repeat.
                return self._engine, offset % (1 << ADDRESS_BITS)
        raise DeviceError(
            f"Nothing answers at 0x{address:08X}, which ends the process with a bus error on the "
            "board: use an address from the Overlay's ip_dict"
        )

    @staticmethod
    def _clock_offset(address: int) -> int:
        offset = address - SLCR_BASE
        if offset not in _SLCR_AFTER_BOOT:
            raise DeviceError(
                f"The simulated board has no register at 0x{address:08X}: of the processing "
                "system's registers it has those of the clocks"
            )
        return offset
