# SPDX-License-Identifier: Apache-2.0
"""The emulator computes what the golden run computes, whatever the program."""

import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_program import Draw, random_codes

from spikewright.sim import golden
from spikewright.sim.emulation import plan
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import DataError, FormatError, ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Port, Rate
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors
from spikewright.sim.primitives import (
    Count,
    Delay,
    Elementwise,
    Hold,
    Leaky,
    Learn,
    Lif,
    Requantize,
)
from spikewright.sim.program import Input, Node, Program

U8 = QFormat(width=8, signed=False)
RANDOMS = st.randoms(use_true_random=True)


def assert_equal(found: Mapping[str, Codes], wanted: Mapping[str, Codes]) -> None:
    for name, value in found.items():
        assert value.dtype == np.int64
        np.testing.assert_array_equal(value, wanted[name], err_msg=name, strict=True)


def assert_same(program: Program, inputs: Mapping[str, Codes], emulator: Emulator) -> None:
    """Every stream, all at once and each output by itself."""
    streams = golden.run(program, inputs)
    assert_equal(emulator.trace(inputs, list(streams)), streams)
    outputs = {name: streams[program.resolve(r)] for name, r in program.outputs.items()}
    found = emulator.run(inputs)
    assert found.keys() == outputs.keys()
    assert_equal(found, outputs)


def simple(*nodes: Node, fmt: QFormat = U8, size: int = 3, **fields: Any) -> Program:
    """A program of one input ``x`` and one output, the last node."""
    rate = fields.pop("rate", Rate.STEP)
    defaults: dict[str, Any] = {"outputs": {"y": nodes[-1].name}, "tensors": {}, "steps": 4}
    inputs = {"x": Input(Port(size=size, format=fmt), rate)}
    return Program(inputs=inputs, nodes=nodes, **{**defaults, **fields})


@settings(max_examples=250)
@given(RANDOMS, st.sampled_from([1, 2, 7]), st.sampled_from([1, 5]))
def test_every_stream_of_any_program(rnd: random.Random, steps: int, frames: int) -> None:
    program = Draw(rnd, steps=steps).program()
    inputs = random_codes(program, frames, steps, seed=rnd.randrange(100))
    assert_same(program, inputs, Emulator(program, engine="NumPy"))


@settings(max_examples=25)
@given(RANDOMS)
def test_every_option_of_membranes(rnd: random.Random) -> None:
    program = Draw(rnd, steps=6).membranes()
    inputs = random_codes(program, 3, 6, seed=1)
    assert_same(program, inputs, Emulator(program, engine="NumPy"))


@pytest.mark.parametrize("seed", range(30))
def test_blocks_and_chunks_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BLOCK_STEPS", 3)
    monkeypatch.setattr(plan, "STEP_SET", 12)
    program = Draw(random.Random(seed), steps=11).program()
    inputs = random_codes(program, 9, 11, seed)
    assert_same(program, inputs, Emulator(program, engine="NumPy"))


@pytest.mark.parametrize("seed", range(20))
def test_streams_go_on_where_they_stopped(seed: int) -> None:
    program = Draw(random.Random(seed), steps=None).program()
    inputs = random_codes(program, 2, 9, seed)
    streams = golden.run(program, inputs)
    emulator, state, parts = Emulator(program, engine="NumPy"), {}, []
    for part in (slice(0, 4), slice(4, 5), slice(5, 5), slice(5, 9)):
        some = {name: value[:, part] for name, value in inputs.items()}
        parts.append(emulator.stream(some, state))
    for name, reference in program.outputs.items():
        whole = np.concatenate([part[name] for part in parts], axis=1)
        np.testing.assert_array_equal(whole, streams[program.resolve(reference)])


def test_a_stream_keeps_its_batch() -> None:
    program = simple(Node("d", Delay(size=3, format=U8), ("x",)), steps=None)
    state: dict[str, Codes] = {}
    Emulator(program).stream({"x": np.zeros((2, 1, 3), int)}, state)
    with pytest.raises(DataError, match=r"^Stream must go on with a batch of 2, not 3$"):
        Emulator(program).stream({"x": np.zeros((3, 1, 3), int)}, state)


def test_frames_are_no_stream() -> None:
    program = simple(Node("d", Delay(size=3, format=U8), ("x",)))
    sentence = r"^Program must be a stream to go on, not frames of 4 steps: use run$"
    with pytest.raises(ProgramError, match=sentence):
        Emulator(program).stream({"x": np.zeros((2, 1, 3), int)}, {})


