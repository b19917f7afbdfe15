# SPDX-License-Identifier: Apache-2.0
"""Frames and packets of a whole accelerator, and how it recovers."""

import numpy as np
import program_parts
import programs
import pytest
from bench import machine
from bench.refusals import refusal

from spikewright.hw.accelerator import Accelerator
from spikewright.hw.product import product_core
from spikewright.sim import golden, packets
from spikewright.sim.engine import Engine
from spikewright.sim.errors import DeviceError
from spikewright.sim.primitive import Codes
from spikewright.sim.primitives import Delay, Route
from spikewright.sim.program import Program
from spikewright.sim.registers import mask


def equal(program: Program, found: dict[str, Codes], inputs: dict[str, Codes]) -> bool:
    streams = golden.run(program, inputs)
    return all(
        np.array_equal(found[output], streams[program.resolve(reference)])
        for output, reference in program.outputs.items()
    )


def status(engine: Engine) -> int:
    return machine.read(engine, "STATUS")


CUT, BUSY = mask("STATUS", "CUT_FRAME"), mask("STATUS", "BUSY")

CUTS = {
    "mlp": 3,
    "lif_count": 2,
    "lif_membrane": 1,
    "route_recurrence": 3,
    "spike_recurrence": 7,
    "many_ports": 4,
    "voltage_output": 5,
    "running_sum": 9,
    "delayed_echo_frames": 1,
}
"""Programs and words after which the packet ends, within a vector or between the steps."""


@pytest.mark.parametrize("name", CUTS)
def test_a_soft_reset_recovers_a_cut_frame(name: str) -> None:
    program = programs.PROGRAMS[name]()
    inputs = programs.random_inputs(program, 2)
    with machine.interpreted(program, 4) as engine:
        machine.load(engine, program)
        engine.tx_start(packets.pack_frames(program, inputs)[0, : CUTS[name]])
        engine.run(300)
        assert engine.tx_left() == 0
        assert status(engine) == CUT | BUSY
        machine.soft_reset(engine)
        assert status(engine) == CUT
        machine.write(engine, "STATUS", CUT)
        # The tensors stay, those in registers and those in memory.
        assert machine.read(engine, "PROGRAM_HASH") == program.program_hash
        assert equal(program, machine.run(engine, program, inputs), inputs)
        assert status(engine) == 0
        assert machine.crcs(engine, program) == machine.expected_crcs(
            program, golden.run(program, inputs)
        )


@pytest.mark.parametrize("cycles", [3, 40, 150])
def test_a_soft_reset_at_any_time(cycles: int) -> None:
    program = programs.spike_recurrence()
    inputs = programs.random_inputs(program, 3)
    with machine.interpreted(program, 3) as engine:
        machine.load(engine, program)
        engine.tx_start(packets.pack_frames(program, inputs).ravel())
        engine.run(cycles)
        engine.tx_start_at(0, 0)
        machine.soft_reset(engine)
        assert status(engine) & ~CUT == 0
        machine.write(engine, "STATUS", CUT)
        assert equal(program, machine.run(engine, program, inputs), inputs)
        assert status(engine) == 0


@pytest.mark.parametrize("cycles", [60, 150])
def test_nothing_leaves_after_a_soft_reset_is_answered(cycles: int) -> None:
    program = programs.mlp((5, 3, 3))
    inputs = programs.random_inputs(program, 2)
    with machine.interpreted(program) as engine:
        machine.load(engine, program)
        engine.tx_start(packets.pack_frames(program, inputs).ravel())
        engine.run(cycles)
        engine.tx_start_at(0, 0)
        machine.soft_reset(engine)
        engine.rx_start(np.zeros(8, np.uint32))
        engine.run(200)
        assert engine.rx_count() == 0
        assert machine.read(engine, "FRAMES") == 0


@pytest.mark.parametrize("cycles", [44, 52, 60, 68, 80])
def test_a_soft_reset_while_the_output_is_open(cycles: int) -> None:
    """What has left is a prefix of what was due, and the next frames are whole."""
    program = programs.mlp((5, 3, 3))
    inputs = programs.random_inputs(program, 2)
    with machine.interpreted(program) as engine:
        machine.load(engine, program)
        whole = machine.run(engine, program, inputs)
        given = packets.pack_frames(program, inputs).ravel()
        size = 2 * packets.frame_words(program)[1]
        due, got = np.zeros(size, np.uint32), np.zeros(size, np.uint32)
        engine.rx_start(due)
        engine.tx_start(given)
        engine.run(300)
        assert engine.rx_count() == size
        engine.rx_start(got)
        engine.tx_start(given)
        engine.run(cycles)
        engine.tx_start_at(0, 0)
        machine.soft_reset(engine)
        left = engine.rx_count()
        engine.run(100)
        assert engine.rx_count() == left
        assert np.array_equal(got[:left], due[:left])
        engine.rx_start_at(0, 0)
        again = machine.run(engine, program, inputs)
        assert all(np.array_equal(again[name], codes) for name, codes in whole.items())


