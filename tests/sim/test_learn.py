# SPDX-License-Identifier: Apache-2.0
"""Weights that learn, against Python integers, closed forms and the rule's purpose."""

import numpy as np
import pytest
from bench.codes import golden_run, random_inputs, random_tensors
from hypothesis import given
from hypothesis import strategies as st
from program_parts import per_step, program

from spikewright.sim import golden
from spikewright.sim.errors import FormatError, ProgramError
from spikewright.sim.event_matvec import EventMatVec
from spikewright.sim.fixed import QFormat
from spikewright.sim.learn import Learn
from spikewright.sim.ports import SPIKE, Kind, Rate
from spikewright.sim.primitives import Delay, Elementwise, MatVec, Requantize
from spikewright.sim.program import Program

WEIGHT, CHANGE = QFormat(width=8, frac=4), QFormat(width=5, frac=4)
GOOD = {"rows": 2, "columns": 3, "weight": "w", "weight_format": WEIGHT, "change": CHANGE}


def learn(**fields: object) -> Learn:
    return Learn(**{**GOOD, **fields})


@st.composite
def learns(draw: st.DrawFn) -> Learn:
    """Any that there can be, with the narrowest formats among them."""
    frac, signed = draw(st.integers(-2, 12)), draw(st.booleans())
    weight = QFormat(width=draw(st.integers(1, 16)), frac=frac, signed=signed)
    change = QFormat(width=draw(st.integers(1, weight.width)), frac=frac)
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    return learn(rows=rows, columns=columns, weight_format=weight, change=change)


def by_hand(
    fmt: QFormat, weights: list[list[int]], x: list[list[int]], d: list[list[int]]
) -> tuple[list[list[int]], list[list[int]]]:
    """Outputs of each step and the weights after the last one, spike by spike."""
    found = []
    for spikes, changes in zip(x, d, strict=True):
        total = [0] * len(weights)
        for j in (j for j, spike in enumerate(spikes) if spike):
            for r, change in enumerate(changes):
                total[r] += weights[r][j]
                weights[r][j] = max(fmt.lo, min(fmt.hi, weights[r][j] + change))
        found.append(total)
    return found, weights


