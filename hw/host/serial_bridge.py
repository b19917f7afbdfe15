# SPDX-License-Identifier: Apache-2.0
"""A UART that carries an accelerator's registers and streams, for boards without a processor.

A command is an opcode byte, two bytes (an address or a number of words) and words; the answer is
words and one status byte. Everything is little-endian, each byte is sent as 8N1.

=========  =============  ===========  ============
opcode     two bytes      words        answer words
=========  =============  ===========  ============
WRITE      byte address   1            0
READ       byte address   0            1
SEND       count          count        0
SEND_LAST  count          count        0
RECEIVE    count          0            count
=========  =============  ===========  ============

SEND_LAST ends its last word's packet (TLAST). An answer with status TIMEOUT may have fewer words.
A register's address has 12 bits; one with more is refused.
There is no checksum: this is the least that makes a bitstream usable, not a robust link.
"""

from enum import IntEnum

from amaranth import C, Cat, Module, ResetInserter, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.glue.streams import Buffer
from spikewright.hw.host.axi import AxiLite, AxiLiteInterface, AxiStream, AxiStreamInterface
from spikewright.hw.host.packets import word_layout
from spikewright.hw.host.serial_line import UartReceiver, UartTransmitter
from spikewright.sim.registers import ADDRESS_BITS, mask, offset

_SOFT_RESET = mask("CONTROL", "SOFT_RESET")
SEND_BUFFER = 512
"""Default of the words that may wait for the accelerator: one block RAM."""
TIMEOUT_CYCLES = 1 << 24
"""Default of the silence after which a command is given up, in clock cycles."""


class Opcode(IntEnum):
    """First byte of a command."""

    WRITE = 1
    READ = 2
    SEND = 3
    SEND_LAST = 4
    RECEIVE = 5


class Status(IntEnum):
    """Last byte of an answer.

    REFUSED: the register access had an error. OVERRUN: words sent were lost, because the buffer was
    full; a soft reset of the accelerator empties the buffer, too. TIMEOUT: the command's next byte,
    or a word to receive, did not come. UNKNOWN: there is no such opcode.
    """

    OK = 0
    REFUSED = 1
    OVERRUN = 2
    TIMEOUT = 3
    UNKNOWN = 4


