# SPDX-License-Identifier: Apache-2.0
"""A whole accelerator between a bus and two streams that pause at random, in both simulators."""

from typing import Any

import numpy as np
import programs
import pytest
from bench import in_amaranth, in_cocotb, machine
from bench.axi import AxiExchange, AxiPlan

from spikewright.hw.accelerator import Accelerator
from spikewright.sim import golden, packets
from spikewright.sim.primitive import Codes
from spikewright.sim.program import Program
from spikewright.sim.registers import CRC_WINDOW, mask, offset

RUN = {"amaranth": in_amaranth.run, "cocotb": in_cocotb.run}
OKAY, SLVERR = 0, 2


def write(name: str, value: int) -> list[Any]:
    return ["write", offset(name), value & 0xFFFFFFFF, 0xF]


def loading(program: Program) -> list[list[Any]]:
    script = []
    for k, name in enumerate(program.tensor_specs):
        script.append(write("PARAM_TENSOR", k))
        script += [write("PARAM_DATA", code) for code in program.tensors[name].ravel().tolist()]
    return script


def carry_out(
    backend: str, program: Program, lanes: int, script: list[list[Any]], seed: int
) -> list[Any]:
    plan = AxiPlan(script=script, stall_seed=seed, max_cycles=60_000)
    exchange = AxiExchange(plan)
    RUN[backend](Accelerator(program, lanes), exchange)
    return exchange.log


def words_of(program: Program, inputs: dict[str, Codes]) -> list[int]:
    words: list[int] = packets.pack_frames(program, inputs).ravel().tolist()
    return words


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("backend", RUN)
@pytest.mark.parametrize("name", ["mlp", "spike_input"])
def test_frames_while_registers_are_read(name: str, backend: str, seed: int) -> None:
    program = programs.mlp((9, 7, 4)) if name == "mlp" else programs.spike_input(steps=4)
    inputs = programs.random_inputs(program, 3, seed=seed)
    streams = golden.run(program, inputs)
    total = 3 * packets.frame_words(program)[1]
    given = words_of(program, inputs)
    script = [
        *loading(program),
        write("FRAMES_PER_PACKET", 3),
        ["send", given, [len(given) - 1]],
        *[["read", offset(register)] for register in ("ID", "STATUS", "CYCLES_LO")],
        ["read", offset("PARAM_DATA")],
        ["receive", total],
        ["wait", 60],
        ["read", offset("STATUS")],
        ["read", offset("FRAMES_LO")],
        *[["read", CRC_WINDOW + 4 * k] for k in range(len(program.layers))],
    ]
    log = carry_out(backend, program, 3, script, seed)
    received = log[script.index(["receive", total])]
    words = np.array([word for word, _ in received], np.uint32).reshape(3, -1)
    found = packets.unpack_frames(program, words)
    for output, reference in program.outputs.items():
        assert np.array_equal(found[output], streams[program.resolve(reference)]), output
    assert [last for _, last in received] == [0] * (total - 1) + [1]
    status, frames, *crcs = log[-2 - len(program.layers) :]
    assert status == [OKAY, mask("STATUS", "WHILE_BUSY")]
    assert frames == [OKAY, 3]
    assert [crc for _, crc in crcs] == list(machine.expected_crcs(program, streams).values())
    busy = log[script.index(["read", offset("PARAM_DATA")])]
    assert busy[0] == SLVERR


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("backend", RUN)
def test_registers_under_pauses(backend: str, seed: int) -> None:
    program = programs.mlp((9, 7, 4))
    codes = program.tensors["fc1.weight"].ravel().tolist()
    data = offset("PARAM_DATA")
    script = [
        ["read", data],
        *loading(program),
        ["write", data, 5, 0xF],
        ["write", offset("PARAM_TENSOR"), 0, 0x3],
        write("PARAM_TENSOR", 0),
        write("PARAM_START", 60),
        *[["read", data]] * 4,
        ["write", 0xFFC, 0, 0xF],
        ["read", 0x44],
        ["read", offset("STATUS")],
        ["reset"],
        ["read", offset("STATUS")],
    ]
    log = carry_out(backend, program, 3, script, seed)
    assert log[0][0] == SLVERR
    end = len(loading(program)) + 1
    assert log[1:end] == [[OKAY]] * (end - 1)
    assert log[end:] == [
        *([SLVERR], [SLVERR], [OKAY], [OKAY]),
        *([OKAY, code & 0xFFFFFFFF] for code in codes[60:63]),
        [SLVERR, log[end + 7][1]],
        *([SLVERR], [OKAY, 3], [OKAY, mask("STATUS", "OUT_OF_RANGE")]),
        *([], [OKAY, 0]),
    ]
