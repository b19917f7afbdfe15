# SPDX-License-Identifier: Apache-2.0
"""Constant words, read through several ports; on ECP5 in the blocks that Yosys would take."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Value
from amaranth.sim import Simulator, SimulatorContext

from spikewright.boards.part import PARTS
from spikewright.boards.yosys import NETLIST, synthesize
from spikewright.hw.cells.family import ECP5, Family
from spikewright.hw.cells.rom import Rom, initial_values


def words_of(count: int, width: int, seed: int = 0) -> list[int]:
    """Random words, of which one has the full width."""
    rnd = random.Random(seed)
    return [rnd.randrange(1 << width) for _ in range(count - 1)] + [1 << (width - 1)]


@pytest.mark.parametrize(("count", "width", "ports"), [(1, 1, 1), (5, 7, 3), (1024, 30, 2)])
def test_words_come_two_cycles_after_their_address(count: int, width: int, ports: int) -> None:
    words = words_of(count, width)
    dut = Rom(words, ports=ports)
    rnd = random.Random(1)

    async def testbench(ctx: SimulatorContext) -> None:
        asked = []
        for _ in range(100):
            addresses = [rnd.randrange(count) for _ in range(ports)]
            for k, address in enumerate(addresses):
                ctx.set(dut.address[k], address)
            asked.append(addresses)
            await ctx.tick()
            if len(asked) >= Rom.latency:
                got = [ctx.get(dut.word[k]) for k in range(ports)]
                assert got == [words[address] for address in asked[-Rom.latency]]

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def blocks(folder: Path, dut: Rom, family: Family | None) -> list[dict[str, Any]]:
    """Block RAMs of a netlist."""
    folder.mkdir()
    ports = {
        "address": (Value.cast(dut.address), None),
        "word": (Value.cast(dut.word), None),
    }
    text = rtlil.convert(dut, name="top", platform=family, ports=ports, emit_src=False)
    # Yosys takes a wire whose name ends in [0] for a bit of another.
    plain = re.sub(r"\\\S+", lambda name: re.sub(r"[\[\]]", "_", name[0]), str(text))
    (folder / "rom.il").write_text(plain)
    log = folder / "yosys.log"
    synthesize(folder, part=PARTS["ecp5-25k"], rtlil="rom.il", top="top", log=log)
    cells = json.loads((folder / NETLIST).read_text())["modules"]["top"]["cells"]
    return [cell for cell in cells.values() if cell["type"] == "DP16KD"]


def test_blocks_are_filled_and_addressed_as_yosys_does(tmp_path: Path) -> None:
    words = words_of(1024, 18)
    (inferred,) = blocks(tmp_path / "plain", Rom(words, ports=2), None)
    (ours,) = blocks(tmp_path / "ecp5", Rom(words, ports=2), ECP5)
    for name, value in initial_values(words).items():
        wanted = f"{value.value:0320b}"
        assert inferred["parameters"][name.removeprefix("p_")] == wanted
        assert ours["parameters"][name.removeprefix("p_")] == wanted
    for side in "AB":
        assert ours["parameters"][f"REGMODE_{side}"] == "OUTREG"
        assert (
            ours["parameters"][f"DATA_WIDTH_{side}"] == inferred["parameters"][f"DATA_WIDTH_{side}"]
        )
        assert ours["connections"][f"OCE{side}"] == ["1"]
    # The lowest four address pins stay out of it, the others have a bit of an address each.
    for cell in (inferred, ours):
        pins = [cell["connections"][f"AD{side}{k}"][0] for side in "AB" for k in range(14)]
        low, high = pins[:4] + pins[14:18], pins[4:14] + pins[18:]
        assert set(low) == {"0"}
        assert len({pin for pin in high if isinstance(pin, int)}) == 20


@pytest.mark.parametrize(
    ("count", "width", "ports", "wanted"), [(64, 20, 4, 0), (65, 9, 3, 2), (900, 30, 4, 4)]
)
def test_how_many_blocks(count: int, width: int, ports: int, wanted: int, tmp_path: Path) -> None:
    assert len(blocks(tmp_path / "ecp5", Rom(words_of(count, width), ports=ports), ECP5)) == wanted
