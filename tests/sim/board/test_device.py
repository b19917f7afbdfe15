# SPDX-License-Identifier: Apache-2.0
"""Stock pynq over the simulated board."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.sim.board.system import ADDRESSES, CORE_NAME
from spikewright.sim.errors import DeviceError, FileError
from spikewright.sim.registers import ID_VALUE, offset

pytestmark = pytest.mark.pynq


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A simulated board that is pynq's active device."""
    from pynq import Device

    from spikewright.sim.board.device import SimDevice

    device = SimDevice()
    monkeypatch.setattr(Device, "_active_device", device, raising=False)
    yield device
    device.close()


@pytest.fixture
def overlay(bit: Path, device: Any) -> Any:
    from pynq import Overlay

    return Overlay(str(bit))


def buffers(words: list[int], size: int) -> tuple[Any, Any]:
    from pynq import allocate

    source, target = allocate((len(words),), np.uint32), allocate((size,), np.uint32)
    source[:] = words
    return source, target


def test_pynq_finds_the_board_only_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from spikewright.sim.board.device import ENABLE, SimDevice

    monkeypatch.delenv(ENABLE, raising=False)
    assert SimDevice._probe_() == []
    monkeypatch.setenv(ENABLE, "1")
    (found,) = SimDevice._probe_()
    assert isinstance(found, SimDevice)


def test_overlay_describes_the_design(overlay: Any) -> None:
    from pynq.lib.dma import DMA

    assert overlay.is_loaded()
    found = {name: overlay.ip_dict[name]["phys_addr"] for name in ADDRESSES}
    assert found == ADDRESSES
    assert isinstance(overlay.axi_dma_0, DMA)


def test_registers_by_offset_and_by_name(overlay: Any) -> None:
    core = overlay.spikewright_0
    assert core.read(offset("ID")) == ID_VALUE
    assert int(core.register_map.ID) == ID_VALUE
    core.write(offset("PARAM_START"), 0x12345678)
    assert int(core.register_map.PARAM_START) == 0x12345678
    core.register_map.FRAMES_PER_PACKET = 0xFFFFFFFE
    assert core.read(offset("FRAMES_PER_PACKET")) == 0xFFFFFFFE


