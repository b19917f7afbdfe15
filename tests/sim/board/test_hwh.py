# SPDX-License-Identifier: Apache-2.0
"""The .hwh: what it says, and that stock pynq reads it."""

import importlib.util
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from spikewright.sim.board.hwh import check_addresses, fix_up, make_hwh
from spikewright.sim.board.system import ADDRESSES, core_registers
from spikewright.sim.errors import FileError

HWH = make_hwh("net", layers=2, fclk_mhz=142.857143)


def without_ultrascale_names(hwh: str) -> str:
    return "".join(line for line in hwh.splitlines(keepends=True) if "PSU__" not in line)


def test_registers_are_those_of_the_table() -> None:
    core = ET.fromstring(HWH).find("MODULES/MODULE[@INSTANCE='spikewright_0']")
    assert core is not None
    found = {}
    for register in core.iter("REGISTER"):
        facts = {p.get("NAME"): p.get("VALUE", "") for p in register.findall("PROPERTY")}
        found[register.get("NAME")] = (int(facts["ADDRESS_OFFSET"], 16), facts["ACCESS"])
    assert found == {r.name: (r.offset, r.access.value) for r in core_registers(2)}


def test_clock_asked_for_and_made() -> None:
    values = {p.get("NAME"): p.get("VALUE") for p in ET.fromstring(HWH).iter("PARAMETER")}
    assert values["PCW_FPGA0_PERIPHERAL_FREQMHZ"] == "142.857143"
    assert values["PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"] == "142.857143"
    assert values["PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ"] == "142.857143"
    rounded = make_hwh("net", layers=0, fclk_mhz=101.0)
    assert 'NAME="PCW_FPGA0_PERIPHERAL_FREQMHZ" VALUE="101.000000"' in rounded
    assert 'NAME="PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ" VALUE="100.000000"' in rounded


def test_fix_up_restores_what_was_taken_out() -> None:
    bare = without_ultrascale_names(HWH.replace(" />", "/>"))
    fixed = fix_up(bare)
    assert set(fixed.splitlines()) == set(HWH.replace(" />", "/>").splitlines())
    assert without_ultrascale_names(fixed) == bare


def test_fix_up_leaves_a_good_file_alone() -> None:
    assert fix_up(HWH) == HWH


def test_fix_up_refuses_other_files() -> None:
    with pytest.raises(
        FileError,
        match=r"^The \.hwh names no clock of a Zynq-7000: give the one that Vivado wrote for the "
        r"design$",
    ):
        fix_up("<EDKSYSTEM/>")


def test_addresses_are_checked() -> None:
    check_addresses(HWH)
    with pytest.raises(
        FileError,
        match=r"^Block axi_dma_0 must be at 0x40400000 and is missing in the \.hwh: build the "
        r"design with the script of this version$",
    ):
        check_addresses(HWH.replace("axi_dma_0", "axi_dma_1"))
    with pytest.raises(
        FileError, match=r"^The \.hwh is damaged \(no element found: line 1, column 0\): build "
    ):
        check_addresses("")


def parse(path: Path) -> Any:
    from pynqmetadata.frontends import Metadata
    from pynqmetadata.views.runtime import RuntimeMetadataParser

    return RuntimeMetadataParser(Metadata(input=path))


@pytest.mark.pynq
def test_stock_parser_finds_everything(tmp_path: Path) -> None:
    path = tmp_path / "net.hwh"
    path.write_text(HWH)
    parser = parse(path)
    for name, base in ADDRESSES.items():
        assert parser.ip_dict[name]["phys_addr"] == base
        assert parser.ip_dict[name]["addr_range"] == 0x10000
    core = parser.ip_dict["spikewright_0"]
    assert core["type"] == "spikewright:ip:spikewright:1.0"
    offsets = {name: entry["address_offset"] for name, entry in core["registers"].items()}
    assert offsets == {r.name: r.offset for r in core_registers(2)}
    assert core["registers"]["STATUS"]["fields"]["CUT_FRAME"]["bit_offset"] == 1
    assert parser.clock_dict[0]["enable"] == 1
    assert not parser.clock_dict[1]["enable"]


@pytest.mark.pynq
def test_genuine_file_lacks_the_frequency_until_fixed(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("pynqmetadata")
    assert spec is not None
    assert spec.origin is not None
    genuine = Path(spec.origin).parent / "tests" / "hwhs" / "resizer.hwh"
    if not genuine.is_file():
        pytest.skip("This pynqmetadata comes without its example .hwh")
    path = tmp_path / "resizer.hwh"
    path.write_text(genuine.read_text(encoding="utf-8-sig"))
    if "frequency" not in parse(path).clock_dict[0]:
        pytest.skip("This pynqmetadata reads no frequencies and needs no mending")
    assert parse(path).clock_dict[0]["frequency"] is None
    path.write_text(fix_up(path.read_text()))
    assert parse(path).clock_dict[0]["frequency"] == 100.0
