# SPDX-License-Identifier: Apache-2.0
"""Model of Xilinx' axi_dma 7.1 in direct register mode, after its product guide PG021.

The real one is encrypted, so this models what software sees: registers, states, errors and data.
Its timing is not the real one's: a word moves in every cycle in which the design agrees.
"""

from spikewright.sim.board.memory import Memory
from spikewright.sim.board.system import DMA_ALIGNMENT, DMA_LENGTH_BITS
from spikewright.sim.engine import Engine
from spikewright.sim.errors import DeviceError

CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
"""Offsets of a channel's registers."""
RECEIVE = 0x30
"""Offset of the S2MM channel."""

RUN, RESET = 1 << 0, 1 << 2
"""Bits of CONTROL."""
HALTED, IDLE = 1 << 0, 1 << 1
INTERNAL_ERROR, DECODE_ERROR = 1 << 4, 1 << 6
COMPLETE_IRQ, ERROR_IRQ = 1 << 12, 1 << 14
"""Bits of STATUS."""

_CONTROL_AFTER_RESET = 0x10002
_IRQS = 0x7000
_WORD_BYTES = 4


class Channel:
    """Registers of one direction.

    Attributes
    ----------
    control, status, address, length : int
        What the registers read.
    active : bool
        Whether a transfer is under way.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Return to the state after power-up: halted, not idle."""
        self.control = _CONTROL_AFTER_RESET
        self.status = HALTED
        self.address = 0
        self.length = 0
        self.active = False

    def begin(self) -> None:
        """Enter a transfer."""
        self.active = True
        self.status &= ~IDLE

    def complete(self) -> None:
        """End a transfer well."""
        self.active = False
        self.status |= IDLE | COMPLETE_IRQ

    def fail(self, error: int) -> None:
        """End a transfer with an error, which halts the channel until a reset."""
        self.halt()
        self.status |= error | ERROR_IRQ
        self.control &= ~RUN

    def halt(self) -> None:
        """Stop; a halted channel is not idle."""
        self.active = False
        self.status = (self.status | HALTED) & ~IDLE


class Dma:
    """Two channels between DDR and the streams of an engine.

    Streams carry whole words with every TKEEP bit set. A transfer that ends within a word, or an
    address that is not aligned, is refused where the real DMA's behaviour is undefined.

    Parameters
    ----------
    engine : Engine
    memory : Memory
    """

    def __init__(self, engine: Engine, memory: Memory) -> None:
        self._engine = engine
        self._memory = memory
        self._send = Channel()
        self._receive = Channel()

    def read(self, offset: int) -> int:
        """Read the register at a byte offset; reserved ones read 0."""
        self._follow()
        channel, register = self._decode(offset)
        values = {
            CONTROL: channel.control,
            STATUS: channel.status,
            ADDRESS: channel.address,
            LENGTH: channel.length,
        }
        return values.get(register, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset; reserved ones ignore it.

        Raises
        ------
        DeviceError
            If a transfer begins that would be undefined.
        """
        self._follow()
        channel, register = self._decode(offset)
        if register == CONTROL:
            self._control(channel, value)
        elif register == STATUS:
            channel.status &= ~(value & _IRQS)
        elif register == ADDRESS:
            channel.address = value
        elif register == LENGTH:
            self._begin(channel, value & ((1 << DMA_LENGTH_BITS) - 1))

    def _decode(self, offset: int) -> tuple[Channel, int]:
        if offset >= RECEIVE:
            return self._receive, offset - RECEIVE
        return self._send, offset

    def _control(self, channel: Channel, value: int) -> None:
        if value & RESET:  # of either channel resets both
            self._drop(self._send)
            self._drop(self._receive)
            self._send.reset()
            self._receive.reset()
            return
        channel.control = value | (_CONTROL_AFTER_RESET & 2)
        if value & RUN:
            channel.status &= ~HALTED
        else:
            self._drop(channel)
            channel.halt()

    def _drop(self, channel: Channel) -> None:
        start = self._engine.tx_start_at if channel is self._send else self._engine.rx_start_at
        start(0, 0)

    def _begin(self, channel: Channel, length: int) -> None:
        if channel.status & HALTED or not length:
            return
        if channel.active:
            raise DeviceError("The DMA channel is still busy: wait() before the next transfer")
        last = channel.address + length - 1
        channel.length = length
        if channel.address not in self._memory or last not in self._memory:
            channel.fail(DECODE_ERROR)
            return
        if channel.address % DMA_ALIGNMENT:
            raise DeviceError(
                f"DMA address 0x{channel.address:08X} must be a multiple of {DMA_ALIGNMENT}: "
                "begin the transfer at another element"
            )
        if length % _WORD_BYTES:
            raise DeviceError(
                f"DMA length must be a multiple of {_WORD_BYTES} bytes, not {length}: "
                "pad the buffer to whole words"
            )
        pointer = self._memory.locate(channel.address, length)
        channel.begin()
        start = self._engine.tx_start_at if channel is self._send else self._engine.rx_start_at
        start(pointer, length // _WORD_BYTES)

    def _follow(self) -> None:
        """Take over what the streams have done since the last access."""
        if self._send.active and not self._engine.tx_left():
            self._send.complete()
        if self._receive.active and not self._engine.rx_busy():
            self._receive.length = self._engine.rx_count() * _WORD_BYTES
            if self._engine.rx_last():
                self._receive.complete()
            else:  # The buffer is full and the packet goes on.
                self._receive.fail(INTERNAL_ERROR)
