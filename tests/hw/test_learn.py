# SPDX-License-Identifier: Apache-2.0
"""Gateware that learns gives the golden sums, and holds the golden weights afterwards."""

import amaranth.back.rtlil as rtlil
import numpy as np
import pytest
from bench import machine
from bench.codes import golden_run, random_tensors
from bench.refusals import refusal
from bench.streams import Backend, first_divergence, read_back, simulate
from bench.vectors import compare_with_golden, dense_beats, event_beats
from hypothesis import given, settings
from hypothesis import strategies as st
from program_parts import per_step, program

from spikewright.hw.cells.family import ECP5
from spikewright.hw.estimate import Estimate, block_rams, estimate
from spikewright.hw.folding import fold
from spikewright.hw.learn import REST, Learn
from spikewright.hw.pace import pace
from spikewright.sim import golden
from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.learn import Learn as Primitive
from spikewright.sim.ports import SPIKE
from spikewright.sim.primitive import State
from spikewright.sim.program import Program

WEIGHT, CHANGE = QFormat(width=5, frac=3), QFormat(width=4, frac=3)
SHAPES = [
    *((1, 1, 1), (1, 7, 1), (6, 1, 1), (6, 1, 6), (6, 1, 4), (5, 6, 5), (5, 6, 2), (5, 6, 1)),
    *((7, 5, 3), (8, 3, 4), (13, 2, 13), (16, 9, 16)),
]
"""Rows, columns, lanes."""


def primitive_of(
    rows: int, columns: int, weight: QFormat = WEIGHT, change: QFormat = CHANGE
) -> Primitive:
    return Primitive(rows=rows, columns=columns, weight="w", weight_format=weight, change=change)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("rows", "columns", "lanes"), SHAPES)
def test_sums(rows: int, columns: int, lanes: int, seed: int | None) -> None:
    component = Learn(primitive_of(rows, columns), lanes=lanes)
    compare_with_golden(component, seed=seed or 0, frames=1, steps=12, stalls=seed is not None)


@settings(max_examples=25)
@given(
    st.tuples(st.integers(1, 7), st.integers(1, 6), st.integers(1, 7)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(-1, 9), st.booleans()),
    st.integers(0, 99),
)
def test_any_shape_and_format(
    shape: tuple[int, int, int], widths: tuple[int, int, int, bool], seed: int
) -> None:
    rows, columns, lanes = shape
    bits, change_bits, frac, signed = widths
    weight = QFormat(width=bits, frac=frac, signed=signed)
    change = QFormat(width=min(change_bits, bits), frac=frac)
    component = Learn(primitive_of(rows, columns, weight, change), lanes=min(lanes, rows))
    compare_with_golden(component, seed=seed, frames=1, steps=8)


def test_weights_of_32_bits() -> None:
    wide = primitive_of(3, 4, QFormat(width=32), QFormat(width=32))
    assert wide.accumulator.width == 34
    compare_with_golden(Learn(wide, lanes=2), seed=4, frames=1, steps=12)


@pytest.mark.parametrize("backend", ["amaranth", "cocotb"])
@pytest.mark.parametrize("late", ["i_d", "i_x"])
def test_a_step_needs_nothing_of_the_next(late: str, backend: Backend) -> None:
    """Of one input there is a step only, of the other there is more."""
    component = Learn(primitive_of(4, 5), lanes=2)
    tensors = random_tensors(np.random.default_rng(0), component.primitive)
    x, d = np.ones((1, 3, 5), np.int64), np.arange(12).reshape(1, 3, 4) % 8
    (y,) = golden_run(component.primitive, tensors, [x, d])
    stimuli = {"i_x": event_beats(x), "i_d": dense_beats(d, 1)}
    stimuli[late] = stimuli[late][: len(stimuli[late]) // 3]
    got = simulate(
        component,
        stimuli,
        {"o_y": 2},
        tensors={"host_0": tensors["w"].ravel().tolist()},
        backend=backend,
        more=True,
    )
    assert first_divergence(dense_beats(y, 2)[:2], got["o_y"]) is None


def test_the_same_spike_in_every_step() -> None:
    """Steps of one spike follow as closely as can be, and each finds what the last has written."""
    component = Learn(primitive_of(1, 3, QFormat(width=16, frac=3)), lanes=1)
    steps = 20
    x = np.zeros((1, steps, 3), np.int64)
    x[:, :, 1] = 1
    d = np.arange(-9, 11)[None, :, None] % 8
    (y,) = golden_run(component.primitive, {"w": np.array([[7, 5, -3]])}, [x, d])
    got = simulate(
        component,
        {"i_x": event_beats(x), "i_d": dense_beats(d, 1)},
        {"o_y": steps},
        tensors={"host_0": [7, 5, -3]},
        max_cycles=60 + 3 * 6 + steps * (1 + REST),
    )
    assert first_divergence(dense_beats(y, 1), got["o_y"]) is None


@pytest.mark.parametrize(("lanes", "passes"), [(6, 1), (3, 2)])
def test_throughput_without_stalls(lanes: int, passes: int) -> None:
    """A pass takes a cycle for each spike and REST more."""
    component = Learn(primitive_of(6, 16), lanes=lanes)
    x, d = np.ones((1, 12, 16), np.int64), np.zeros((1, 12, 6), np.int64)
    simulate(
        component,
        {"i_x": event_beats(x), "i_d": dense_beats(d, 1)},
        {"o_y": 12 * passes},
        max_cycles=70 + 12 * max(17, passes * (16 + REST)),
    )


@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 7])
def test_parameters_read_back_row_major(lanes: int) -> None:
    component = Learn(primitive_of(7, 5), lanes=lanes)
    codes = random_tensors(np.random.default_rng(lanes), component.primitive)["w"].ravel().tolist()
    assert read_back(component, "host_0", 35, tensors={"host_0": codes}, stall_seed=lanes) == codes


