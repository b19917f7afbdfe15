# SPDX-License-Identifier: Apache-2.0
"""The hardware hand-off (.hwh): what pynq reads about a design, for boards simulated and real.

A .hwh that Vivado made has thousands of lines; this is the least that pynqmetadata takes.

pynq 4.0 cannot load any Zynq-7000 design as Vivado describes it: ``Overlay.download`` asks for the
frequency of each clock, and pynqmetadata 0.2 looks it up only under the name it has on Zynq
UltraScale+, ``PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ``. It finds nothing and divides by None. So
the frequencies stand here a second time, under that name, and :func:`fix_up` adds them to Vivado's
.hwh. pynq 3.1, the last release with an image for the PYNQ-Z2, does not look at them.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping

from spikewright.sim.board import system
from spikewright.sim.errors import FileError
from spikewright.sim.registers import Access, Field, Register

_AXI = "xilinx.com:interface:aximm:1.0"
_CLOCKS = range(4)
_DMA_OFFSETS = {
    "DMACR": 0x00,
    "DMASR": 0x04,
    "{address}": 0x18,
    "{address}_MSB": 0x1C,
    "LENGTH": 0x28,
}
_FREQUENCY = re.compile(
    r'(\s*)<PARAMETER NAME="PCW_ACT_FPGA([0-3])_PERIPHERAL_FREQMHZ" VALUE="([^"]*)" ?/>'
)


def make_hwh(name: str, *, layers: int, fclk_mhz: float) -> str:
    """Describe an accelerator on the PYNQ-Z2: PS7, the core with its registers and an axi_dma.

    Parameters
    ----------
    name : str
        Name of the design.
    layers : int
        Layers with a CRC register.
    fclk_mhz : float
        Clock of the fabric in MHz. The processing system divides 1000 MHz by whole numbers; as
        in Vivado's own file the nearest frequency it can make stands beside the one asked for.

    Raises
    ------
    FormatError
        If the number of layers is out of range.
    BoardError
        If the processing system cannot make the clock.
    """
    root = ET.Element("EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP="", VIVADOVERSION="2023.1")
    part = {"ARCH": "zynq", "DEVICE": "7z020", "PACKAGE": "clg400", "SPEEDGRADE": "-1"}
    ET.SubElement(root, "SYSTEMINFO", {"NAME": name, "BOARD": system.BOARD_PART, **part})
    # Without this element, empty as it is, pynqmetadata does not read the file.
    ET.SubElement(root, "EXTERNALPORTS")
    ET.SubElement(root, "EXTERNALINTERFACES")
    modules = ET.SubElement(root, "MODULES")
    core = _module(modules, system.CORE_NAME, system.CORE_VLNV)
    _slave(core, "s_axi", {"C_S_AXI_ADDR_WIDTH": 12}, system.core_registers(layers))
    dma = _module(modules, system.DMA_NAME, system.DMA_VLNV)
    _slave(dma, "S_AXI_LITE", system.DMA_PARAMETERS, _dma_registers())
    _processing_system(modules, fclk_mhz)
    ET.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n'
    return declaration + ET.tostring(root, encoding="unicode") + "\n"


def fix_up(hwh: str) -> str:
    """Add what pynq 4.0 looks for to a .hwh that Vivado made; see the top of this file.

    A file that has it stays as it is.

    Raises
    ------
    FileError
        If this is not the .hwh of a Zynq-7000 design.
    """
    if not _FREQUENCY.search(hwh):
        raise FileError(
            "The .hwh names no clock of a Zynq-7000: give the one that Vivado wrote for the design"
        )
    if _ultrascale_name(0) in hwh:
        return hwh
    return _FREQUENCY.sub(
        lambda found: (
            f'{found[0]}{found[1]}<PARAMETER NAME="{_ultrascale_name(int(found[2]))}" '
            f'VALUE="{found[3]}"/>'
        ),
        hwh,
    )


def check_addresses(hwh: str) -> None:
    """Refuse a .hwh whose blocks are not where the driver and the simulated board have them.

    Raises
    ------
    FileError
        If the file is no .hwh, or a block is missing or has another address.
    """
    try:
        root = ET.fromstring(hwh)
    except ET.ParseError as error:
        raise FileError(f"The .hwh is damaged ({error}): build the design again") from error
    found = {
        block.get("INSTANCE", ""): int(block.get("BASEVALUE", "0"), 16)
        for block in root.iter("MEMRANGE")
        if block.get("MEMTYPE") == "REGISTER"
    }
    for name, base in system.ADDRESSES.items():
        if found.get(name) != base:
            where = f"is at 0x{found[name]:08X}" if name in found else "is missing"
            raise FileError(
                f"Block {name} must be at 0x{base:08X} and {where} in the .hwh: "
                "build the design with the script of this version"
            )


def _ultrascale_name(clock: int) -> str:
    return f"PSU__CRL_APB__PL{clock}_REF_CTRL__ACT_FREQMHZ"


def _module(modules: ET.Element, name: str, vlnv: str) -> ET.Element:
    kind = vlnv.split(":")[2]
    facts = {"IPTYPE": "PERIPHERAL", "IS_ENABLE": "1", "MODTYPE": kind, "VLNV": vlnv}
    return ET.SubElement(modules, "MODULE", {"FULLNAME": f"/{name}", "INSTANCE": name, **facts})


def _slave(
    module: ET.Element,
    interface: str,
    parameters: Mapping[str, int],
    registers: Iterable[Register],
) -> None:
    blocks = ET.SubElement(module, "ADDRESSBLOCKS")
    size = str(system.ADDRESS_RANGE)
    facts = {"ACCESS": "read-write", "NAME": "Reg", "RANGE": size, "USAGE": "register"}
    block = ET.SubElement(blocks, "ADDRESSBLOCK", {"INTERFACE": interface, **facts})
    entries = ET.SubElement(block, "REGISTERS")
    for register in registers:
        _register(entries, register)
    _parameters(module, parameters)
    _interface(module, interface, "SLAVE")


def _register(entries: ET.Element, register: Register) -> None:
    entry = ET.SubElement(entries, "REGISTER", NAME=register.name)
    access = register.access.value
    _properties(entry, DESCRIPTION=register.text, ADDRESS_OFFSET=hex(register.offset))
    _properties(entry, SIZE="32", ACCESS=access, IS_ENABLED="true")
    fields = ET.SubElement(entry, "FIELDS")
    for field in register.fields:
        inner = ET.SubElement(fields, "FIELD", NAME=field.name)
        _properties(inner, DESCRIPTION="", BIT_OFFSET=str(field.offset))
        _properties(inner, BIT_WIDTH=str(field.width), ACCESS=access)


def _properties(parent: ET.Element, **values: str) -> None:
    for name, value in values.items():
        ET.SubElement(parent, "PROPERTY", NAME=name, VALUE=value)


def _parameters(module: ET.Element, values: Mapping[str, object]) -> None:
    parameters = ET.SubElement(module, "PARAMETERS")
    for name, value in values.items():
        ET.SubElement(parameters, "PARAMETER", NAME=name, VALUE=str(value))


def _interface(module: ET.Element, name: str, kind: str) -> None:
    ET.SubElement(module, "PORTS")
    interfaces = ET.SubElement(module, "BUSINTERFACES")
    bus = ET.SubElement(interfaces, "BUSINTERFACE", NAME=name, TYPE=kind, VLNV=_AXI)
    ET.SubElement(bus, "PORTMAPS")


def _dma_registers() -> list[Register]:
    names = {"Halted": 0, "Idle": 1, "DMAIntErr": 4, "DMASlvErr": 5, "DMADecErr": 6, "IOC_Irq": 12}
    status = tuple(Field(name, bit) for name, bit in names.items())
    fields = {"DMACR": (Field("RS", 0), Field("Reset", 2)), "DMASR": status}
    return [
        Register(
            f"{channel}_{name.format(address=address)}",
            base + offset,
            Access.READ_WRITE,
            f"{channel} channel",
            fields.get(name, ()),
        )
        for channel, base, address in (("MM2S", 0x00, "SA"), ("S2MM", 0x30, "DA"))
        for name, offset in _DMA_OFFSETS.items()
    ]


def _processing_system(modules: ET.Element, fclk_mhz: float) -> None:
    divisors = system.clock_divisors(fclk_mhz)
    actual = system.IO_PLL_MHZ / (divisors[0] * divisors[1])
    values: dict[str, object] = {"PCW_FPGA0_PERIPHERAL_FREQMHZ": f"{fclk_mhz:.6f}"}
    for clock in _CLOCKS:
        values[f"PCW_FPGA_FCLK{clock}_ENABLE"] = int(clock == 0)
        values[f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC"] = "IO PLL"
        values[f"PCW_ACT_FPGA{clock}_PERIPHERAL_FREQMHZ"] = f"{actual:.6f}"
        values[_ultrascale_name(clock)] = f"{actual:.6f}"
        for index, divisor in enumerate(divisors):
            values[f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR{index}"] = divisor
    module = _module(modules, "processing_system7_0", "xilinx.com:ip:processing_system7:5.5")
    module.set("IS_PL", "FALSE")
    _parameters(module, values)
    _interface(module, "M_AXI_GP0", "MASTER")
    ranges = ET.SubElement(module, "MEMORYMAP")
    slaves = {system.CORE_NAME: "s_axi", system.DMA_NAME: "S_AXI_LITE"}
    for name, base in system.ADDRESSES.items():
        ET.SubElement(
            ranges,
            "MEMRANGE",
            ADDRESSBLOCK="Reg",
            BASEVALUE=f"0x{base:08X}",
            HIGHVALUE=f"0x{base + system.ADDRESS_RANGE - 1:08X}",
            INSTANCE=name,
            MASTERBUSINTERFACE="M_AXI_GP0",
            MEMTYPE="REGISTER",
            SLAVEBUSINTERFACE=slaves[name],
        )