@given(learns(), st.integers(1, 9), st.integers(0, 2**32))
def test_spike_by_spike(primitive: Learn, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tensors = random_tensors(rng, primitive)
    x, d = random_inputs(rng, primitive, 3, steps)
    (y,) = golden_run(primitive, tensors, [x, d])
    state = primitive.init_state(3)
    for t in range(steps):
        state, _ = primitive.step(tensors, state, x[:, t], d[:, t])
    for row in range(3):
        weights = tensors["w"].tolist()
        wanted, after = by_hand(primitive.weight_format, weights, x[row].tolist(), d[row].tolist())
        assert y[row].tolist() == wanted
        assert (tensors["w"] + state["learned"][row]).tolist() == after
        assert primitive.weight_format.holds(tensors["w"] + state["learned"][row])
        assert primitive.accumulator.holds(y)


@given(learns(), st.integers(0, 2**32))
def test_without_change_it_is_a_product(primitive: Learn, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tensors = random_tensors(rng, primitive)
    x, d = random_inputs(rng, primitive, 2, 4)
    product = EventMatVec(
        rows=primitive.rows,
        columns=primitive.columns,
        weight="w",
        weight_format=primitive.weight_format,
    )
    assert product.ports().outputs == primitive.ports().outputs
    assert product.tensors() == primitive.tensors()
    wanted = golden_run(product, tensors, [x])
    assert np.array_equal(golden_run(primitive, tensors, [x, d * 0]), wanted)


def test_what_a_step_writes_is_read_from_the_next_on() -> None:
    tensors = {"w": np.array([[1, 2, 3], [-1, -2, -3]])}
    x, d = np.array([[[1, 0, 1]] * 3]), np.array([[[10, -3]] * 3])
    (y,) = golden_run(learn(), tensors, [x, d])
    # Each step adds the change once for each of two spikes.
    assert y[0].tolist() == [[4, -4], [24, -10], [44, -16]]


@pytest.mark.parametrize(("change", "end"), [(15, 127), (-16, -128)])
def test_weights_stay_at_the_ends_of_their_format(change: int, end: int) -> None:
    tensors = {"w": np.zeros((1, 1), np.int64)}
    primitive = learn(rows=1, columns=1)
    (y,) = golden_run(primitive, tensors, [np.ones((1, 12, 1), int), np.full((1, 12, 1), change)])
    climb = [change * t for t in range(12)]
    assert y[0, :, 0].tolist() == [code if abs(code) < abs(end) else end for code in climb]
    assert y[0, -1, 0] == end


def test_a_batch_learns_row_by_row() -> None:
    primitive, tensors = learn(), {"w": np.zeros((2, 3), np.int64)}
    x = np.array([[[1, 0, 0]] * 4, [[0, 1, 0]] * 4])
    d = np.array([[[1, 0]] * 4, [[0, 2]] * 4])
    state = primitive.init_state(2)
    for t in range(4):
        state, _ = primitive.step(tensors, state, x[:, t], d[:, t])
    assert state["learned"].tolist() == [
        [[4, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 8, 0]],
    ]


def regression(rows: int, columns: int, *, every: int) -> Program:
    """``d = -(y - target) / 4``, one step late: the delta rule, which must find the target."""
    weight, change = QFormat(width=14, frac=8), QFormat(width=10, frac=8)
    primitive = learn(rows=rows, columns=columns, weight_format=weight, change=change)
    error = Elementwise(size=rows, a=primitive.accumulator, b=weight)
    narrow = QFormat(width=12, frac=8)
    minus = MatVec(
        rows=rows, columns=rows, input=narrow, weight_format=QFormat(width=2, frac=2), weight="m"
    )
    return program(
        {"x": per_step(columns, SPIKE, Kind.EVENT), "minus_target": per_step(rows, weight)},
        {
            "learn": (primitive, ("x", "d")),
            "error": (error, ("learn", "minus_target")),
            "clip": (Requantize(size=rows, input=error.output, output=narrow), ("error",)),
            "scaled": (minus, ("clip",)),
            "change": (Requantize(size=rows, input=minus.accumulator, output=change), ("scaled",)),
            "d": (Delay(size=rows, format=change, steps=every), ("change",)),
        },
        {"y": "learn", "error": "error"},
        steps=None,
        tensors={"m": (-np.eye(rows, dtype=int)).tolist(), "w": [[0] * columns] * rows},
    )


def test_the_delta_rule_finds_its_target() -> None:
    given_program = regression(2, 6, every=1)
    spikes = np.zeros((1, 120, 6), np.int64)
    spikes[:, :, ::3] = 1
    target = np.array([300, -470])
    inputs = {"x": spikes, "minus_target": np.broadcast_to(-target, (1, 120, 2))}
    streams = golden.run(given_program, inputs)
    # Half up: what the change rounds to 0, at a quarter, is an error of 1 LSB above or 2 below.
    assert streams["learn.y"][0, 0].tolist() == [0, 0]
    assert np.abs(streams["learn.y"][0, -1] - target).max() <= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "Learn rows must be a positive integer, not 0"),
        ({"columns": -1}, "Learn columns must be a positive integer, not -1"),
        (
            {"weight_format": QFormat(width=33, frac=4)},
            "Weight width must be between 1 and 32, not 33",
        ),
        (
            {"change": QFormat(width=5, frac=4, signed=False)},
            "Learn change must be signed, not u5.4: requantize it",
        ),
        (
            {"change": QFormat(width=5, frac=3)},
            "Learn change must have the weights' 4 fraction bits, not 3: requantize it",
        ),
        (
            {"change": QFormat(width=9, frac=4)},
            "Learn change must be no wider than the weights' 8 bits, not 9: requantize it",
        ),
        (
            {"columns": 2**40, "weight_format": QFormat(width=32, frac=4)},
            (
                "Accumulator would need 72 bits, and 64 is the limit: "
                "use narrower weights or activations"
            ),
        ),
    ],
)
def test_what_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        learn(**change)
    assert str(caught.value) == message


def two_nodes(second: Learn | EventMatVec, steps: int | None = None) -> Program:
    given_nodes = {"first": (learn(), ("x", "d")), "second": (second, ("x", "d"))}
    if isinstance(second, EventMatVec):
        given_nodes["second"] = (second, ("x",))
    return program(
        {"x": per_step(3, SPIKE), "d": per_step(2, CHANGE)},
        given_nodes,
        {"y": "first", "z": "second"},
        steps=steps,
    )


def test_frames_do_not_learn() -> None:
    with pytest.raises(ProgramError) as caught:
        two_nodes(learn(weight="v"), steps=3)
    assert str(caught.value) == (
        "first (Learn) must be in a stream program, not in frames of 3 steps, "
        "which would learn one after the other: use steps=None"
    )


@pytest.mark.parametrize(
    "second", [learn(), EventMatVec(rows=2, columns=3, weight="w", weight_format=WEIGHT)]
)
def test_a_tensor_that_changes_has_one_reader(second: Learn | EventMatVec) -> None:
    with pytest.raises(ProgramError) as caught:
        two_nodes(second)
    assert str(caught.value) == (
        "Tensor w must be read by first alone, which changes it, not by second: "
        "give that a tensor of its own"
    )


def test_a_program_knows_what_it_learns() -> None:
    assert two_nodes(learn(weight="v")).learned == {"w": "first", "v": "second"}
    assert two_nodes(learn(weight="v")).rates["second"] is Rate.STEP
    other = EventMatVec(rows=2, columns=3, weight="v", weight_format=WEIGHT)
    assert two_nodes(other).learned == {"w": "first"}
