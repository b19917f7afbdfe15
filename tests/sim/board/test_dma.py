# SPDX-License-Identifier: Apache-2.0
"""The DMA's registers and states around a real engine."""

from collections.abc import Iterator

import numpy as np
import pytest
from bench.relay import LAYERS, VERILOG
from numpy.typing import NDArray

from spikewright.sim.board.dma import (
    ADDRESS,
    ADDRESS_HIGH,
    COMPLETE_IRQ,
    CONTROL,
    DECODE_ERROR,
    ERROR_IRQ,
    HALTED,
    IDLE,
    INTERNAL_ERROR,
    LENGTH,
    RECEIVE,
    RESET,
    RUN,
    STATUS,
    Dma,
)
from spikewright.sim.board.memory import DDR_BASE, DDR_BYTES, Block, Memory
from spikewright.sim.engine import Design, Engine, open_engine
from spikewright.sim.errors import DeviceError
from spikewright.sim.registers import offset

DONE = IDLE | COMPLETE_IRQ


class Bench:
    """A DMA with its engine and memory."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.memory = Memory()
        self.dma = Dma(engine, self.memory)

    def start(self) -> None:
        for channel in (0, RECEIVE):
            self.dma.write(channel + CONTROL, RUN)

    def block(self, words: list[int]) -> Block:
        copy = np.array(words, np.uint32)
        block = self.memory.allocate(copy.nbytes)
        self.memory.flush(block, 0, copy.ctypes.data, copy.nbytes)
        return block

    def words(self, block: Block) -> NDArray[np.uint32]:
        copy = np.zeros(block.size // 4, np.uint32)
        self.memory.invalidate(block, 0, copy.ctypes.data, copy.nbytes)
        return copy

    def transfer(self, channel: int, address: int, length: int) -> None:
        self.dma.write(channel + ADDRESS, address)
        self.dma.write(channel + ADDRESS_HIGH, 0)
        self.dma.write(channel + LENGTH, length)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with open_engine(Design(verilog=VERILOG, layers=LAYERS)) as engine:
        yield Bench(engine)


def test_after_reset_halted_and_not_idle(bench: Bench) -> None:
    for channel in (0, RECEIVE):
        assert bench.dma.read(channel + CONTROL) == 0x10002
        assert bench.dma.read(channel + STATUS) == HALTED
        assert bench.dma.read(channel + LENGTH) == 0
    bench.start()
    assert bench.dma.read(STATUS) == 0
    assert bench.dma.read(CONTROL) == RUN | 2


def test_transfer_both_ways(bench: Bench) -> None:
    bench.engine.write(offset("PARAM_START"), 7)
    source, target = bench.block([1, 2, 0xFFFFFFFF]), bench.block([0] * 3)
    bench.start()
    bench.transfer(RECEIVE, target.address, 12)
    bench.transfer(0, source.address, 12)
    assert bench.dma.read(STATUS) == 0
    bench.engine.run(20)
    assert bench.dma.read(STATUS) == DONE
    assert bench.dma.read(RECEIVE + STATUS) == DONE
    assert bench.dma.read(RECEIVE + LENGTH) == 12
    assert bench.words(target).tolist() == [8, 9, 6]
    bench.dma.write(STATUS, COMPLETE_IRQ)
    assert bench.dma.read(STATUS) == IDLE


def test_short_packet_ends_at_tlast(bench: Bench) -> None:
    source, target = bench.block([1, 2]), bench.block([9] * 4)
    bench.start()
    bench.transfer(RECEIVE, target.address, 16)
    bench.transfer(0, source.address, 8)
    bench.engine.run(20)
    assert bench.dma.read(RECEIVE + STATUS) == DONE
    assert bench.dma.read(RECEIVE + LENGTH) == 8
    assert bench.words(target).tolist() == [1, 2, 9, 9]


def test_packet_larger_than_the_buffer_is_an_internal_error(bench: Bench) -> None:
    source, target = bench.block([1, 2, 3, 4]), bench.block([0] * 2)
    bench.start()
    bench.transfer(RECEIVE, target.address, 8)
    bench.transfer(0, source.address, 16)
    bench.engine.run(20)
    assert bench.dma.read(RECEIVE + STATUS) == HALTED | INTERNAL_ERROR | ERROR_IRQ
    assert not bench.dma.read(RECEIVE + CONTROL) & RUN
    assert bench.words(target).tolist() == [1, 2]


def test_address_outside_ddr_is_a_decode_error_that_a_reset_clears(bench: Bench) -> None:
    bench.start()
    bench.transfer(0, DDR_BASE + DDR_BYTES - 4, 8)
    assert bench.dma.read(STATUS) == HALTED | DECODE_ERROR | ERROR_IRQ
    bench.dma.write(STATUS, 0xFFFFFFFF)
    assert bench.dma.read(STATUS) == HALTED | DECODE_ERROR
    bench.dma.write(RECEIVE + CONTROL, RESET)
    assert bench.dma.read(STATUS) == HALTED
    assert bench.dma.read(CONTROL) == 0x10002


def test_length_counts_only_while_running_and_only_if_not_zero(bench: Bench) -> None:
    source = bench.block([1])
    bench.transfer(0, source.address, 4)
    assert bench.engine.tx_left() == 0
    bench.start()
    bench.transfer(0, source.address, 0)
    bench.transfer(0, source.address, 1 << 26)  # the register has 26 bits
    assert bench.engine.tx_left() == 0
    assert bench.dma.read(STATUS) == 0


def test_stop_drops_the_transfer(bench: Bench) -> None:
    source = bench.block([1, 2, 3])
    bench.start()
    bench.transfer(0, source.address, 12)
    bench.engine.run(5)
    assert bench.engine.tx_left() == 2
    bench.dma.write(CONTROL, 0)
    assert bench.engine.tx_left() == 0
    assert bench.dma.read(STATUS) == HALTED


def test_reserved_registers_read_zero_and_ignore_writes(bench: Bench) -> None:
    for register in (0x08, 0x10, ADDRESS_HIGH, 0x2C, RECEIVE + 0x10):
        bench.dma.write(register, 0xFFFFFFFF)
        assert bench.dma.read(register) == 0


def test_undefined_transfers_are_refused(bench: Bench) -> None:
    source = bench.block([1, 2, 3, 4])
    bench.start()
    with pytest.raises(
        DeviceError,
        match=r"^DMA length must be a multiple of 4 bytes, not 6: pad the buffer to whole words$",
    ):
        bench.transfer(0, source.address, 6)
    with pytest.raises(
        DeviceError,
        match=r"^DMA address 0x10000004 must be a multiple of 8: begin the transfer at another "
        r"element$",
    ):
        bench.transfer(0, source.address + 4, 4)
    bench.transfer(0, source.address, 16)
    with pytest.raises(
        DeviceError,
        match=r"^The DMA channel is still busy: wait\(\) before the next transfer$",
    ):
        bench.transfer(0, source.address, 16)


def test_transfer_past_a_buffer_is_refused(bench: Bench) -> None:
    source = bench.block([1, 2])
    bench.start()
    with pytest.raises(DeviceError, match=r"^DMA of 16 bytes at 0x10000000 leaves the buffers: "):
        bench.transfer(RECEIVE, source.address, 16)
    assert not bench.engine.rx_busy()