def test_nothing_but_delays_is_zero() -> None:
    delays = [Node(a, Delay(size=3, format=U8), (b,)) for a, b in (("a", "b"), ("b", "a"))]
    total = Node("sum", Elementwise(size=3, a=U8, b=U8), ("x", "a"))
    program = simple(*delays, total)
    assert_same(program, random_codes(program, 2, 4, 0), Emulator(program))


@dataclass(frozen=True, kw_only=True)
class _Total(Primitive):
    """A primitive the emulator has never seen: sums a frame's steps."""

    size: int

    crossing: ClassVar[tuple[Rate, Rate] | None] = (Rate.STEP, Rate.FRAME)
    per_step: ClassVar[bool] = True

    def ports(self) -> Ports:
        wide = QFormat(width=16, signed=False)
        return Ports(
            {"x": Port(size=self.size, format=U8)}, {"y": Port(size=self.size, format=wide)}
        )

    def init_state(self, batch: int) -> State:
        return {"sum": np.full((batch, self.size), 7)}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        total = state["sum"] + inputs[0]
        return {"sum": total}, (total,)


def test_counts_go_beyond_a_block() -> None:
    program = simple(Node("count", Count(size=3, steps=600), ("x",)), fmt=SPIKE, steps=600)
    inputs = {"x": np.ones((2, 600, 3), np.uint8)}
    assert Emulator(program).run(inputs)["y"].tolist() == [[600] * 3] * 2


def test_an_unknown_primitive_runs_its_own_step() -> None:
    program = simple(Node("total", _Total(size=3), ("x",)))
    for engine in ("NumPy", None):
        assert_same(program, random_codes(program, 3, 4, 0), Emulator(program, engine=engine))


def test_inputs_may_be_narrow_and_in_any_order() -> None:
    program = simple(Node("hold", Hold(size=3, format=U8), ("x",)), rate=Rate.FRAME)
    codes = np.asfortranarray(np.array([[1, 2, 255], [3, 4, 0]], np.uint8))
    np.testing.assert_array_equal(Emulator(program).run({"x": codes})["y"][:, 2], codes)


def test_the_layers_are_traced_by_default() -> None:
    program = simple(
        Node("r", Requantize(size=3, input=U8, output=QFormat(width=4)), ("x",)), steps=1
    )
    inputs = random_codes(program, 2, 1, 0)
    assert Emulator(program).trace(inputs).keys() == set(program.layers)
    assert Emulator(program).trace(inputs, ["r", "x"]).keys() == {"r", "x"}


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"x": np.zeros((2, 3), int)},
        {"x": np.zeros((2, 4, 5), int)},
        {"x": np.full((2, 4, 3), 256)},
        {"x": np.zeros((2, 9, 3), int)},
        {"x": np.zeros((2, 4, 3))},
    ],
)
def test_wrong_inputs_are_refused_as_by_the_golden_run(inputs: dict[str, Codes]) -> None:
    program = simple(Node("d", Delay(size=3, format=U8), ("x",)))
    with pytest.raises(DataError) as wanted:
        golden.run(program, inputs)
    with pytest.raises(DataError) as found:
        Emulator(program).run(inputs)
    assert str(found.value) == str(wanted.value)


def test_an_engine_must_exist() -> None:
    program = simple(Node("d", Delay(size=3, format=U8), ("x",)))
    sentence = r"^Emulator engine must be None or 'NumPy' or 'Numba', not 'Fortran'$"
    with pytest.raises(FormatError, match=sentence):
        Emulator(program, engine="Fortran")


class Counting(QFormat):
    """A format that counts what it clips, at its upper limit and at both."""

    clipped: ClassVar[list[tuple[int, int]]] = []

    def saturate(self, codes: Codes) -> Codes:
        above = int((codes > self.hi).sum())
        self.clipped.append((above, above + int((codes < self.lo).sum())))
        return super().saturate(codes)


def clipped_by_golden(program: Program, node: Node, streams: Mapping[str, Codes]) -> int:
    """Codes that a node clips, step by step on the golden run's streams."""
    names = ("output",) if isinstance(node.primitive, Requantize) else ("membrane", "synapse")
    formats = {name: getattr(node.primitive, name, None) for name in names}
    counting = {
        name: Counting(width=fmt.width, frac=fmt.frac, signed=fmt.signed)
        for name, fmt in formats.items()
        if fmt is not None
    }
    primitive = dataclasses.replace(node.primitive, **counting)
    x = streams[program.resolve(node.inputs[0])]
    x = x[:, None] if x.ndim == 2 else x
    state, Counting.clipped[:] = primitive.init_state(len(x)), []
    for t in range(x.shape[1]):
        state, _ = primitive.step(program.tensors, state, x[:, t])
    signed = counting[names[0]].signed
    return sum(both if signed else above for above, both in Counting.clipped)