def test_mmio(overlay: Any) -> None:
    from pynq import MMIO

    mmio = MMIO(ADDRESSES[CORE_NAME], 0x1000)
    assert mmio.read(offset("ID")) == ID_VALUE
    assert mmio.read(0, 8) == ID_VALUE | mmio.read(4) << 32
    mmio.write(offset("FRAMES_PER_PACKET"), (5).to_bytes(4, "little"))
    assert mmio.array[offset("FRAMES_PER_PACKET") // 4] == 5


def test_bus_error(overlay: Any) -> None:
    from pynq import MMIO

    with pytest.raises(DeviceError, match=r"^Nothing answers at 0x50000000, which ends the "):
        MMIO(0x50000000, 16).read(0)


def test_dma_there_and_back(overlay: Any) -> None:
    overlay.spikewright_0.register_map.PARAM_START = 3
    dma = overlay.axi_dma_0
    words = np.random.default_rng(1).integers(0, 2**31, 5000).tolist()
    for _ in range(2):
        source, target = buffers(words, 6000)
        dma.recvchannel.transfer(target)
        dma.sendchannel.transfer(source)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        assert dma.recvchannel.transferred == 20000
        assert target[:5000].tolist() == [word + 3 for word in words]


def test_part_of_a_buffer(overlay: Any) -> None:
    dma = overlay.axi_dma_0
    source, target = buffers(list(range(10)), 10)
    dma.recvchannel.transfer(target[4:])
    dma.sendchannel.transfer(source, start=16, nbytes=8)
    dma.recvchannel.wait()
    assert target.tolist() == [0, 0, 0, 0, 4, 5] + [0xA5A5A5A5] * 4


def test_forgotten_flush_and_invalidate_show(overlay: Any) -> None:
    dma = overlay.axi_dma_0
    source, target = buffers([1, 2], 2)
    # What the DMA's driver does in transfer() and wait(), but for the cache.
    for base, buffer in ((0x30, target), (0x00, source)):
        dma.mmio.write(base + 0x18, buffer.physical_address)
        dma.mmio.write(base + 0x28, buffer.nbytes)
    while not dma.recvchannel.idle:
        pass
    assert target.tolist() == [0, 0]
    target.invalidate()
    assert target.tolist() == [0xA5A5A5A5] * 2
    source.flush()
    dma.recvchannel.transfer(target)
    dma.mmio.write(0x28, source.nbytes)
    while not dma.recvchannel.idle:
        pass
    assert target.tolist() == [0xA5A5A5A5] * 2
    dma.recvchannel.wait()
    assert target.tolist() == [1, 2]


def test_dma_errors_as_pynq_tells_them(overlay: Any) -> None:
    dma = overlay.axi_dma_0
    source, target = buffers([1, 2, 3, 4], 2)
    dma.recvchannel.transfer(target)
    dma.sendchannel.transfer(source)
    # The packet was too long, which halts the channel: what pynq says first is that it stands.
    for action in (dma.recvchannel.wait, lambda: dma.recvchannel.transfer(target)):
        with pytest.raises(RuntimeError, match=r"^DMA channel not started$"):
            action()
    assert dma.recvchannel.error
    assert int(dma.register_map.S2MM_DMASR.DMAIntErr) == 1
    dma.register_map.S2MM_DMACR.Reset = 1
    assert not dma.recvchannel.error
    dma.recvchannel.start()
    assert dma.recvchannel.running


def test_buffer_outside_ddr(overlay: Any) -> None:
    dma = overlay.axi_dma_0
    dma.mmio.write(0x18, 0)
    dma.mmio.write(0x28, 8)
    assert dma.sendchannel.error
    assert not dma.sendchannel.running


def test_buffers_are_given_back(device: Any) -> None:
    from pynq import allocate

    first = allocate((1000,), np.int16)
    view = first.reshape(10, 100)[2:]
    assert view.physical_address == first.physical_address + 400
    address = first.physical_address
    del first  # the view keeps it
    other = allocate((1000,), np.int16)
    assert other.physical_address != address
    del view
    assert allocate((1000,), np.int16).physical_address == address
    other.freebuffer()
    with pytest.raises(DeviceError, match=r"^Buffer at 0x10001000 was freed: "):
        other.flush()


def test_result_of_arithmetic_is_no_buffer(device: Any) -> None:
    from pynq import allocate

    buffer = allocate((10,), np.uint32)
    with pytest.raises(DeviceError, match=r"^Array of 40 bytes at offset -?\d+ is not inside "):
        (buffer + 1).flush()


def test_clocks(overlay: Any) -> None:
    from pynq.ps import _ClocksZynq

    clocks = _ClocksZynq(device=overlay.device)
    assert clocks.get_cpu_mhz() == 650
    assert clocks.get_pll_mhz(clocks.PL_SRC_PLL_CTRLS[0]) == 1000
    clocks.set_pl_clk(0, clk_mhz=125)
    assert clocks.get_pl_clk(0) == 125


def test_two_boards_at_once(bit: Path) -> None:
    from pynq import Overlay

    from spikewright.sim.board.device import SimDevice

    first, second = (Overlay(str(bit), device=SimDevice(tag)) for tag in ("one", "two"))
    first.spikewright_0.register_map.PARAM_START = 1
    assert int(second.spikewright_0.register_map.PARAM_START) == 0
    for overlay in (first, second):
        overlay.device.close()


def test_nothing_is_kept_in_pynqs_installation(overlay: Any) -> None:
    import pynq.pl_server

    folder = Path(pynq.pl_server.__file__).parent
    assert not list(folder.glob("*.pkl"))
    assert not list(folder.glob("global_pl_state*"))


def test_bitstream_alone(bit: Path, device: Any) -> None:
    from pynq import Bitstream

    Bitstream(str(bit)).download()
    assert device.fabric.read(ADDRESSES[CORE_NAME]) == ID_VALUE


def test_files_must_belong_together(bit: Path, device: Any, tmp_path: Path) -> None:
    from pynq import Overlay

    copy = Path(shutil.copy(bit, tmp_path / "net.bit"))
    with pytest.raises(
        FileError, match=r"^net\.hwh must be next to net\.bit and is missing: copy both$"
    ):
        Overlay(str(copy))
    text = bit.with_suffix(".hwh").read_text()
    copy.with_suffix(".hwh").write_text(text.replace("0x43C0", "0x43D0"))
    with pytest.raises(
        FileError,
        match=r"^net\.hwh was altered or belongs to another design than net\.bit: build the "
        r"design again$",
    ):
        Overlay(str(copy))


def test_foreign_bit(bit: Path, device: Any, tmp_path: Path) -> None:
    from pynq import Overlay

    foreign = tmp_path / "net.bit"
    shutil.copy(bit.with_suffix(".hwh"), foreign.with_suffix(".hwh"))
    foreign.write_bytes(bit.read_bytes().replace(b"SPKWSIM1", b"\xff\xff\xff\xff\xaa\x99\x55\x66"))
    with pytest.raises(FileError, match=r"^This \.bit is not a simulated one: load it on a real "):
        Overlay(str(foreign))


def test_partial_bitstreams_are_refused(bit: Path, device: Any) -> None:
    with pytest.raises(
        DeviceError,
        match=r"^The simulated board has no partial reconfiguration: load the whole design$",
    ):
        device.get_bitfile_metadata(str(bit), partial=True)
