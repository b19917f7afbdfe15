# SPDX-License-Identifier: Apache-2.0
"""A serial line (UART, 8N1): bytes in and bytes out."""

from amaranth import Cat, Module, Signal
from amaranth.build import Platform
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.sim.errors import FormatError

MIN_DIVISOR = 8
"""Fewest clock cycles of a bit: sampling is at worst 1/8 bit off its middle."""


def bit_cycles(clock_hz: float, baud: int) -> int:
    """Clock cycles of a bit.

    Raises
    ------
    FormatError
        If the clock is below 8 times the rate or the rounded rate is over 2 % off.
    """
    divisor = round(clock_hz / baud)
    if divisor < MIN_DIVISOR:
        raise FormatError(
            f"Baud rate must be at most an eighth of the {clock_hz / 1e6:g} MHz clock, not {baud}"
        )
    if abs(clock_hz / divisor / baud - 1) > 0.02:
        raise FormatError(
            f"Baud rate must divide the {clock_hz / 1e6:g} MHz clock to within 2 %, not {baud}"
        )
    return divisor


class UartReceiver(wiring.Component):
    """Bytes from a line. A byte comes in the middle of its stop bit; one without that is dropped.

    After such a one, as in a break, the line must be high before the next begins.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    rx : In(1)
        The line, in this clock domain.
    data : Out(8), valid : Out(1)
        A byte, for one cycle.
    """

    rx: Signal
    data: Signal
    valid: Signal

    def __init__(self, divisor: int):
        self.divisor = divisor
        super().__init__({"rx": In(1), "data": Out(8), "valid": Out(1)})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        timer, bit = Signal(range(self.divisor)), Signal(range(10))
        busy, broken = Signal(), Signal()
        m.d.sync += [self.valid.eq(0), timer.eq(timer - 1), broken.eq(broken & ~self.rx)]
        with m.If(~busy):
            m.d.sync += [busy.eq(~self.rx & ~broken), bit.eq(0), timer.eq(self.divisor // 2 - 1)]
        with m.Elif(timer == 0):
            m.d.sync += [timer.eq(self.divisor - 1), bit.eq(bit + 1)]
            with m.If(bit == 0):
                m.d.sync += busy.eq(~self.rx)
            with m.Elif(bit == 9):
                m.d.sync += [busy.eq(0), self.valid.eq(self.rx), broken.eq(~self.rx)]
            with m.Else():
                m.d.sync += self.data.eq(Cat(self.data[1:], self.rx))
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a line; one byte every ten bits.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    i : In(stream of 8 bits)
    tx : Out(1)
    """

    i: stream.Interface
    tx: Signal

    def __init__(self, divisor: int):
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        timer, left = Signal(range(self.divisor)), Signal(range(11))
        level, bits = Signal(init=1), Signal(9, init=0x1FF)
        m.d.comb += [self.i.ready.eq(left == 0), self.tx.eq(level)]
        with m.If(left == 0):
            m.d.sync += timer.eq(self.divisor - 1)
            with m.If(self.i.valid):
                m.d.sync += [level.eq(0), bits.eq(Cat(self.i.payload, 1)), left.eq(10)]
        with m.Elif(timer == 0):
            m.d.sync += [timer.eq(self.divisor - 1), left.eq(left - 1)]
            m.d.sync += Cat(level, bits).eq(Cat(bits, 1))
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m
