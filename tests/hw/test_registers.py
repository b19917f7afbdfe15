# SPDX-License-Identifier: Apache-2.0
"""The register bank, as a host sees it through a whole accelerator."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import programs
import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator
from bench import machine

from spikewright.hw.accelerator import Accelerator
from spikewright.hw.host.registers import RegisterBank
from spikewright.sim.engine import Engine
from spikewright.sim.errors import DeviceError
from spikewright.sim.registers import (
    CRC_WINDOW,
    ID_VALUE,
    INTERFACE_VERSION,
    REGISTERS,
    Access,
    mask,
    offset,
)

# Lanes that do not divide the rows, so that the last word of each tensor is not full.
LANES = {"fc1": 4, "fc2": 3}
MLP = programs.mlp((5, 7, 4))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with machine.interpreted(MLP, LANES) as opened:
        yield opened


def refused(engine: Engine, address: int, value: int | None = None) -> None:
    """The access answers SLVERR."""
    what = "Read" if value is None else "Write"
    message = rf"^{what} of register 0x{address:03X} was refused \(SLVERR\)"
    with pytest.raises(DeviceError, match=message):
        engine.read(address) if value is None else engine.write(address, value)


def sticky(engine: Engine) -> set[str]:
    status = machine.read(engine, "STATUS")
    names = ("BUSY", "CUT_FRAME", "OUT_OF_RANGE", "WHILE_BUSY")
    return {name for name in names if status & mask("STATUS", name)}


def clear(engine: Engine, *names: str) -> None:
    machine.write(engine, "STATUS", sum(mask("STATUS", name) for name in names))


def test_identity(engine: Engine) -> None:
    accelerator = Accelerator(MLP, LANES)
    accelerator._MustUse__used = True
    assert machine.read(engine, "ID") == ID_VALUE == 0x53504B57
    assert machine.read(engine, "VERSION") == INTERFACE_VERSION
    assert machine.read(engine, "STRUCTURE_HASH") == accelerator.structure_hash
    assert accelerator.structure_hash == MLP.structure_hash(accelerator.lanes)
    assert machine.read(engine, "TENSORS") == 4
    assert machine.read(engine, "LAYERS") == len(MLP.layers) == 3
    assert machine.read(engine, "FRAMES_PER_PACKET") == 1
    for name in ("PROGRAM_HASH", "CYCLES", "FRAMES", "CONTROL", "STATUS"):
        assert machine.read(engine, name) == 0


def test_access(engine: Engine) -> None:
    for register in REGISTERS:
        if register.access is Access.READ_ONLY:
            refused(engine, register.offset, 1)
            engine.read(register.offset)
    layers = CRC_WINDOW + 4 * len(MLP.layers)
    for address in (0x48, 0x1FC, layers, 0xFFC, 0x01, 0x02, 0x203):
        refused(engine, address)
        refused(engine, address, 1)
    refused(engine, CRC_WINDOW, 1)
    assert sticky(engine) == set()


def test_tensors_read_back_row_major(engine: Engine) -> None:
    machine.load(engine, MLP)
    for name, codes in MLP.tensors.items():
        assert machine.tensor(engine, MLP, name) == codes.ravel().tolist()


@pytest.mark.parametrize("start", [1, 4, 17, 34])
def test_seek(engine: Engine, start: int) -> None:
    machine.load(engine, MLP)
    codes = MLP.tensors["fc1.weight"].ravel().tolist()
    assert machine.tensor(engine, MLP, "fc1.weight", start) == codes[start:]
    machine.write(engine, "PARAM_START", start)
    assert machine.read(engine, "PARAM_START") == start
    assert machine.read(engine, "PARAM_TENSOR") == 0
    codes[start] = -77
    machine.write(engine, "PARAM_DATA", -77 & 0xFFFFFFFF)
    assert machine.read(engine, "PARAM_START") == start + 1
    assert machine.tensor(engine, MLP, "fc1.weight") == codes


def test_reading_and_writing_take_turns(engine: Engine) -> None:
    machine.load(engine, MLP)
    codes = MLP.tensors["fc1.bias"].tolist()
    machine.write(engine, "PARAM_TENSOR", 1)
    machine.write(engine, "PARAM_DATA", 11)
    assert machine.read(engine, "PARAM_DATA") == codes[1] & 0xFFFFFFFF
    machine.write(engine, "PARAM_DATA", 13)
    assert machine.tensor(engine, MLP, "fc1.bias") == [11, codes[1], 13, *codes[3:]]


def test_out_of_range(engine: Engine) -> None:
    data, tensor, start = (offset(f"PARAM_{name}") for name in ("DATA", "TENSOR", "START"))
    for address, value in ((data, None), (data, 1), (start, 0), (tensor, 4), (tensor, 2**31)):
        refused(engine, address, value)
        assert sticky(engine) == {"OUT_OF_RANGE"}
        clear(engine, "OUT_OF_RANGE")
    machine.load(engine, MLP)
    engine.write(tensor, 1)
    refused(engine, start, 7)
    engine.write(start, 6)
    engine.write(data, 5)
    refused(engine, data, 6)
    refused(engine, data)
    assert sticky(engine) == {"OUT_OF_RANGE"}
    codes = MLP.tensors["fc1.bias"].tolist()
    assert machine.tensor(engine, MLP, "fc1.bias") == [*codes[:6], 5]
    assert machine.tensor(engine, MLP, "fc1.weight") == MLP.tensors["fc1.weight"].ravel().tolist()


def test_the_first_parameter_write_clears_the_program_hash(engine: Engine) -> None:
    machine.load(engine, MLP)
    assert machine.read(engine, "PROGRAM_HASH") == MLP.program_hash
    machine.tensor(engine, MLP, "fc2.bias")
    refused(engine, offset("PARAM_DATA"), 1)
    assert machine.read(engine, "PROGRAM_HASH") == MLP.program_hash
    machine.write(engine, "PARAM_TENSOR", 3)
    assert machine.read(engine, "PROGRAM_HASH") == MLP.program_hash
    machine.write(engine, "PARAM_DATA", 1)
    assert machine.read(engine, "PROGRAM_HASH") == 0


def test_parameters_are_refused_while_busy(engine: Engine) -> None:
    machine.load(engine, MLP)
    engine.tx_start([0x04030201])
    engine.run(20)
    clear(engine, "CUT_FRAME")
    assert sticky(engine) == {"BUSY"}
    for name in ("PARAM_TENSOR", "PARAM_START", "PARAM_DATA"):
        refused(engine, offset(name), 0)
        assert sticky(engine) == {"BUSY", "WHILE_BUSY"}
        clear(engine, "WHILE_BUSY")
    refused(engine, offset("PARAM_DATA"))
    assert sticky(engine) == {"BUSY", "WHILE_BUSY"}
    # Where it stands can be read, and so can everything else.
    assert machine.read(engine, "PARAM_TENSOR") == 3
    assert machine.read(engine, "PROGRAM_HASH") == MLP.program_hash
    machine.soft_reset(engine)
    for name, codes in MLP.tensors.items():
        assert machine.tensor(engine, MLP, name) == codes.ravel().tolist()


def test_sticky_bits_are_cleared_one_by_one(engine: Engine) -> None:
    machine.load(engine, MLP)
    refused(engine, offset("PARAM_TENSOR"), 9)
    engine.tx_start([1])
    engine.run(20)
    refused(engine, offset("PARAM_DATA"))
    assert sticky(engine) == {"BUSY", "CUT_FRAME", "OUT_OF_RANGE", "WHILE_BUSY"}
    clear(engine)
    clear(engine, "OUT_OF_RANGE")
    assert sticky(engine) == {"BUSY", "CUT_FRAME", "WHILE_BUSY"}
    clear(engine, "BUSY", "CUT_FRAME")
    assert sticky(engine) == {"BUSY", "WHILE_BUSY"}
    machine.soft_reset(engine)
    assert sticky(engine) == {"WHILE_BUSY"}


def test_a_soft_reset_leaves_the_port_without_a_tensor(engine: Engine) -> None:
    """It takes the memories back to their starts; an index left behind would point elsewhere."""
    machine.load(engine, MLP)
    machine.write(engine, "PARAM_TENSOR", 0)
    machine.write(engine, "PARAM_START", 9)
    machine.soft_reset(engine)
    refused(engine, offset("PARAM_DATA"), 1)
    assert machine.tensor(engine, MLP, "fc1.weight") == MLP.tensors["fc1.weight"].ravel().tolist()


def test_counters(engine: Engine) -> None:
    machine.load(engine, MLP)
    inputs = programs.random_inputs(MLP, 3)
    engine.run(50)
    assert machine.read(engine, "CYCLES") == 0
    before = engine.cycles
    machine.run(engine, MLP, inputs)
    first = machine.read(engine, "CYCLES")
    assert 3 * 5 * 2 < first < engine.cycles - before
    assert machine.read(engine, "FRAMES") == 3
    engine.run(50)
    assert machine.read(engine, "CYCLES") == first
    machine.run(engine, MLP, inputs)
    assert (machine.read(engine, "FRAMES"), machine.read(engine, "CYCLES")) == (6, 2 * first)
    machine.write(engine, "CONTROL", mask("CONTROL", "CLEAR_COUNTERS"))
    assert (machine.read(engine, "FRAMES"), machine.read(engine, "CYCLES")) == (0, 0)
    machine.run(engine, MLP, inputs)
    assert (machine.read(engine, "FRAMES"), machine.read(engine, "CYCLES")) == (3, first)
    assert machine.read(engine, "CONTROL") == 0


def test_a_hard_reset_forgets_the_program(engine: Engine) -> None:
    machine.load(engine, MLP)
    machine.run(engine, MLP, programs.random_inputs(MLP, 2))
    machine.write(engine, "FRAMES_PER_PACKET", 5)
    engine.reset()
    for name in ("PROGRAM_HASH", "CYCLES", "FRAMES", "STATUS"):
        assert machine.read(engine, name) == 0
    assert machine.read(engine, "FRAMES_PER_PACKET") == 1


class Told(RegisterBank):
    """A bank whose counters are inputs."""

    def __init__(self) -> None:
        super().__init__(tensor_sizes=(), layers=0, structure_hash=0, notice=0, ends=0)
        self.told = Signal(64), Signal(64)

    def _counters(self, m: Module, clear: Signal) -> Any:
        return *self.told, self.told[0][:0].any()


@pytest.mark.parametrize("name", ["CYCLES", "FRAMES"])
def test_reading_the_low_word_latches_the_high_one(name: str) -> None:
    bank = Told()
    counter = bank.told[name == "FRAMES"]
    found = []

    async def bench(ctx: Any) -> None:
        async def read(half: str) -> int:
            ctx.set(bank.access.address, offset(f"{name}_{half}"))
            ctx.set(bank.access.request, 1)
            while not ctx.get(bank.access.done):
                await ctx.tick()
            value: int = ctx.get(bank.access.data_out)
            ctx.set(bank.access.request, 0)
            await ctx.tick()
            return value

        ctx.set(counter, 0x1_FFFFFFFF)
        found.append(await read("LO"))
        ctx.set(counter, 0x2_00000000)
        found.append(await read("HI"))
        found.append(await read("LO"))
        found.append(await read("HI"))

    simulator = Simulator(bank)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [0xFFFFFFFF, 1, 0, 2]


def test_the_two_counters_are_latched_apart() -> None:
    bank = Told()
    found = {}

    async def bench(ctx: Any) -> None:
        ctx.set(bank.told[0], 0x5_00000001)
        ctx.set(bank.told[1], 0x9_00000002)
        for name in ("CYCLES_LO", "FRAMES_LO", "CYCLES_HI", "FRAMES_HI"):
            ctx.set(bank.access.address, offset(name))
            ctx.set(bank.access.request, 1)
            while not ctx.get(bank.access.done):
                await ctx.tick()
            found[name] = ctx.get(bank.access.data_out)
            ctx.set(bank.access.request, 0)
            await ctx.tick()

    simulator = Simulator(bank)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == {"CYCLES_LO": 1, "FRAMES_LO": 2, "CYCLES_HI": 5, "FRAMES_HI": 9}


def test_a_write_takes_the_low_bits(engine: Engine) -> None:
    machine.write(engine, "PARAM_TENSOR", 0)
    machine.write(engine, "PARAM_DATA", 300)
    assert machine.tensor(engine, MLP, "fc1.weight")[0] == 300 - 256
    assert sticky(engine) == set()


def test_a_program_without_tensors() -> None:
    echo = programs.delayed_echo(3)
    with machine.interpreted(echo) as engine:
        assert machine.read(engine, "TENSORS") == 0
        refused(engine, offset("PARAM_TENSOR"), 0)
        refused(engine, offset("PARAM_DATA"))
        assert sticky(engine) == {"OUT_OF_RANGE"}


def test_a_tensor_of_several_readers() -> None:
    """A write reaches them all, though their lanes differ."""
    program = programs.shared_weights()
    with machine.interpreted(program, {"one": 2, "two": 5}) as engine:
        machine.load(engine, program)
        inputs = programs.random_inputs(program, 2)
        found = machine.run(engine, program, inputs)
        want = inputs["x"] @ program.tensors["w"].T
        for output in found.values():
            assert np.array_equal(output, want)
        assert machine.tensor(engine, program, "w") == program.tensors["w"].ravel().tolist()
