# SPDX-License-Identifier: Apache-2.0
"""One network, the same bits everywhere: every kind of program on every backend."""

from collections.abc import Callable, Mapping

import numpy as np
import programs
import pytest
from bench import machine

from spikewright.sim import golden
from spikewright.sim.emulator import Emulator
from spikewright.sim.engine import Engine
from spikewright.sim.primitive import Codes, State
from spikewright.sim.program import Program

LANES = {
    "mlp": 4,
    "spike_recurrence": 3,
    "lif_count": {"fc1": 9, "fc2": 1},
    "voltages": 1,
    "learning_stream": 2,
}
"""Where a program is also worth running on other than the default lanes."""


def on_golden(program: Program, inputs: Mapping[str, Codes], name: str) -> dict[str, Codes]:
    """Outputs of the golden run, one frame at a time."""
    frames = len(next(iter(inputs.values())))
    found = [
        golden.run(program, {k: x[frame : frame + 1] for k, x in inputs.items()})
        for frame in range(frames)
    ]
    return {
        output: np.concatenate([streams[program.resolve(reference)] for streams in found])
        for output, reference in program.outputs.items()
    }


def on_emulator(program: Program, inputs: Mapping[str, Codes], name: str) -> dict[str, Codes]:
    emulator = Emulator(program)
    found = emulator.run(inputs)
    layers = emulator.trace(inputs, program.layers)
    streams = golden.run(program, inputs)
    for reference in program.layers:
        assert np.array_equal(layers[reference], streams[reference]), reference
    return found


def on_rtl(
    program: Program,
    inputs: Mapping[str, Codes],
    name: str,
    engine_of: Callable[..., Engine] = machine.compiled,
) -> dict[str, Codes]:
    """Outputs of the Verilog; its layers' beats and CRCs are compared on the way."""
    state: dict[str, State] = {}
    streams = golden.run(program, inputs, state=state)
    with engine_of(program, LANES.get(name)) as engine:
        machine.load(engine, program)
        engine.record(True)
        found = machine.run(engine, program, inputs)
        engine.run(200)
        beats = engine.probes()
        for reference in program.layers:
            expected = machine.expected_probes(program, reference, streams[reference])
            assert machine.probed(program, beats, reference) == expected, reference
        if program.steps is not None:
            crcs = machine.expected_crcs(program, streams)
            assert machine.crcs(engine, program) == crcs
        for tensor, node in program.learned.items():
            weights = program.tensors[tensor] + state[node]["learned"][0]
            assert machine.tensor(engine, program, tensor) == weights.ravel().tolist()
        assert machine.read(engine, "STATUS") == 0
    return found


def on_stalled_rtl(program: Program, inputs: Mapping[str, Codes], name: str) -> dict[str, Codes]:
    """The same with random stalls, after another batch."""
    steps = machine.shape_of(program, inputs)[1]
    with machine.compiled(program, LANES.get(name)) as engine:
        machine.load(engine, program)
        other = programs.random_inputs(program, 1, None if program.steps else steps, seed=5)
        machine.run(engine, program, other, stall_seed=1)
        if program.steps is None:
            machine.soft_reset(engine)
        if program.learned:
            machine.load(engine, program)
        found = machine.run(engine, program, inputs, stall_seed=2)
        assert machine.read(engine, "STATUS") == 0
    return found


def on_simulated_gateware(
    program: Program, inputs: Mapping[str, Codes], name: str
) -> dict[str, Codes]:
    """The gateware in Amaranth's simulator, without Verilog."""
    return on_rtl(program, inputs, name, machine.interpreted)


BACKENDS: dict[str, Callable[[Program, Mapping[str, Codes], str], dict[str, Codes]]] = {
    "golden": on_golden,
    "emulator": on_emulator,
    "gateware": on_simulated_gateware,
    "rtl": on_rtl,
    "stalled_rtl": on_stalled_rtl,
}

QUICK = (
    "mlp",
    "channel_shifts",
    "wide",
    "lif_count",
    "lif_membrane",
    "spike_input",
    "route_recurrence",
    "spike_recurrence_stream",
    "learning_stream",
    "many_ports",
)
"""Programs whose Verilog is always compiled, some seconds each; that of the others is slow."""

CASES = [
    pytest.param(
        backend,
        name,
        marks=[pytest.mark.slow] if backend.endswith("rtl") and name not in QUICK else [],
        id=f"{backend}-{name}",
    )
    for backend in BACKENDS
    for name in programs.PROGRAMS
]


def batch(program: Program) -> dict[str, Codes]:
    """Three frames, or one stream of nine steps."""
    if program.steps is None:
        return programs.random_inputs(program, 1, steps=9)
    return programs.random_inputs(program, 3)


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_the_same_bits(backend: str, name: str) -> None:
    program = programs.PROGRAMS[name]()
    inputs = batch(program)
    streams = golden.run(program, inputs)
    found = BACKENDS[backend](program, inputs, name)
    assert list(found) == list(program.outputs)
    for output, reference in program.outputs.items():
        assert np.array_equal(found[output], streams[program.resolve(reference)]), output


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("name", ["spike_input"])
def test_frames_that_end_early(backend: str, name: str, steps: int) -> None:
    program = programs.PROGRAMS[name]()
    inputs = {"x": programs.random_inputs(program, 3)["x"][:, :steps]}
    streams = golden.run(program, inputs)
    found = BACKENDS[backend](program, inputs, name)
    for output, reference in program.outputs.items():
        assert np.array_equal(found[output], streams[program.resolve(reference)]), output
