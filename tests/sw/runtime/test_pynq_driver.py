# SPDX-License-Identifier: Apache-2.0
"""The driver on the simulated board."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bench.relay import LAYERS, VERILOG

from spikewright.sim.board.bundle import write_bundle
from spikewright.sim.errors import DataError, DeviceError, FileError
from spikewright.sim.registers import ID_VALUE, offset

pytestmark = pytest.mark.pynq


@pytest.fixture(scope="module")
def connection_class() -> Any:
    """The class; its module imports pynq, which warns that this is no ARM processor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from spikewright.runtime.pynq_driver import PynqConnection
    return PynqConnection


@pytest.fixture(scope="module")
def bit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"), "relay", VERILOG, LAYERS, 100.0)


@pytest.fixture
def connection(connection_class: Any, bit: Path) -> Iterator[Any]:
    with connection_class.open(bit, simulated=True) as opened:
        yield opened


def test_registers(connection: Any) -> None:
    assert connection.name == "simulated PYNQ-Z2"
    assert connection.read(offset("ID")) == ID_VALUE
    connection.write(offset("PARAM_START"), np.uint32(0xFFFFFFFE))
    found = connection.read(offset("PARAM_START"))
    assert found == 0xFFFFFFFE
    assert type(found) is int
    connection.write(offset("PARAM_START"), np.int64(-3))
    assert connection.read(offset("PARAM_START")) == 0xFFFFFFFD


@pytest.mark.parametrize("value", [1 << 32, -(1 << 31) - 1])
def test_value_must_fit(connection: Any, value: int) -> None:
    with pytest.raises(DataError, match=rf"^Register value must fit in 32 bits, not {value}$"):
        connection.write(offset("PARAM_START"), value)


def test_value_must_be_whole(connection: Any) -> None:
    with pytest.raises(TypeError, match=r"^'float' object cannot be interpreted as an integer$"):
        connection.write(offset("PARAM_START"), 1.5)


def test_words_must_be_words(connection: Any) -> None:
    with pytest.raises(DataError, match=r"^Words to send must be of uint32, not int64$"):
        connection.transfer(np.array([-1]), 1)


def test_interrupted_transfer_does_not_block_the_next(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(sending: bool, receiving: bool) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(connection.streams, "_wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            connection.transfer(np.zeros(0, np.uint32), 4)
    assert connection.transfer(np.array([3], np.uint32), 1).tolist() == [3]


def test_many_accesses_to_one_address(connection: Any) -> None:
    connection.write_many(offset("PARAM_DATA"), np.arange(1, 101, dtype=np.uint32))
    found = connection.read_many(offset("PARAM_DATA"), 3)
    assert found.dtype == np.uint32
    assert found.tolist() == [5050] * 3


def test_refused_access(connection: Any) -> None:
    with pytest.raises(DeviceError, match=r"^Read of register 0x1FC was refused \(SLVERR\)"):
        connection.read(0x1FC)


def test_transfer(connection: Any) -> None:
    connection.write(offset("PARAM_START"), 1)
    for size, capacity in ((3, 3), (2000, 3000), (1, 1)):
        words = np.random.default_rng(size).integers(0, 2**32, size, dtype=np.uint32)
        results = connection.transfer(words, capacity)
        assert results.dtype == np.uint32
        assert type(results) is np.ndarray
        assert results.tolist() == (words + np.uint32(1)).tolist()


def test_results_outlive_the_next_transfer(connection: Any) -> None:
    first = connection.transfer(np.array([1], np.uint32), 1)
    connection.transfer(np.array([2], np.uint32), 1)
    assert first.tolist() == [1]


def test_buffers_are_reused(connection: Any) -> None:
    blocks = connection._overlay.device.fabric.memory._blocks
    for size in (10, 1000, 5000, 20):
        connection.transfer(np.zeros(size, np.uint32), size)
        assert len(blocks) == 2
    connection.close()
    assert not blocks


def test_one_direction_only(connection: Any) -> None:
    # The relay holds one word itself, so a packet of one can go before there is room for it.
    assert connection.transfer(np.array([5], np.uint32), 0).size == 0
    assert connection.transfer(np.zeros(0, np.uint32), 4).tolist() == [5]
    assert connection.transfer(np.zeros(0, np.uint32), 0).size == 0


def test_times_add_up(connection: Any) -> None:
    connection.transfer(np.zeros(100, np.uint32), 100)
    first = (connection.times.programming, connection.times.waiting)
    connection.transfer(np.zeros(100, np.uint32), 100)
    assert connection.times.transfers == 2
    assert 0 < first[0] < connection.times.programming
    assert 0 < first[1] < connection.times.waiting


def test_long_packets_are_cut_between_frames(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.streams, "max_words", 100)
    started: list[int] = []
    start = connection.streams._start_send
    monkeypatch.setattr(
        connection.streams, "_start_send", lambda words: started.append(words.size) or start(words)
    )
    words = np.arange(245, dtype=np.uint32)
    assert connection.transfer(words, 245, frame_words=35).tolist() == words.tolist()
    assert started == [70, 70, 70, 35]
    with pytest.raises(DataError, match=r"^A frame must have between 1 and 100 words, not 101$"):
        connection.transfer(words, 245, frame_words=101)


def test_overflow_is_told_and_the_dma_recovers(connection: Any) -> None:
    with pytest.raises(
        DeviceError,
        match=r"^The device sent more words than there was room for: reset it, then give a larger "
        r"capacity or set FRAMES_PER_PACKET$",
    ):
        connection.transfer(np.arange(3, dtype=np.uint32), 2)
    # The relay, which was not reset, still holds the packet's last word.
    assert connection.transfer(np.zeros(0, np.uint32), 2).tolist() == [2]
    assert connection.transfer(np.array([7], np.uint32), 2).tolist() == [7]


def test_timeout(connection: Any) -> None:
    connection.streams.timeout = 0.05
    with pytest.raises(
        DeviceError,
        match=r"^DMA transfer did not end within 0\.05 s: reset the device and check that it was "
        r"sent whole frames$",
    ):
        connection.transfer(np.zeros(0, np.uint32), 1)
    connection.streams.timeout = 10
    assert connection.transfer(np.array([7], np.uint32), 1).tolist() == [7]


def test_bit_must_be_of_the_kind(connection_class: Any, bit: Path, tmp_path: Path) -> None:
    with pytest.raises(
        FileError,
        match=r"^relay\.bit is for a simulated board and cannot run on a real one: build the "
        r"design for a real board$",
    ):
        connection_class.open(bit, simulated=False)
    real = tmp_path / "real.bit"
    real.write_bytes(bit.read_bytes().replace(b"SPKWSIM1", b"\xff\xff\xff\xff\xaa\x99\x55\x66"))
    with pytest.raises(
        FileError,
        match=r"^real\.bit is for a real board and cannot run on a simulated one: build the "
        r"design for a simulated board$",
    ):
        connection_class.open(real, simulated=True)
    with pytest.raises(
        DeviceError,
        match=r"^No PYNQ board was found: run this on the board as root, or open the simulated "
        r"board$",
    ):
        connection_class.open(real, simulated=False)
    with pytest.raises(FileError, match=r"^absent\.bit was not found: build the design first$"):
        connection_class.open(tmp_path / "absent.bit", simulated=True)


def test_foreign_design(connection_class: Any) -> None:
    with pytest.raises(
        FileError,
        match=r"^The design has no spikewright_0: load one that was built for this driver$",
    ):
        connection_class(SimpleNamespace(ip_dict={}), name="", timeout=1.0)