def test_a_soft_reset_keeps_a_weight_that_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port answers when a write sets out; with a bank a lane the last one is far away."""
    monkeypatch.setattr(product_core, "bank_of", lambda width, depth, lanes, lanes_out: lanes_out)
    rows = 48
    fc = program_parts.dense("fc", rows, 2)
    program = program_parts.program(
        {"x": program_parts.per_frame(2)}, {"fc": (fc, ("x",))}, {"y": "fc"}
    )
    with machine.interpreted(program, {"fc": rows, "fc.y": 1}) as engine:
        machine.load(engine, program)
        machine.write(engine, "PARAM_TENSOR", 0)
        machine.write(engine, "PARAM_START", rows * 2 - 1)
        machine.write(engine, "PARAM_DATA", 99)
        machine.soft_reset(engine)
        assert machine.tensor(engine, program, "fc.weight", rows * 2 - 1) == [99]


def delayed_product() -> Program:
    """A Delay's output leaves long before its input has come."""
    fc = program_parts.dense("fc", 4, 24)
    delay = Delay(size=4, format=fc.ports().outputs["y"].format, steps=1)
    nodes = {"fc": (fc, ("x",)), "d": (delay, ("fc",))}
    return program_parts.program({"x": program_parts.per_step(24)}, nodes, {"y": "d"}, steps=3)


def unread_product() -> Program:
    """The input leaves at once, the product that nobody reads takes its time."""
    nodes = {"fc": (program_parts.dense("fc", 9, 24), ("x",))}
    return program_parts.program({"x": program_parts.per_frame(24)}, nodes, {"same": "x"})


@pytest.mark.parametrize(
    ("program", "output"), [(delayed_product(), "y"), (unread_product(), "same")]
)
def test_busy_until_all_of_a_frame_has_come_to_its_end(program: Program, output: str) -> None:
    inputs = programs.random_inputs(program, 1)
    given = packets.pack_frames(program, inputs).ravel()
    wanted = golden.run(program, inputs) | inputs
    with machine.interpreted(program, 1) as engine:
        machine.load(engine, program)
        for _ in range(2):
            found = np.zeros(packets.frame_words(program)[1], np.uint32)
            engine.rx_start(found)
            engine.tx_start(given)
            while engine.rx_busy():
                engine.run(1)
            assert status(engine) == BUSY
            with pytest.raises(DeviceError):
                machine.write(engine, "PARAM_TENSOR", 0)
            engine.run(600)
            assert status(engine) == mask("STATUS", "WHILE_BUSY")
            machine.write(engine, "STATUS", mask("STATUS", "WHILE_BUSY"))
            got = packets.unpack_frames(program, found.reshape(1, -1))[output]
            assert np.array_equal(got, wanted[program.resolve(program.outputs[output])])
        assert machine.read(engine, "FRAMES") == 2


@pytest.mark.parametrize(("length", "cut"), [(2, True), (4, True), (5, False), (7, True)])
def test_tlast_inside_a_frame_is_noticed(length: int, cut: bool) -> None:
    """Five words are a frame: an end after five is none of the frames'."""
    program = programs.mlp((20, 3, 2))
    with machine.interpreted(program) as engine:
        machine.load(engine, program)
        engine.rx_start(np.zeros(8, np.uint32))
        engine.tx_start(np.zeros(length, np.uint32))
        engine.run(300)
        assert bool(status(engine) & CUT) is cut
        assert machine.read(engine, "FRAMES") == (length >= 5)


@pytest.mark.parametrize("name", ["spike_input", "voltages"])
def test_tlast_after_a_step_ends_the_frame(name: str) -> None:
    program = programs.PROGRAMS[name]()
    whole = programs.random_inputs(program, 1)
    with machine.interpreted(program) as engine:
        machine.load(engine, program)
        for steps in (1, program.steps, 2, 3, 1):
            inputs = {key: codes[:, :steps] for key, codes in whole.items()}
            assert equal(program, machine.run(engine, program, inputs), inputs)
        assert status(engine) == 0
        assert machine.read(engine, "FRAMES") == 5


@pytest.mark.parametrize("name", ["route_recurrence", "many_ports", "paired_inputs"])
def test_tlast_after_a_step_is_a_cut_where_frames_cannot_end_early(name: str) -> None:
    program = programs.PROGRAMS[name]()
    inputs = programs.random_inputs(program, 1)
    step = packets.frame_words(program)[0] // program.steps
    with machine.interpreted(program) as engine:
        machine.load(engine, program)
        engine.tx_start(packets.pack_frames(program, inputs)[0, : step + 1])
        engine.run(100)
        assert status(engine) == CUT | BUSY