class SerialBridge(wiring.Component):
    """Serves the commands of this module, one at a time.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, see :func:`spikewright.hw.host.serial_line.bit_cycles`.
    timeout : int
        Clock cycles of silence after which a command is given up.
    send_buffer : int
        Words that may be sent while the accelerator takes none.

    Members
    -------
    rx : In(1), tx : Out(1)
        The line from and to the host, in this clock domain.
    axi : Out(AxiLite)
    o : Out(AxiStream)
        Words sent.
    i : In(AxiStream)
        Words to receive; TLAST is not told to the host.
    failed : Out(1)
        Whether the last status was not OK.
    """

    rx: Signal
    tx: Signal
    axi: AxiLiteInterface
    o: AxiStreamInterface
    i: AxiStreamInterface
    failed: Signal

    def __init__(
        self, divisor: int, *, timeout: int = TIMEOUT_CYCLES, send_buffer: int = SEND_BUFFER
    ):
        self.divisor = divisor
        self.timeout = timeout
        self.send_buffer = send_buffer
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "axi": Out(AxiLite),
                "o": Out(AxiStream),
                "i": In(AxiStream),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        # A soft reset forgets what was sent before it, and so does what waits to be sent.
        forgets = Signal()
        buffer = Buffer(word_layout, depth=self.send_buffer)
        m.submodules.buffer = ResetInserter(forgets)(buffer)
        opcode, argument, status = Signal(8), Signal(16), Signal(Status)
        word, byte, silence = Signal(32), Signal(2), Signal(range(self.timeout))
        came, given = receiver.valid, transmitter.i
        final, late = Signal(), Signal()
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.failed.eq(status != Status.OK),
            self.axi.awaddr.eq(argument),
            self.axi.araddr.eq(argument),
            self.axi.wdata.eq(word),
            self.axi.wstrb.eq(0xF),
            Cat(self.o.tdata, self.o.tlast).eq(buffer.o.payload),
            self.o.tkeep.eq(0xF),
            self.o.tvalid.eq(buffer.o.valid),
            buffer.o.ready.eq(self.o.tready),
            buffer.i.payload.data.eq(word),
            buffer.i.payload.last.eq(final & (opcode == Opcode.SEND_LAST)),
        ]
        m.d.sync += [
            forgets.eq(0),
            silence.eq(0),
            late.eq(silence == self.timeout - 2),
            final.eq(argument == 1),
        ]
        with m.FSM():
            with m.State("OPCODE"):
                with m.If(came):
                    m.d.sync += [opcode.eq(receiver.data), byte.eq(0)]
                    m.next = "ARGUMENT"
            with m.State("ARGUMENT"):
                with m.If(came):
                    m.d.sync += [argument.eq(Cat(argument[8:], receiver.data)), byte.eq(byte + 1)]
                    with m.If(byte == 1):
                        m.next = "START"
                self._wait(m, silence, late, came, status)
            with m.State("START"):
                m.d.sync += [byte.eq(0), status.eq(Status.OK)]
                self._start(m, opcode, argument, status)
            with m.State("TAKE"):
                with m.If(came):
                    m.d.sync += [word.eq(Cat(word[8:], receiver.data)), byte.eq(byte + 1)]
                    with m.If(byte == 3):
                        m.next = "BUFFER"
                        with m.If(opcode == Opcode.WRITE):
                            m.next = "WRITE"
                self._wait(m, silence, late, came, status)
            with m.State("BUFFER"):
                m.d.comb += buffer.i.valid.eq(1)
                m.d.sync += argument.eq(argument - 1)
                with m.If(~buffer.i.ready):
                    m.d.sync += status.eq(Status.OVERRUN)
                m.next = "TAKE"
                with m.If(final):
                    m.next = "STATUS"
            self._access(m, argument, word, status, forgets)
            with m.State("FETCH"):
                m.d.comb += self.i.tready.eq(1)
                with m.If(self.i.tvalid):
                    m.d.sync += [word.eq(self.i.tdata), argument.eq(argument - 1)]
                    m.next = "REPLY"
                self._wait(m, silence, late, self.i.tvalid, status)
            with m.State("REPLY"):
                m.d.comb += [given.valid.eq(1), given.payload.eq(word[:8])]
                with m.If(given.ready):
                    m.d.sync += [word.eq(word >> 8), byte.eq(byte + 1)]
                    with m.If(byte == 3):
                        m.next = "FETCH"
                        with m.If((opcode == Opcode.READ) | (argument == 0)):
                            m.next = "STATUS"
            with m.State("STATUS"):
                m.d.comb += [given.valid.eq(1), given.payload.eq(status)]
                with m.If(given.ready):
                    m.next = "OPCODE"
        return m

    @staticmethod
    def _start(m: Module, opcode: Value, argument: Value, status: Signal) -> None:
        """Choose what a command begins with."""
        with m.Switch(opcode):
            with m.Case(Opcode.WRITE):
                m.next = "TAKE"
            with m.Case(Opcode.READ):
                m.next = "READ"
            for *opcodes, state in (
                (Opcode.SEND, Opcode.SEND_LAST, "TAKE"),
                (Opcode.RECEIVE, "FETCH"),
            ):
                with m.Case(*opcodes):
                    m.next = state
                    with m.If(argument == 0):
                        m.next = "STATUS"
            with m.Default():
                m.d.sync += status.eq(Status.UNKNOWN)
                m.next = "STATUS"

    @staticmethod
    def _wait(m: Module, silence: Signal, late: Signal, came: Value, status: Signal) -> None:
        """Give the command up after too long a silence."""
        with m.If(~came):
            m.d.sync += silence.eq(silence + 1)
            with m.If(late):
                m.d.sync += status.eq(Status.TIMEOUT)
                m.next = "STATUS"

    def _access(
        self, m: Module, address: Signal, word: Signal, status: Signal, forgets: Signal
    ) -> None:
        """Write or read a register, if there can be one at the address."""
        axi = self.axi
        taken = Signal(2)
        outside, resets = Signal(), Signal()
        m.d.sync += [
            outside.eq(address[ADDRESS_BITS:].any()),
            resets.eq((address == offset("CONTROL")) & (word & _SOFT_RESET).any()),
        ]
        with m.State("WRITE"):
            m.next = "WRITING"
            with m.If(outside):
                m.d.sync += status.eq(Status.REFUSED)
                m.next = "STATUS"
        with m.State("READ"):
            m.next = "READING"
            with m.If(outside):
                m.d.sync += [status.eq(Status.REFUSED), word.eq(0)]
                m.next = "REPLY"
        with m.State("WRITING"):
            handshakes = Cat(axi.awvalid & axi.awready, axi.wvalid & axi.wready)
            m.d.comb += [Cat(axi.awvalid, axi.wvalid).eq(~taken), axi.bready.eq(1)]
            m.d.sync += taken.eq(taken | handshakes)
            with m.If(axi.bvalid):
                m.d.sync += taken.eq(0)
                with m.If(axi.bresp != 0):
                    m.d.sync += status.eq(Status.REFUSED)
                with m.Else():
                    m.d.sync += forgets.eq(resets)
                m.next = "STATUS"
        with m.State("READING"):
            m.d.comb += [axi.arvalid.eq(~taken[0]), axi.rready.eq(1)]
            m.d.sync += taken.eq(Cat(taken[0] | axi.arready, C(0, 1)))
            with m.If(axi.rvalid):
                m.d.sync += [taken.eq(0), word.eq(axi.rdata)]
                with m.If(axi.rresp != 0):
                    m.d.sync += status.eq(Status.REFUSED)
                m.next = "REPLY"
