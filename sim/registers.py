# SPDX-License-Identifier: Apache-2.0
"""The accelerator's registers: the one place with their addresses.

Gateware, drivers, the board's description and the documentation all read this table.
"""

from dataclasses import dataclass
from enum import Enum

ID_VALUE = 0x53504B57
"""What ID reads: "SPKW"."""
INTERFACE_VERSION = 1
"""Version of this map and of the packets; a driver refuses others."""
ADDRESS_BITS = 12
MAX_LAYERS = 64
"""Most probe points of an accelerator."""


class Access(Enum):
    """Who changes a register."""

    READ_ONLY = "read-only"
    READ_WRITE = "read-write"


@dataclass(frozen=True)
class Field:
    """Bits of a register."""

    name: str
    offset: int
    width: int = 1


@dataclass(frozen=True)
class Register:
    """A 32-bit register at a byte offset."""

    name: str
    offset: int
    access: Access
    text: str
    fields: tuple[Field, ...] = ()


_RO, _RW = Access.READ_ONLY, Access.READ_WRITE

REGISTERS = (
    Register("ID", 0x00, _RO, 'Reads 0x53504B57, "SPKW"'),
    Register("VERSION", 0x04, _RO, "Version of this interface"),
    Register("STRUCTURE_HASH_LO", 0x08, _RO, "Hash of shapes, formats and lanes, low word"),
    Register("STRUCTURE_HASH_HI", 0x0C, _RO, "High word"),
    Register(
        "PROGRAM_HASH_LO", 0x10, _RW, "Hash of the loaded program; a parameter write clears it"
    ),
    Register("PROGRAM_HASH_HI", 0x14, _RW, "High word"),
    Register(
        "CONTROL",
        0x18,
        _RW,
        "Write 1 to act; reads 0",
        (Field("SOFT_RESET", 0), Field("CLEAR_COUNTERS", 1)),
    ),
    Register(
        "STATUS",
        0x1C,
        _RW,
        "BUSY now; the others stick until 1 is written to them",
        (
            Field("BUSY", 0),
            Field("CUT_FRAME", 1),
            Field("OUT_OF_RANGE", 2),
            Field("WHILE_BUSY", 3),
        ),
    ),
    Register("CYCLES_LO", 0x20, _RO, "Clock cycles with a frame inside; reading latches CYCLES_HI"),
    Register("CYCLES_HI", 0x24, _RO, "High word"),
    Register(
        "FRAMES_LO", 0x28, _RO, "Frames (steps of a stream) finished; reading latches FRAMES_HI"
    ),
    Register("FRAMES_HI", 0x2C, _RO, "High word"),
    Register(
        "FRAMES_PER_PACKET", 0x30, _RW, "Frames (steps) after which m_axis has TLAST; 0 never"
    ),
    Register("PARAM_TENSOR", 0x34, _RW, "Tensor that the parameter port accesses"),
    Register("PARAM_START", 0x38, _RW, "Row-major index at which it starts"),
    Register(
        "PARAM_DATA",
        0x3C,
        _RW,
        "Parameter at the index, the low bits of what is written; every access moves on by one",
    ),
    Register("TENSORS", 0x40, _RO, "Number of tensors"),
    Register("LAYERS", 0x44, _RO, "Number of layers with a CRC"),
)
"""The registers below the CRC window, in order of address."""

BY_NAME = {register.name: register for register in REGISTERS}
CRC_WINDOW = 0x200
"""CRC-32 of layer k's stream in the last finished frame is at ``CRC_WINDOW + 4 k``."""


def offset(name: str) -> int:
    """Byte offset of a register."""
    return BY_NAME[name].offset


def mask(register: str, field: str) -> int:
    """Bit mask of a field."""
    found = next(f for f in BY_NAME[register].fields if f.name == field)
    return ((1 << found.width) - 1) << found.offset
