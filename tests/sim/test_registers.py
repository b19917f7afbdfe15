# SPDX-License-Identifier: Apache-2.0
"""The register table is consistent."""

from functools import reduce

import pytest

from spikewright.sim.registers import (
    ADDRESS_BITS,
    CRC_WINDOW,
    ID_VALUE,
    MAX_LAYERS,
    REGISTERS,
    mask,
    offset,
)


def test_addresses() -> None:
    offsets = [register.offset for register in REGISTERS]
    assert offsets == sorted(set(offsets))
    assert all(address % 4 == 0 for address in offsets)
    assert offsets[-1] < CRC_WINDOW
    assert CRC_WINDOW + 4 * MAX_LAYERS <= 1 << ADDRESS_BITS


def test_halves_of_64_bits_are_neighbours() -> None:
    names = [register.name for register in REGISTERS]
    low = [name for name in names if name.endswith("_LO")]
    assert low == ["STRUCTURE_HASH_LO", "PROGRAM_HASH_LO", "CYCLES_LO", "FRAMES_LO"]
    for name in low:
        assert offset(name.replace("_LO", "_HI")) == offset(name) + 4


def test_fields_do_not_overlap() -> None:
    for register in REGISTERS:
        masks = [mask(register.name, field.name) for field in register.fields]
        assert sum(masks) == reduce(int.__or__, masks, 0) < 2**32


def test_names() -> None:
    assert ID_VALUE.to_bytes(4, "big") == b"SPKW"
    assert len({register.name for register in REGISTERS}) == len(REGISTERS)
    assert mask("STATUS", "WHILE_BUSY") == 8
    with pytest.raises(KeyError):
        offset("NOTHING")