@pytest.mark.parametrize(
    ("per_packet", "lasts"),
    [(1, [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (3, [3, 6]), (4, [4]), (0, []), (7, [])],
)
def test_frames_per_packet(per_packet: int, lasts: list[int]) -> None:
    program = programs.mlp((5, 3, 3))
    inputs = programs.random_inputs(program, 6)
    words = packets.frame_words(program)[1]
    with machine.interpreted(program) as engine:
        machine.load(engine, program)
        machine.write(engine, "FRAMES_PER_PACKET", per_packet)
        engine.tx_start(packets.pack_frames(program, inputs).ravel())
        got, found = [], []
        while len(got) < 6 * words:
            buffer = np.zeros(1, np.uint32)
            engine.rx_start(buffer)
            engine.run(150)
            assert engine.rx_count() == 1
            got.append(int(buffer[0]))
            if engine.rx_last():
                assert len(got) % words == 0
                found.append(len(got) // words)
        outputs = packets.unpack_frames(program, np.array(got, np.uint32).reshape(6, words))
        assert found == lasts
        assert equal(program, outputs, inputs)


def test_crcs_are_of_the_last_whole_frame() -> None:
    program = programs.lif_count()
    inputs = programs.random_inputs(program, 3)
    streams = golden.run(program, inputs)
    with machine.interpreted(program) as engine:
        machine.load(engine, program)
        for frame in range(3):
            machine.run(engine, program, {"x": inputs["x"][frame : frame + 1]})
            engine.run(30)
            assert machine.crcs(engine, program) == machine.expected_crcs(program, streams, frame)
        begun = packets.pack_frames(program, inputs)[0, :2]
        engine.tx_start(begun)
        engine.run(200)
        assert machine.crcs(engine, program) == machine.expected_crcs(program, streams, 2)


@pytest.mark.parametrize(
    "name", ["delayed_echo_frames", "delayed_echo_short", "delayed_echo_stream"]
)
def test_nothing_is_said_before_a_frame_begins(name: str) -> None:
    program = programs.PROGRAMS[name]()
    frames = 1 if program.steps is None else 3
    inputs = programs.random_inputs(program, frames, None if program.steps else 5)
    steps = machine.shape_of(program, inputs)[1]
    buffer = np.zeros(frames * steps * machine.step_words(program), np.uint32)
    with machine.interpreted(program) as engine:
        machine.write(engine, "FRAMES_PER_PACKET", 0)
        engine.rx_start(buffer)
        engine.run(100)
        assert (engine.rx_count(), status(engine)) == (0, 0)
        assert machine.read(engine, "CYCLES") == 0
        engine.tx_start(packets.pack_frames(program, inputs).ravel())
        engine.run(400)
        assert (engine.rx_count(), status(engine)) == (buffer.size, 0)
        assert machine.read(engine, "FRAMES") == (frames if program.steps else steps)
        found = packets.unpack_frames(program, buffer.reshape(frames, -1), steps)
        assert equal(program, found, inputs)


def test_tensors_loaded_between_frames_are_used_at_once() -> None:
    """Nothing of a frame is computed ahead with the tensors of before."""
    first, second = (programs.spike_recurrence(seed=seed) for seed in (0, 1))
    inputs = programs.random_inputs(first, 2)
    with machine.interpreted(first, 3) as engine:
        for program in (first, second, first):
            machine.load(engine, program)
            assert equal(program, machine.run(engine, program, inputs), inputs)


def test_a_stream_runs_on_between_packets() -> None:
    program = programs.spike_recurrence(None)
    inputs = programs.random_inputs(program, 1, steps=9)
    streams = golden.run(program, inputs)
    with machine.interpreted(program, 2) as engine:
        machine.load(engine, program)
        parts = [slice(0, 1), slice(1, 5), slice(5, 9)]
        found = [machine.run(engine, program, {"x": inputs["x"][:, part]}) for part in parts]
        spikes = np.concatenate([part["spikes"] for part in found], axis=1)
        assert np.array_equal(spikes, streams["lif.spike"])
        machine.soft_reset(engine)
        again = machine.run(engine, program, inputs)
        assert np.array_equal(again["spikes"], streams["lif.spike"])


def test_there_are_at_most_64_layers() -> None:
    fmt = program_parts.PIXEL
    nodes = {
        f"r{k}": (Route(sizes=(1,), format=fmt), (f"r{k - 1}" if k else "x",)) for k in range(65)
    }
    program = program_parts.program({"x": program_parts.per_frame(1)}, nodes, {"y": "r64"})
    assert refusal(Accelerator, program) == "Accelerator must have at most 64 layers, not 65"
