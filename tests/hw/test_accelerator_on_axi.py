# SPDX-License-Identifier: Apache-2.0
"""A whole accelerator between a bus and two streams that pause at random, in both simulators."""

from collections.abc import Callable
from typing import Any

import numpy as np
import programs
import pytest
from bench import in_amaranth, in_cocotb, machine
from bench.axi import AxiExchange, AxiPlan
from bench.exchange import Pauses

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


class Until(Pauses):
    """Pauses until a condition holds."""

    def __init__(self, holds: Callable[[], bool]):
        super().__init__(None, "")
        self.holds = holds

    def go(self) -> bool:
        return self.holds()


@pytest.mark.parametrize(
    ("register", "late"),
    [
        *(("PARAM_DATA", late) for late in (0, 2, 3, 4, 5, 6, 7, 9)),
        *(("PARAM_START", late) for late in (3, 5, 60)),
        ("PARAM_TENSOR", 5),
    ],
)
def test_a_frame_that_comes_in_a_parameter_access(register: str, late: int) -> None:
    """Either the access is refused, or the frame waits for its end; both are right."""
    program = programs.mlp((5, 7, 4))
    inputs = programs.random_inputs(program, 1)
    given, words = words_of(program, inputs), packets.frame_words(program)[1]
    code = int(program.tensors["fc1.weight"].flat[20])
    before = [
        *loading(program),
        write("PARAM_TENSOR", 0),
        write("PARAM_START", 20),
        ["send", given, [len(given) - 1]],
        ["wait", 10],
    ]
    value = {"PARAM_TENSOR": 2, "PARAM_START": 30, "PARAM_DATA": code}[register]
    after = [write(register, value), ["receive", words], ["wait", 30], ["read", offset("STATUS")]]
    exchange = AxiExchange(AxiPlan(script=[*before, *after], max_cycles=6000))
    begun: list[int] = []

    def comes() -> bool:
        if len(exchange.log) == len(before) and not begun:
            begun.append(exchange.cycles)
        return bool(begun) and exchange.cycles >= begun[0] + late

    exchange.sent.pauses = Until(comes)
    in_amaranth.run(Accelerator(program, {"fc1": 4, "fc2": 2}), exchange)
    answer, received, _, status = exchange.log[len(before) :]
    found = packets.unpack_frames(program, np.array([[word for word, _ in received]], np.uint32))
    streams = golden.run(program, inputs)
    for output, reference in program.outputs.items():
        assert np.array_equal(found[output], streams[program.resolve(reference)]), output
    refused = answer == [SLVERR]
    assert answer in ([OKAY], [SLVERR])
    assert status == [OKAY, mask("STATUS", "WHILE_BUSY") if refused else 0]


@pytest.mark.parametrize(("before", "after", "lasts"), [(5, 1, [0, 1]), (1, 5, [1, 0])])
def test_frames_per_packet_changes_while_a_word_waits(
    before: int, after: int, lasts: list[int]
) -> None:
    """What is offered stays as it is; the exchange checks that. The next frame heeds the change."""
    program = programs.mlp((5, 3, 3))
    inputs = programs.random_inputs(program, 2)
    given, words = words_of(program, inputs), packets.frame_words(program)[1]
    script = [
        *loading(program),
        write("FRAMES_PER_PACKET", before),
        ["send", given, []],
        ["wait", 150],
        write("FRAMES_PER_PACKET", after),
        ["wait", 20],
        ["receive", 2 * words],
    ]
    exchange = AxiExchange(AxiPlan(script=script, max_cycles=20_000))
    # All but a frame's last word are taken before the change.
    exchange.got.pauses = Until(
        lambda: len(exchange.got.found) < words - 1 or len(exchange.log) == len(script) - 1
    )
    in_amaranth.run(Accelerator(program), exchange)
    found = [last for _, last in exchange.log[-1]]
    assert found == [0] * (words - 1) + lasts[:1] + [0] * (words - 1) + lasts[1:]
