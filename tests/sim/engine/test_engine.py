# SPDX-License-Identifier: Apache-2.0
"""Every engine behaves alike, cycle for cycle."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.adder import DESIGN, adder_in_amaranth

from spikewright.sim.engine import Design, Engine
from spikewright.sim.engine.amaranth_engine import AmaranthEngine
from spikewright.sim.engine.compiler import find_zig
from spikewright.sim.engine.verilator import VerilatorEngine
from spikewright.sim.errors import DataError, DeviceError, FormatError, ToolError


def with_zig() -> Engine:
    pytest.importorskip("ziglang")
    return VerilatorEngine(DESIGN, trace=True, compiler=find_zig())


ENGINES = {
    "verilator": lambda: VerilatorEngine(DESIGN, trace=True),
    "amaranth": lambda: AmaranthEngine(*adder_in_amaranth()),
    "zig": with_zig,
}


@pytest.fixture(
    params=["verilator", "amaranth", pytest.param("zig", marks=pytest.mark.slow)],
)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    make: Callable[[], Engine] = ENGINES[request.param]
    with make() as opened:
        yield opened


def test_registers(engine: Engine) -> None:
    engine.write(0x000, 0xFFFFFFFF)
    engine.write_many(0x008, [1, 2, 3, 4])
    assert engine.read(0x000) == 0xFFFFFFFF
    assert engine.read(0x008) == 10
    assert engine.read_many(0x004, 4).tolist() == [0, 1, 2, 3]


def test_an_access_takes_the_same_cycles_in_every_engine(engine: Engine) -> None:
    engine.write(0x000, 1)
    engine.read(0x000)
    assert engine.cycles == 4


def test_run_counts_cycles(engine: Engine) -> None:
    engine.run(123)
    assert engine.cycles == 123
    engine.reset()
    assert engine.cycles == 0


def test_reset_clears_registers(engine: Engine) -> None:
    engine.write(0x000, 7)
    engine.reset()
    assert engine.read(0x000) == 0


def test_refused_access(engine: Engine) -> None:
    message = r"of register 0x00C was refused \(SLVERR\): see the device's STATUS register$"
    with pytest.raises(DeviceError, match="^Read " + message):
        engine.read(0x00C)
    with pytest.raises(DeviceError, match="^Write " + message):
        engine.write(0x00C, 1)
    engine.write(0x000, 5)
    assert engine.read(0x000) == 5


def test_no_answer(engine: Engine) -> None:
    engine.answer_limit = 40
    message = "of register 0x010 had no answer within 40 cycles: reset the device$"
    with pytest.raises(DeviceError, match="^Read " + message):
        engine.read(0x010)
    with pytest.raises(DeviceError, match="^Write " + message):
        engine.write(0x010, 1)
    assert engine.cycles == 80


def test_words_have_32_bits(engine: Engine) -> None:
    with pytest.raises(DataError, match=r"^Words must be between 0 and 4294967295, not -1$"):
        engine.write(0x000, -1)
    with pytest.raises(
        DataError, match=r"^Words must be between 0 and 4294967295, not 4294967296$"
    ):
        engine.tx_start([0, 2**32])
    with pytest.raises(DataError, match=r"^Words must be integers, not float64$"):
        engine.tx_start([0.5])


def test_transfer(engine: Engine) -> None:
    engine.write(0x000, 100)
    words = engine.transfer(np.arange(10), 32, limit_cycles=100)
    assert words.dtype == np.uint32
    assert words.tolist() == list(range(100, 110))
    assert engine.rx_last()


def test_transfer_stops_at_capacity(engine: Engine) -> None:
    # The eleventh word goes into the output register: the design takes eleven and gives ten.
    engine.tx_start(np.arange(11))
    buffer = np.zeros(10, np.uint32)
    engine.rx_start(buffer)
    engine.run(50)
    assert (engine.rx_busy(), engine.rx_count(), engine.rx_last()) == (False, 10, False)
    assert engine.tx_left() == 0
    assert buffer.tolist() == list(range(10))


@pytest.mark.parametrize("seed", range(3))
def test_stalls_do_not_change_data(engine: Engine, seed: int) -> None:
    engine.write(0x000, 1)
    plain = engine.transfer(np.arange(50), 64, limit_cycles=60)
    before = engine.cycles
    stalled = engine.transfer(np.arange(50), 64, limit_cycles=1000, stall_seed=seed)
    assert stalled.tolist() == plain.tolist()
    assert engine.cycles - before > 75
    before = engine.cycles
    engine.transfer(np.arange(50), 64, limit_cycles=60)
    assert engine.cycles - before == 51


def test_engines_stall_in_the_same_cycles() -> None:
    cycles = []
    for name in ("verilator", "amaranth"):
        with ENGINES[name]() as engine:
            engine.stall(0.3, 0.6, 2**63 + 11)
            engine.transfer(np.arange(100), 100, limit_cycles=1000)
            cycles.append(engine.cycles)
    assert cycles[0] == cycles[1]


def test_stall_probability(engine: Engine) -> None:
    with pytest.raises(
        DataError, match=r"^Stall probability must be at least 0 and below 1, not 1\.0$"
    ):
        engine.stall(0.0, 1.0, 0)


def test_transfer_that_does_not_end(engine: Engine) -> None:
    message = r"^Transfer did not end within 30 cycles: 0 words were not taken and 0 were received$"
    with pytest.raises(DeviceError, match=message):
        engine.transfer([], 4, limit_cycles=30)
    assert engine.cycles == 30
    assert not engine.rx_busy()


def test_transfer_without_a_reader_is_not_taken(engine: Engine) -> None:
    message = r"^Transfer did not end within 30 cycles: 4 words were not taken and 0 were received$"
    with pytest.raises(DeviceError, match=message):
        engine.transfer(range(5), 0, limit_cycles=30)
    assert engine.tx_left() == 0


def test_streams_are_busy(engine: Engine) -> None:
    engine.tx_start([1, 2, 3])
    with pytest.raises(
        DeviceError, match=r"^The packet before still has 3 words to send: wait for them$"
    ):
        engine.tx_start([4])
    engine.rx_start(np.zeros(5, np.uint32))
    with pytest.raises(
        DeviceError,
        match=r"^The packet before is still being received after 0 words: wait for its end$",
    ):
        engine.rx_start(np.zeros(5, np.uint32))


def test_receive_buffer_must_be_plain(engine: Engine) -> None:
    message = "Receive buffer must be a contiguous, writable array of uint32, not of"
    wide: Any = np.zeros(4, np.int64)
    with pytest.raises(DataError, match=f"^{message} int64$"):
        engine.rx_start(wide)
    with pytest.raises(DataError, match=f"^{message} uint32$"):
        engine.rx_start(np.zeros(8, np.uint32)[::2])


def test_streams_move_during_register_accesses(engine: Engine) -> None:
    buffer = np.zeros(8, np.uint32)
    engine.tx_start(np.arange(8))
    engine.rx_start(buffer)
    for _ in range(5):
        engine.read(0x000)
    assert buffer.tolist() == list(range(8))


def test_words_by_memory_address(engine: Engine) -> None:
    memory = np.arange(16, dtype=np.uint32)
    engine.write(0x000, 5)
    engine.tx_start_at(memory.ctypes.data, 4)
    engine.rx_start_at(memory[8:].ctypes.data, 4)
    engine.run(20)
    assert memory.tolist() == [*range(8), 5, 6, 7, 8, *range(12, 16)]


def test_probes(engine: Engine) -> None:
    engine.write(0x000, 10)
    engine.transfer([9], 1, limit_cycles=10)
    assert engine.probes().shape == (0, 3)
    engine.record(True)
    engine.transfer([1, 2], 2, limit_cycles=10)
    assert engine.probes().tolist() == [[0, 0, -1], [0, 0, -2], [1, 0, 11], [1, 1, 12]]
    assert engine.probes().shape == (0, 3)
    engine.record(False)
    engine.transfer([1, 2], 2, limit_cycles=10)
    assert engine.probes().shape == (0, 3)


def test_waveform(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "wave.vcd"
    engine.run(3)
    engine.trace(path)
    engine.write(0x000, 0x5A)
    engine.run(5)
    engine.trace(None)
    written = path.read_text()
    assert "s_axi_awaddr" in written
    assert f"b{0x5A:b} " in written or f"b{0x5A:032b} " in written
    engine.run(5)
    assert path.read_text() == written


def test_waveform_folder_must_exist(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "wave.vcd"
    with pytest.raises(
        ToolError, match=rf"^Waveform cannot be written to {path}: choose another folder$"
    ):
        engine.trace(path)


def test_closed_engine(engine: Engine) -> None:
    engine.close()
    with pytest.raises(DeviceError, match=r"^This engine is closed: open another one$"):
        engine.read(0x000)


def test_number_of_probes() -> None:
    with pytest.raises(FormatError, match=r"^Number of probes must be between 0 and 64, not 65$"):
        Design(verilog="", layers=65)
