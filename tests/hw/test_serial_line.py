# SPDX-License-Identifier: Apache-2.0
import pytest
from amaranth import Module
from amaranth.sim import Simulator, SimulatorContext

from spikewright.hw.host.serial_line import UartReceiver, UartTransmitter, bit_cycles
from spikewright.sim.errors import FormatError


@pytest.mark.parametrize("divisor", [8, 9, 27])
def test_every_byte_arrives_back_to_back(divisor: int) -> None:
    m = Module()
    m.submodules.transmitter = transmitter = UartTransmitter(divisor)
    m.submodules.receiver = receiver = UartReceiver(divisor)
    m.d.comb += receiver.rx.eq(transmitter.tx)
    received, cycles = [], 0

    async def bench(ctx: SimulatorContext) -> None:
        nonlocal cycles
        sent = 0
        ctx.set(transmitter.i.valid, 1)
        while len(received) < 256:
            ctx.set(transmitter.i.payload, sent & 0xFF)
            sent += ctx.get(transmitter.i.ready)
            await ctx.tick()
            cycles += 1
            if ctx.get(receiver.valid):
                received.append(ctx.get(receiver.data))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert received == list(range(256))
    assert cycles <= 256 * (10 * divisor + 1)


@pytest.mark.parametrize(("baud", "cycles"), [(115200, 694), (1_000_000, 80), (3_000_000, 27)])
def test_bit_cycles(baud: int, cycles: int) -> None:
    assert bit_cycles(80e6, baud) == cycles


def test_rates_the_clock_cannot_make() -> None:
    with pytest.raises(
        FormatError,
        match=r"^Baud rate must be at most an eighth of the 20 MHz clock, not 3000000$",
    ):
        bit_cycles(20e6, 3_000_000)
    with pytest.raises(
        FormatError,
        match=r"^Baud rate must divide the 25\.5 MHz clock to within 2 %, not 3000000$",
    ):
        bit_cycles(25.5e6, 3_000_000)
