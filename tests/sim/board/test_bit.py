# SPDX-License-Identifier: Apache-2.0
"""The simulated .bit: what goes in comes out, the same bytes each time, and nothing else passes."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikewright.sim.board.bit import (
    MAGIC,
    Configuration,
    hash_hwh,
    is_simulated,
    pack_bit,
    unpack_bit,
)
from spikewright.sim.board.bundle import write_bundle
from spikewright.sim.board.system import ADDRESSES
from spikewright.sim.errors import BoardError, FileError

CONFIGURATION = Configuration(
    verilog="module spikewright; // \u00b5\nendmodule\n",
    top="spikewright",
    layers=3,
    fclk_mhz=100.0,
    addresses=ADDRESSES,
    hwh_sha256=hash_hwh(b"<hwh/>"),
)
BIT = pack_bit("net", CONFIGURATION)


def real_bit() -> bytes:
    """Same header, other configuration data."""
    start = BIT.index(MAGIC)
    return BIT[:start] + bytes.fromhex("ffffffffaa995566") + BIT[start + 8 :]


def test_round_trip() -> None:
    assert unpack_bit(BIT) == CONFIGURATION
    assert is_simulated(BIT)


def test_bytes_do_not_change() -> None:
    """A change of these bytes is a change of the format: raise its version."""
    assert pack_bit("net", CONFIGURATION) == BIT
    digest = hashlib.sha256(BIT).hexdigest()
    assert digest == "4286b417f19aeb8e8b9f7315849ccc631e293a5077a71f19bcf00beffadef42e"


def test_each_hwh_has_its_own_bytes() -> None:
    """pynq caches what it parsed from a .hwh under the hash of the .bit."""
    assert pack_bit("net", replace(CONFIGURATION, hwh_sha256=hash_hwh(b"other"))) != BIT


@pytest.mark.pynq
def test_stock_reader_takes_the_header() -> None:
    from pynq.pl_server.embedded_device import bit2bin, parse_bit_header

    header = parse_bit_header(BIT)
    assert header["design"].startswith("net")
    assert header["part"].startswith("7z020clg400")
    # For the board's loader pynq swaps the bytes of each word, which needs whole words.
    swapped = np.frombuffer(bit2bin(BIT), "i4").byteswap().tobytes()
    assert swapped == BIT[BIT.index(MAGIC) :]


def test_real_bit_is_refused() -> None:
    assert not is_simulated(real_bit())
    with pytest.raises(
        FileError,
        match=r"^This \.bit is not a simulated one: load it on a real board, or build the design "
        r"for the simulated board$",
    ):
        unpack_bit(real_bit())


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(100)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(
        FileError,
        match=r"^The file is not a \.bit: give the one that was built with the design$",
    ):
        unpack_bit(data)


def test_truncated_file_is_refused() -> None:
    size = len(BIT) - BIT.index(MAGIC)
    with pytest.raises(
        FileError,
        match=rf"^The \.bit must hold {size} bytes of configuration, not {size - 1}: copy or "
        r"build it again$",
    ):
        unpack_bit(BIT[:-1])
    with pytest.raises(
        FileError, match=r"^The \.bit ends within its header: copy or build it again$"
    ):
        unpack_bit(BIT[:30])


def test_every_altered_byte_is_noticed() -> None:
    start = BIT.index(MAGIC)
    for position in range(start + len(MAGIC), len(BIT)):
        altered = bytearray(BIT)
        altered[position] ^= 1
        with pytest.raises(
            FileError,
            match=r"^The simulated \.bit was altered or damaged: build the design again$",
        ):
            unpack_bit(bytes(altered))


def test_other_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikewright.sim.board.bit.VERSION", 7)
    newer = pack_bit("net", CONFIGURATION)
    monkeypatch.undo()
    with pytest.raises(
        FileError,
        match=r"^The simulated \.bit has version 7 and this program reads 1: build the design "
        r"again$",
    ):
        unpack_bit(newer)


def test_bundle_is_a_pair(tmp_path: Path) -> None:
    bit = write_bundle(tmp_path / "build", "net", "module spikewright; endmodule", 2, 100.0)
    assert bit == tmp_path / "build" / "net.bit"
    assert sorted(path.name for path in bit.parent.iterdir()) == ["net.bit", "net.hwh"]
    configuration = unpack_bit(bit.read_bytes())
    assert configuration.hwh_sha256 == hash_hwh(bit.with_suffix(".hwh").read_bytes())
    assert configuration.layers == 2
    before = bit.read_bytes()
    write_bundle(tmp_path / "build", "net", "module spikewright; endmodule", 2, 100.0)
    assert bit.read_bytes() == before


def test_bundle_checks_its_arguments(tmp_path: Path) -> None:
    with pytest.raises(
        FileError,
        match=r'^Design name must begin with a letter and hold letters, digits, "_" and "-", '
        r"not '\.\./net'$",
    ):
        write_bundle(tmp_path, "../net", "", 0, 100.0)
    with pytest.raises(
        BoardError, match=r"^Fabric clock must be between 0\.25 and 250 MHz, not 0$"
    ):
        write_bundle(tmp_path, "net", "", 0, 0)
    assert list(tmp_path.iterdir()) == []
