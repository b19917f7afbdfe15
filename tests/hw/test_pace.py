# SPDX-License-Identifier: Apache-2.0
"""What is said about a program's pace, against the gateware's own count of cycles."""

import random
from typing import Any
from unittest.mock import patch

import amaranth.back.rtlil as rtlil
import program_parts as parts
import programs
import pytest
from bench import machine
from hypothesis import given, settings
from hypothesis import strategies as st
from random_program import Draw

from spikewright.hw.datapath import build
from spikewright.hw.folding import fold
from spikewright.hw.neuron.state import StatePipeline
from spikewright.hw.pace import pace, state_cycles
from spikewright.sim.fixed import QFormat
from spikewright.sim.primitives import Delay, Last, Leaky, Lif, Requantize, Route
from spikewright.sim.program import Program

FRAMES = 2


def measured(program: Program, lanes: int) -> float:
    """Cycles of a frame among others: what more frames take more."""
    with machine.interpreted(program, lanes) as engine:
        machine.load(engine, program)
        found = []
        for frames in (FRAMES, 3 * FRAMES):
            machine.run(engine, program, programs.random_inputs(program, frames))
            found.append(machine.read(engine, "CYCLES"))
    return (found[1] - 2 * found[0]) / (2 * FRAMES)


def chain(kinds: list[str], sizes: list[int]) -> Program:
    """Dense nodes one after the other."""
    nodes, last, port = {}, "x", parts.per_frame(sizes[0]).port
    for k, (kind, size) in enumerate(zip(kinds, sizes[1:], strict=True)):
        name = f"n{k}"
        if kind == "product":
            primitive = parts.dense(name, size, port.size, port.format)
        elif kind == "scale":
            to = QFormat(width=8, frac=5, signed=False)
            primitive = Requantize(size=port.size, input=port.format, output=to)
        else:
            primitive = Route(sizes=(port.size,), format=port.format)
        nodes[name] = (primitive, (last,))
        last, (port,) = name, primitive.ports().outputs.values()
    return parts.program({"x": parts.per_frame(sizes[0])}, nodes, {"y": last})


@settings(max_examples=5, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(["product", "scale", "route"]), min_size=1, max_size=3),
    st.lists(st.integers(1, 12), min_size=4, max_size=4),
    st.sampled_from([1, 3]),
)
def test_chains_take_what_is_said(kinds: list[str], sizes: list[int], lanes: int) -> None:
    program = chain(kinds, sizes[: len(kinds) + 1])
    said = pace(program, fold(program, lanes))
    assert 0.5 * said.interval <= measured(program, lanes) <= said.interval


def test_a_route_takes_three_cycles_for_what_leaves_and_one_for_what_comes() -> None:
    program = chain(["route"], [48, 48])
    said = pace(program, fold(program, 1))
    assert (said.interval, said.limit) == (192, "n0")
    assert measured(program, 1) == 192


def leaky_then_last() -> Program:
    leaky = Leaky(size=2, input=parts.CURRENT, membrane=parts.MEMBRANE, leak="leak")
    nodes = {"lk": (leaky, ("x",)), "l": (Last(size=2, format=parts.MEMBRANE), ("lk",))}
    given = {"x": parts.per_step(2, parts.CURRENT)}
    return parts.program(given, nodes, {"y": "l"}, steps=20, tensors={"leak": [3196]})


def delayed() -> Program:
    delay = Delay(size=5, format=parts.PIXEL, steps=1)
    given = {"x": parts.per_step(5)}
    return parts.program(given, {"d": (delay, ("x",))}, {"y": "d"}, steps=6)


def late_last() -> Program:
    given = {"x": parts.per_step(9)}
    nodes = {"l": (Last(size=9, format=parts.PIXEL), ("x",))}
    return parts.program(given, nodes, {"y": "l"}, steps=3)


@pytest.mark.parametrize(
    ("program", "limit"), [(leaky_then_last(), "lk"), (delayed(), "d"), (late_last(), "l")]
)
def test_steps_take_at_most_what_is_said(program: Program, limit: str) -> None:
    said = pace(program, fold(program, 1))
    assert said.limit == limit
    assert 0.8 * said.interval <= measured(program, 1) <= said.interval


def test_several_inputs_come_one_after_the_other() -> None:
    program = programs.PROGRAMS["paired_inputs"]()
    said = pace(program, fold(program, 1))
    assert said.busy["frame.in"] == sum(said.busy[name] for name in program.inputs)


def stages_of(primitive: Leaky | Lif) -> int:
    """Cycles until the gateware's state is written."""
    stages = []
    write = StatePipeline._write

    def noted(*arguments: Any) -> int:
        stages.append(write(*arguments))
        return stages[-1]

    with patch.object(StatePipeline, "_write", noted):
        rtlil.convert(build(primitive, 1, 3), emit_src=False)
    return max(stages)


@pytest.mark.parametrize("seed", range(6))
def test_state_is_written_in_time(seed: int) -> None:
    """The bound holds for every option, and is not far off."""
    for node in Draw(random.Random(seed), steps=3).membranes().nodes:
        if isinstance(node.primitive, Leaky | Lif):
            said = state_cycles(node.primitive)
            stages = stages_of(node.primitive)
            assert stages <= said, node.primitive
            # Of two synapses in series one may be known long before the other.
            if isinstance(node.primitive, Leaky) or not node.primitive.synapses:
                assert said <= 2 * stages, node.primitive
