# SPDX-License-Identifier: Apache-2.0
"""Packets to and from an accelerator through Xilinx' axi_dma. Importing this imports pynq.

Buffers are kept from one transfer to the next, because allocating them is slow on the board.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pynq import allocate

from spikewright.sim.board import system
from spikewright.sim.errors import DataError, DeviceError

_WORD_BYTES = 4
_LEAST_BUFFER = 1024
_DMA_CONTROL, _DMA_RESET = 0x00, 0x04
_DMA_STATUS = {"send": 0x04, "receive": 0x34}
_DMA_OVERFLOW = 0x10


@dataclass
class Times:
    """Seconds spent in transfers so far, and their number.

    Attributes
    ----------
    programming : float
        Copying into and out of DMA buffers, flushing, and setting up the DMA.
    waiting : float
        Polling until the DMA was done.
    transfers : int
    """

    programming: float = 0.0
    waiting: float = 0.0
    transfers: int = 0


class DmaStreams:
    """The two streams of an accelerator.

    Parameters
    ----------
    dma : pynq.lib.dma.DMA
    device : pynq.Device
        Board to allocate buffers on.
    timeout : float
        Seconds one DMA transfer may take.

    Attributes
    ----------
    timeout : float
    times : Times
        Where the time of all transfers went.
    max_words : int
        Most words of one DMA transfer.
    """

    max_words = system.DMA_MAX_BYTES // _WORD_BYTES

    def __init__(self, dma: Any, device: Any, *, timeout: float) -> None:
        self.timeout = timeout
        self.times = Times()
        self._dma = dma
        self._device = device
        self._buffers: dict[str, Any] = {}

    def close(self) -> None:
        """Free the buffers."""
        for buffer in self._buffers.values():
            buffer.freebuffer()
        self._buffers.clear()

    def transfer(
        self, words: NDArray[np.uint32], capacity: int, *, frame_words: int = 1
    ) -> NDArray[np.uint32]:
        """Send one packet and receive one, both at once.

        More words than :attr:`max_words` go as several packets. Where `capacity` is more than that,
        packets are received until so many words have come; the core must end each of them, by its
        FRAMES_PER_PACKET, within what one DMA transfer takes. A packet that is not ended when
        `capacity` words have come is an error to the DMA.

        Parameters
        ----------
        words : (n,) ndarray of uint32
            What to send; may be empty.
        capacity : int
            Most words to receive; 0 for none.
        frame_words : int
            Words of a frame: packets are cut between frames only, because to the core a TLAST
            within one is a frame cut short.

        Returns
        -------
        (n,) ndarray of uint32
            Words up to the end of the packet, at most `capacity`.

        Raises
        ------
        DataError
            If the words are not of uint32, or a frame has more of them than one DMA transfer.
        DeviceError
            If the core sends more than `capacity` words, or a DMA transfer takes too long. The
            DMA is reset then; the core is not.
        """
        if words.dtype != np.uint32:
            raise DataError(f"Words to send must be of uint32, not {words.dtype}")
        if not 1 <= frame_words <= self.max_words:
            raise DataError(
                f"A frame must have between 1 and {self.max_words} words, not {frame_words!r}"
            )
        began, waited = time.perf_counter(), self.times.waiting
        try:
            results = self._move(words, capacity, self.max_words // frame_words * frame_words)
        except BaseException:
            # Also on Ctrl-C: a DMA that is left at work refuses the next transfer.
            self._reset_dma()
            raise
        self.times.transfers += 1
        self.times.programming += time.perf_counter() - began - (self.times.waiting - waited)
        return results

    def _move(self, words: NDArray[np.uint32], capacity: int, piece: int) -> NDArray[np.uint32]:
        """Keep both directions busy, `piece` words at a time out, until both are done."""
        results: list[NDArray[np.uint32]] = []
        position = sending = receiving = 0
        left = capacity
        while True:
            if left and not receiving:
                receiving = self._start_receive(min(left, self.max_words))
            if position < words.size and not sending:
                sending = self._start_send(words[position : position + piece])
            if not sending and not receiving:
                break
            sent, received = self._wait(bool(sending), bool(receiving))
            if sent:
                position += sending
                sending = 0
            if received:
                results.append(self._take(receiving))
                # A packet may be short, so only what cannot come in one is asked for again.
                left = left - results[-1].size if capacity > self.max_words else 0
                receiving = 0
        return np.concatenate(results) if results else np.zeros(0, np.uint32)

    def _start_send(self, words: NDArray[np.uint32]) -> int:
        """Begin to send; return the number of words."""
        buffer = self._buffer("send", words.size)
        buffer[:] = words
        self._dma.sendchannel.transfer(buffer)  # flushes first
        return words.size

    def _start_receive(self, count: int) -> int:
        """Begin to receive; return the number of words there is room for."""
        self._dma.recvchannel.transfer(self._buffer("receive", count))
        return count

    def _take(self, count: int) -> NDArray[np.uint32]:
        """Copy of what was received."""
        self._dma.recvchannel.wait()  # returns at once and invalidates
        received = int(self._dma.recvchannel.transferred) // _WORD_BYTES
        return np.array(self._buffer("receive", count)[:received], np.uint32)

    def _wait(self, sending: bool, receiving: bool) -> tuple[bool, bool]:
        """Poll until a direction under way is done; return which are."""
        began = time.perf_counter()
        send, receive = self._dma.sendchannel, self._dma.recvchannel
        try:
            while True:
                done = sending and bool(send.idle), receiving and bool(receive.idle)
                if any(done):
                    return done
                if (sending and send.error) or (receiving and receive.error):
                    raise self._failure()
                if time.perf_counter() - began > self.timeout:
                    raise DeviceError(
                        f"DMA transfer did not end within {self.timeout:g} s: reset the device "
                        "and check that it was sent whole frames"
                    )
        finally:
            self.times.waiting += time.perf_counter() - began

    def _failure(self) -> DeviceError:
        """Say what was wrong."""
        status = {name: self._dma.mmio.read(offset) for name, offset in _DMA_STATUS.items()}
        if status["receive"] & _DMA_OVERFLOW:
            return DeviceError(
                "The device sent more words than there was room for: reset it, then give a larger "
                "capacity or set FRAMES_PER_PACKET"
            )
        return DeviceError(
            f"DMA stopped with status 0x{status['send']:08X} (send) and "
            f"0x{status['receive']:08X} (receive): load the design again"
        )

    def _reset_dma(self) -> None:
        self._dma.mmio.write(_DMA_CONTROL, _DMA_RESET)
        while self._dma.mmio.read(_DMA_CONTROL) & _DMA_RESET:
            pass
        self._dma.sendchannel.start()
        self._dma.recvchannel.start()

    def _buffer(self, name: str, count: int) -> Any:
        """First `count` words of a DMA buffer that is kept and grows."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < count:
            if buffer is not None:
                buffer.freebuffer()
            size = max(_LEAST_BUFFER, 1 << (count - 1).bit_length())
            buffer = allocate(shape=(size,), dtype=np.uint32, target=self._device)
            self._buffers[name] = buffer
        return buffer[:count]