@settings(max_examples=60)
@given(RANDOMS)
def test_saturations_are_counted(rnd: random.Random) -> None:
    program = Draw(rnd, steps=3).membranes()
    inputs = random_codes(program, 4, 3, seed=2)
    streams = golden.run(program, inputs)
    found = Emulator(program).saturations(inputs)
    nodes = [n for n in program.order if isinstance(n.primitive, Requantize | Leaky | Lif)]
    assert found.keys() == {node.name for node in nodes}
    for node in nodes:
        # The golden Lif tries a subtracting reset on all neurons, also where it is not applied.
        if not (isinstance(node.primitive, Lif) and node.primitive.reset == "subtract"):
            assert found[node.name] == clipped_by_golden(program, node, streams), node


def test_a_reset_beyond_the_membrane_is_counted() -> None:
    lif = Lif(
        size=1,
        input=QFormat(width=8),
        membrane=QFormat(width=8),
        leak="leak",
        threshold="threshold",
        reset_tensor="reset",
    )
    tensors = {"leak": np.array([0]), "threshold": np.array([100]), "reset": np.array([-50])}
    nodes = Node("lif", lif, ("x",))
    program = simple(nodes, fmt=QFormat(width=8), size=1, tensors=tensors, steps=3)
    # 100 resets to 150, which is beyond 127; 127 + 1 is, and its reset again.
    inputs = {"x": np.array([[[100], [0], [-127]], [[100], [1], [-128]]])}
    assert_same(program, inputs, Emulator(program))
    assert Emulator(program).saturations(inputs) == {"lif": 2 + 3}


LEARNERS = {
    "narrow": (QFormat(width=9, frac=6), QFormat(width=5, frac=6)),
    "wide": (QFormat(width=32, frac=3), QFormat(width=30, frac=3)),
    "unsigned": (QFormat(width=4, signed=False), QFormat(width=4)),
}
"""Formats that 32-bit floats, only 64-bit numbers and small integers hold."""


def learner(weight: QFormat, change: QFormat, columns: int) -> Program:
    """Three rows that learn from an input."""
    primitive = Learn(rows=3, columns=columns, weight="w", weight_format=weight, change=change)
    codes = np.random.default_rng(0).integers(weight.lo, weight.hi, (3, columns), endpoint=True)
    return Program(
        inputs={
            "x": Input(Port(size=columns, format=SPIKE), Rate.STEP),
            "d": Input(Port(size=3, format=change), Rate.STEP),
        },
        nodes=(Node("learn", primitive, ("x", "d")),),
        outputs={"y": "learn"},
        tensors={"w": codes},
        steps=None,
    )


@pytest.mark.parametrize("engine", ["NumPy", "Numba"])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("formats", LEARNERS)
@pytest.mark.parametrize("columns", [7, 16])
def test_what_was_learned_goes_on(formats: str, columns: int, frames: int, engine: str) -> None:
    if engine == "Numba":
        pytest.importorskip("numba", reason="numba is not installed here: pip install numba")
    program = learner(*LEARNERS[formats], columns)
    inputs = random_codes(program, frames, 40, seed=1)
    wanted: dict[str, State] = {}
    streams = golden.run(program, inputs, state=wanted)
    emulator, state, parts = Emulator(program, engine=engine), {}, []
    for part in (slice(0, 11), slice(11, 11), slice(11, 12), slice(12, 40)):
        some = {name: value[:, part] for name, value in inputs.items()}
        parts.append(emulator.stream(some, state)["y"])
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), streams["learn.y"])
    np.testing.assert_array_equal(state["learn.learned"], wanted["learn"]["learned"])
    # A run starts from the program's weights, whatever ran before.
    assert_same(program, inputs, emulator)


def test_what_no_output_tells_of_learns_too() -> None:
    narrow = learner(*LEARNERS["narrow"], 7)
    same = Node("same", Delay(size=3, format=QFormat(width=5, frac=6)), ("d",))
    program = dataclasses.replace(narrow, nodes=(*narrow.nodes, same), outputs={"y": "same"})
    inputs = random_codes(program, 1, 20, seed=2)
    wanted: dict[str, State] = {}
    golden.run(program, inputs, state=wanted)
    state: dict[str, Codes] = {}
    assert Emulator(program).stream(inputs, state).keys() == {"y"}
    np.testing.assert_array_equal(state["learn.learned"], wanted["learn"]["learned"])