def driven(rows: int = 7, columns: int = 5) -> Program:
    """Rows that learn from an input."""
    return program(
        {"x": per_step(columns, SPIKE), "d": per_step(rows, CHANGE)},
        {"learn": (primitive_of(rows, columns), ("x", "d"))},
        {"y": "learn"},
        steps=None,
    )


@pytest.mark.parametrize("lanes", [None, 1, 3])
def test_what_was_learned_is_read_back_and_survives_a_soft_reset(lanes: int | None) -> None:
    given_program, rng = driven(), np.random.default_rng(0)
    state: dict[str, State] = {}
    with machine.interpreted(given_program, lanes) as engine:
        machine.load(engine, given_program)
        for seed in range(3):
            inputs = {
                "x": rng.integers(2, size=(1, 9, 5)),
                "d": rng.integers(CHANGE.lo, CHANGE.hi, (1, 9, 7), endpoint=True),
            }
            wanted = golden.run(given_program, inputs, state=state)["learn.y"]
            found = machine.run(engine, given_program, inputs, stall_seed=seed)["y"]
            assert np.array_equal(found, wanted)
            machine.soft_reset(engine)
            weights = given_program.tensors["w"] + state["learn"]["learned"][0]
            assert machine.tensor(engine, given_program, "w") == weights.ravel().tolist()
        assert np.abs(state["learn"]["learned"]).max() > 8
        machine.load(engine, given_program)
        wanted = golden.run(given_program, inputs)["learn.y"]
        assert np.array_equal(machine.run(engine, given_program, inputs)["y"], wanted)
        assert machine.read(engine, "STATUS") == 0


@pytest.mark.parametrize(
    ("lanes", "units"), [(None, 10), (4, 4), (9, 7), ({"learn": 20}, 20), (1, 1), (99, 20)]
)
def test_lanes_of_a_program(lanes: int | dict[str, int] | None, units: int) -> None:
    """The fewest that need no more passes: ten and not sixteen for twenty rows."""
    assert fold(driven(rows=20), lanes) == {"learn": units}


@pytest.mark.parametrize(
    ("lanes", "message"),
    [
        ({"learn": 8}, "Lanes of learn must be between 1 and its 7 rows, not 8"),
        ({"learn.y": 1}, "Rows in a beat can be chosen for no node, not for 'learn.y'"),
        ({"other": 1}, "Lanes can be chosen for learn, not for 'other'"),
    ],
)
def test_lanes_that_cannot_be(lanes: dict[str, int], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        fold(driven(), lanes)
    assert str(caught.value) == message


@pytest.mark.parametrize("lanes", [1, 3])
def test_the_pace_is_what_is_said(lanes: int) -> None:
    """Cycles of a step in which every neuron spikes, among others."""
    given_program = driven(6, 16)
    said = pace(given_program, fold(given_program, lanes), activity=1.0)
    found = []
    for steps in (4, 12):
        inputs = {"x": np.ones((1, steps, 16), int), "d": np.zeros((1, steps, 6), int)}
        with machine.interpreted(given_program, lanes) as engine:
            machine.load(engine, given_program)
            machine.run(engine, given_program, inputs)
            found.append(machine.read(engine, "CYCLES"))
    assert said.limit == "learn"
    assert said.interval == 6 // lanes * (16 + REST)
    assert 0.95 * said.interval <= (found[1] - found[0]) / 8 <= said.interval


@pytest.mark.parametrize("lanes", [0, -1, 8])
def test_lanes_must_be_in_range(lanes: int) -> None:
    assert refusal(Learn, primitive_of(7, 5), lanes=lanes) == (
        f"Learn lanes must be between 1 and its 7 outputs, not {lanes}"
    )


@pytest.mark.parametrize(
    ("rows", "columns", "bits", "lanes"), [(16, 512, 16, 16), (3, 1000, 12, 3), (12, 600, 9, 4)]
)
def test_block_ram_of_weights(rows: int, columns: int, bits: int, lanes: int) -> None:
    """The weights' words, and two steps of spikes; no multipliers."""
    weight = QFormat(width=bits)
    component = Learn(primitive_of(rows, columns, weight, QFormat(width=bits)), lanes=lanes)
    text = str(rtlil.convert(component, platform=ECP5, emit_src=False))
    index = (columns - 1).bit_length()
    spikes = block_rams(index + 1, 2 << index)
    words = block_rams(bits * lanes, -(-rows // lanes) * columns)
    assert words > 0
    assert estimate(text, ECP5) == Estimate(bram=words + spikes, dsp=0)
