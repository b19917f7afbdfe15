# SPDX-License-Identifier: Apache-2.0
"""What every engine offers: a bus master, two streams and a clock around one design."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.sim.closing import Closing
from spikewright.sim.engine.checks import as_words
from spikewright.sim.errors import DataError, DeviceError, FormatError

RESET_CYCLES = 8
"""Cycles `aresetn` is held low."""

MAX_LAYERS = 64
"""Most layers a design can have probes on."""

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Design:
    """Verilog of an accelerator.

    Parameters
    ----------
    verilog : str
        Source text.
    top : str
        Module with the ports ``aclk``, ``aresetn``, ``s_axi_*``, ``s_axis_*``, ``m_axis_*`` and,
        for each layer, ``probe_fire[i]``, ``probe<i>_data[64]`` and ``probe<i>_flags[3]``.
    layers : int
        Layers with probes, 0 to 64; 0 for a design without probe ports.

    Raises
    ------
    FormatError
        If the number of layers is out of range.
    """

    verilog: str
    top: str = "spikewright"
    layers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.layers <= MAX_LAYERS:
            raise FormatError(
                f"Number of probes must be between 0 and {MAX_LAYERS}, not {self.layers!r}"
            )


class Engine(Closing):
    """A design that is being simulated, clock by clock; nothing moves between calls.

    Inputs change right after rising edges. Use as a context manager, or call :meth:`close`.

    Attributes
    ----------
    name : str
        Which engine it is, such as "Verilator with g++".
    answer_limit : int
        Cycles the design may take to answer a register access; room for a seek in a tensor.
    """

    name: str
    answer_limit: int

    def read(self, address: int) -> int:
        """Read the register at a byte address; see :meth:`read_many`."""
        return int(self.read_many(address, 1)[0])

    def write(self, address: int, value: int) -> None:
        """Write a 32-bit value to the register at a byte address; see :meth:`write_many`."""
        self.write_many(address, [value])

    @abstractmethod
    def read_many(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read one address `count` times, as a self-incrementing data register wants.

        Returns
        -------
        (count,) ndarray of uint32

        Raises
        ------
        DeviceError
            If the design refuses an access or does not answer.
        """

    @abstractmethod
    def write_many(self, address: int, words: ArrayLike) -> None:
        """Write each word in turn to one address, as a self-incrementing data register wants.

        Raises
        ------
        DataError
            If a word does not fit in 32 bits.
        DeviceError
            If the design refuses an access or does not answer.
        """

    def run(self, cycles: int) -> None:
        """Let so many clock cycles pass; streams move on."""
        # In pieces, because Ctrl-C is noticed only between calls into compiled code.
        while cycles > 0:
            self._advance(min(cycles, _CHUNK), until_idle=False)
            cycles -= _CHUNK

    @property
    @abstractmethod
    def cycles(self) -> int:
        """Clock cycles since the last reset."""

    def tx_start(self, words: ArrayLike) -> None:
        """Begin to send one packet into the design; TLAST is on its last word.

        Raises
        ------
        DataError
            If a word does not fit in 32 bits.
        DeviceError
            If the packet before is still being sent.
        """
        packet = as_words(words)
        self.tx_start_at(packet.ctypes.data, packet.size)
        self._packet = packet

    def rx_start(self, buffer: NDArray[np.uint32]) -> None:
        """Begin to receive into an array, until TLAST or until it is full.

        The array must stay alive until :meth:`rx_busy` is false.

        Raises
        ------
        DataError
            If the array is not a contiguous, writable array of uint32.
        DeviceError
            If a packet is still being received.
        """
        flags = buffer.flags
        if buffer.dtype != np.uint32 or not (flags.c_contiguous and flags.writeable):
            raise DataError(
                "Receive buffer must be a contiguous, writable array of uint32, "
                f"not of {buffer.dtype}"
            )
        self.rx_start_at(buffer.ctypes.data, buffer.size)
        self._buffer = buffer

    def tx_start_at(self, pointer: int, count: int) -> None:
        """Like :meth:`tx_start`, words from a memory address; 0 words drops the packet."""
        if count and self.tx_left():
            raise DeviceError(
                f"The packet before still has {self.tx_left()} words to send: wait for them"
            )
        self._set_tx(pointer, count)

    def rx_start_at(self, pointer: int, count: int) -> None:
        """Like :meth:`rx_start`, words to a memory address; 0 words stops receiving."""
        if count and self.rx_busy():
            raise DeviceError(
                f"The packet before is still being received after {self.rx_count()} words: "
                "wait for its end"
            )
        self._set_rx(pointer, count)

    @abstractmethod
    def tx_left(self) -> int:
        """Words of the packet that the design has not taken yet."""

    @abstractmethod
    def rx_busy(self) -> bool:
        """Whether receiving has begun and neither TLAST came nor is the buffer full."""

    @abstractmethod
    def rx_count(self) -> int:
        """Words received since receiving began."""

    @abstractmethod
    def rx_last(self) -> bool:
        """Whether the word received last had TLAST."""

    def transfer(
        self,
        words: ArrayLike,
        capacity: int,
        *,
        limit_cycles: int,
        stall_seed: int | None = None,
    ) -> NDArray[np.uint32]:
        """Send one packet and receive one, both at once.

        Parameters
        ----------
        words : array-like of int
            Packet to send; may be empty.
        capacity : int
            Most words to receive; 0 for none.
        limit_cycles : int
            Cycles this may take.
        stall_seed : int, optional
            Stall each stream in half of the cycles, at random from this seed.

        Returns
        -------
        (n,) ndarray of uint32
            Words up to TLAST, at most `capacity`.

        Raises
        ------
        DeviceError
            If it takes more cycles.
        """
        buffer = np.zeros(max(capacity, 0), np.uint32)
        if stall_seed is not None:
            self.stall(0.5, 0.5, stall_seed)
        try:
            self.tx_start(words)
            self.rx_start(buffer)
            self._finish(limit_cycles)
            return buffer[: self.rx_count()].copy()
        finally:
            self.tx_start_at(0, 0)
            self.rx_start_at(0, 0)
            if stall_seed is not None:
                self.stall(0.0, 0.0, 0)

    def _finish(self, limit_cycles: int) -> None:
        """Run until both streams are done."""
        left = limit_cycles
        while self.tx_left() or self.rx_busy():
            if left <= 0:
                raise DeviceError(
                    f"Transfer did not end within {limit_cycles} cycles: {self.tx_left()} words "
                    f"were not taken and {self.rx_count()} were received"
                )
            self._advance(min(left, _CHUNK), until_idle=True)
            left -= _CHUNK

    @abstractmethod
    def stall(self, tx_probability: float, rx_probability: float, seed: int) -> None:
        """Hold back valid or ready at random in so large a share of the cycles; 0 ends it.

        A word that was offered stays offered until the design takes it, as AXI demands.
        """

    @abstractmethod
    def record(self, on: bool) -> None:
        """Begin or end the recording of what :meth:`probes` returns."""

    @abstractmethod
    def probes(self) -> NDArray[np.int64]:
        """Return and forget the beats recorded, in the order they happened.

        Returns
        -------
        (n, 3) ndarray of int64
            Layer, flags and data of each beat; layers of the same cycle in ascending order.
        """

    @abstractmethod
    def trace(self, path: Path | None) -> None:
        """Write a waveform (VCD) of what follows to a file, or end it.

        Raises
        ------
        ToolError
            If the engine was opened without waveforms or cannot write the file.
        """

    @abstractmethod
    def reset(self) -> None:
        """Hold ``aresetn`` low for a few cycles, drop both streams and count cycles from 0."""

    @abstractmethod
    def close(self) -> None:
        """Free the simulation; nothing else may be called after it."""

    @abstractmethod
    def _advance(self, cycles: int, *, until_idle: bool) -> None: ...

    @abstractmethod
    def _set_tx(self, pointer: int, count: int) -> None: ...

    @abstractmethod
    def _set_rx(self, pointer: int, count: int) -> None: ...
