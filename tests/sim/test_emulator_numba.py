# SPDX-License-Identifier: Apache-2.0
"""The compiled loops compute what the golden run computes."""

import importlib.util
import random
from pathlib import Path

import numpy as np
import pytest
from random_program import Draw, random_codes

from spikewright.sim import emulator as emulator_module
from spikewright.sim import golden
from spikewright.sim.emulation import compiled
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import ToolError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Port, Rate
from spikewright.sim.primitive import State
from spikewright.sim.primitives import (
    Count,
    Delay,
    Elementwise,
    EventMatVec,
    Hold,
    Learn,
    Lif,
    MatVec,
    Requantize,
)
from spikewright.sim.program import Input, Node, Program

CURRENT, MEMBRANE = QFormat(width=16, frac=8), QFormat(width=20, frac=8)


@pytest.fixture
def numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba, with a cache of its own."""
    pytest.importorskip("numba", reason="numba is not installed here: pip install numba")
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    monkeypatch.delenv("SPIKEWRIGHT_NUMBA", raising=False)


def recurrent(
    size: int, *, steps: int | None, weight_width: int = 8, dense: bool = False
) -> Program:
    """Lif neurons that excite and inhibit each other one step later."""
    rng = np.random.default_rng(0)
    weight = QFormat(width=weight_width, frac=8)
    matvec: MatVec = EventMatVec(rows=size, columns=size, weight_format=weight, weight="w")
    read = "back"
    nodes = []
    if dense:
        wide = QFormat(width=4)
        nodes.append(Node("code", Requantize(size=size, input=SPIKE, output=wide), ("back",)))
        matvec = MatVec(rows=size, columns=size, input=wide, weight_format=weight, weight="w")
        read = "code"
    total = Elementwise(size=size, a=CURRENT, b=matvec.accumulator)
    lif = Lif(
        size=size,
        input=total.output,
        membrane=MEMBRANE,
        leak="leak",
        threshold="threshold",
        leak_frac=4,
    )
    nodes += [
        Node("back", Delay(size=size, format=SPIKE, steps=2), ("lif",)),
        Node("matvec", matvec, (read,)),
        Node("sum", total, ("x" if steps is None else "hold", "matvec")),
        Node("lif", lif, ("sum",)),
    ]
    if steps is not None:
        nodes.append(Node("hold", Hold(size=size, format=CURRENT), ("x",)))
        nodes.append(Node("count", Count(size=size, steps=steps), ("lif",)))
    return Program(
        inputs={"x": Input(Port(size=size, format=CURRENT), Rate.FRAME if steps else Rate.STEP)},
        nodes=tuple(nodes),
        outputs={"y": "count" if steps else "lif"},
        tensors={
            "w": rng.integers(weight.lo, weight.hi, (size, size), endpoint=True),
            "leak": np.array([1]),
            "threshold": np.array([900]),
        },
        steps=steps,
    )


def assert_same(
    program: Program,
    inputs: dict[str, np.ndarray],
    references: tuple[str, ...],
    engine: str = "Numba",
) -> None:
    streams = golden.run(program, inputs)
    found = Emulator(program, engine=engine).trace(inputs, references)
    for reference in references:
        wanted = streams[program.resolve(reference)]
        np.testing.assert_array_equal(found[reference], wanted, err_msg=reference, strict=True)


def all_streams(program: Program) -> tuple[str, ...]:
    return tuple(f"{n.name}.{port}" for n in program.nodes for port in n.primitive.ports().outputs)


@pytest.mark.usefixtures("numba")
@pytest.mark.parametrize("seed", range(3))
def test_every_option_of_membranes(seed: int) -> None:
    program = Draw(random.Random(seed), steps=6).membranes()
    assert_same(program, random_codes(program, 3, 6, seed), all_streams(program))


@pytest.mark.usefixtures("numba")
def test_only_what_is_wanted_is_kept() -> None:
    program = Draw(random.Random(0), steps=6).membranes()
    inputs = random_codes(program, 3, 6, 0)
    assert_same(program, inputs, tuple(program.outputs.values())[:1])


@pytest.mark.usefixtures("numba")
@pytest.mark.parametrize(("size", "width"), [(37, 8), (40, 16), (300, 9)])
def test_spikes_add_rows(size: int, width: int) -> None:
    """Sizes with and without a remainder of 8; weights whose sums 16 bits hold and do not hold."""
    program = recurrent(size, steps=30, weight_width=width)
    inputs = random_codes(program, 3, 30, 0)
    assert_same(program, inputs, ("count",))
    assert golden.run(program, inputs)["lif.spike"].mean() > 0.1


@pytest.mark.parametrize("width", [8, 9, 12, 16])
def test_one_frame_gathers_rows_without_numba(width: int) -> None:
    program = recurrent(300, steps=30, weight_width=width)
    assert_same(program, random_codes(program, 1, 30, 0), ("count", "matvec"), "NumPy")


@pytest.mark.parametrize("fired", [0, 1, 5, 64])
def test_gathered_rows_stay_exact(fired: int) -> None:
    """One frame of one step: rows that 16 bits hold, and whose sum they do not."""
    weight = QFormat(width=15)
    matvec = EventMatVec(rows=2, columns=64, weight_format=weight, weight="w", bias="b")
    program = Program(
        inputs={"x": Input(Port(size=64, format=SPIKE), Rate.FRAME)},
        nodes=(Node("matvec", matvec, ("x",)),),
        outputs={"y": "matvec"},
        tensors={"w": np.full((2, 64), weight.hi), "b": np.array([3, -3])},
    )
    spikes = (np.arange(64) < fired).astype(np.uint8)[None]
    wanted = fired * weight.hi
    assert Emulator(program).run({"x": spikes})["y"].tolist() == [[wanted + 3, wanted - 3]]


@pytest.mark.usefixtures("numba")
def test_what_only_a_later_step_reads_is_kept() -> None:
    fmt = QFormat(width=8)
    total = Elementwise(size=3, a=fmt, b=fmt)
    program = Program(
        inputs={"x": Input(Port(size=3, format=fmt), Rate.STEP)},
        nodes=(
            Node("sum", total, ("x", "past")),
            Node("narrow", Requantize(size=3, input=total.output, output=fmt), ("sum",)),
            Node("past", Delay(size=3, format=fmt, steps=2), ("narrow",)),
        ),
        outputs={"y": "sum"},
        tensors={},
        steps=6,
    )
    assert_same(program, random_codes(program, 2, 6, 0), ("sum",))


@pytest.mark.usefixtures("numba")
def test_codes_add_products() -> None:
    program = recurrent(20, steps=10, dense=True)
    assert_same(program, random_codes(program, 3, 10, 0), ("count",))


@pytest.mark.usefixtures("numba")
def test_a_stream_goes_from_numpy_to_numba_and_back() -> None:
    program = recurrent(24, steps=None)
    inputs = random_codes(program, 2, 9, 0)
    state: dict[str, np.ndarray] = {}
    parts = []
    for part, engine in ((slice(0, 4), "NumPy"), (slice(4, 6), "Numba"), (slice(6, 9), "NumPy")):
        some = {"x": inputs["x"][:, part]}
        parts.append(Emulator(program, engine=engine).stream(some, state)["y"])
    wanted = golden.run(program, inputs)["lif.spike"]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), wanted)


@pytest.mark.usefixtures("numba")
def test_enough_work_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_module, "PATIENCE", 0.0)
    program = recurrent(16, steps=5)
    inputs = random_codes(program, 2, 5, 0)
    emulator = Emulator(program)
    first = emulator.run(inputs)["y"]
    assert emulator.engine == "Numba"
    np.testing.assert_array_equal(emulator.run(inputs)["y"], first)
    # Dense products stay with BLAS.
    emulator = Emulator(recurrent(16, steps=5, dense=True))
    emulator.run(inputs)
    assert emulator.engine == "NumPy"


@pytest.mark.usefixtures("numba")
def test_the_environment_can_rule_out_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_module, "PATIENCE", 0.0)
    monkeypatch.setenv("SPIKEWRIGHT_NUMBA", "0")
    program = recurrent(16, steps=5)
    emulator = Emulator(program)
    emulator.run(random_codes(program, 2, 5, 0))
    assert emulator.engine == "NumPy"


@pytest.mark.usefixtures("numba")
def test_what_is_compiled_is_kept(tmp_path: Path) -> None:
    program = recurrent(8, steps=3)
    inputs = random_codes(program, 1, 3, 0)
    Emulator(program, engine="Numba").run(inputs)
    kept = {path.name for path in (tmp_path / "loops").glob("*.py")}
    assert len(kept) == 1
    Emulator(program, engine="Numba").run(inputs)
    assert {path.name for path in (tmp_path / "loops").glob("*.py")} == kept


@pytest.mark.usefixtures("numba")
def test_a_cache_that_cannot_be_written_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "file"))
    program = recurrent(8, steps=3)
    assert_same(program, random_codes(program, 1, 3, 0), ("count",))


def test_numba_must_be_there_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    sentence = r"^Numba must be installed to compile the emulator: pip install numba$"
    with pytest.raises(ToolError, match=sentence):
        Emulator(recurrent(8, steps=3), engine="Numba")
    assert Emulator(recurrent(8, steps=3)).engine == "NumPy"


@pytest.mark.parametrize("size", [8, 13, 16])
def test_find_spikes(size: int) -> None:
    spikes = np.random.default_rng(size).integers(0, 2, size).astype(np.uint8)
    index = np.zeros(size, np.int64)
    count = compiled.find_spikes(spikes, index)
    np.testing.assert_array_equal(index[:count], np.flatnonzero(spikes))


@pytest.mark.parametrize(("count", "most"), [(0, 4), (3, 4), (4, 4), (9, 4), (11, 100)])
def test_add_rows(count: int, most: int) -> None:
    rng = np.random.default_rng(count)
    weight = rng.integers(-8, 8, (12, 5)).astype(np.int8)
    total, part, index = np.ones(5, np.int32), np.zeros(5, np.int16), rng.permutation(12)
    compiled.add_rows(weight, index, count, most, part, total)
    np.testing.assert_array_equal(total, 1 + weight[index[:count]].sum(axis=0))


def test_add_products() -> None:
    rng = np.random.default_rng(0)
    weight, x = rng.integers(-8, 8, (6, 5)), rng.integers(-3, 3, 6)
    total = np.ones(5, np.int64)
    compiled.add_products(weight, x, total)
    np.testing.assert_array_equal(total, 1 + x @ weight)


@pytest.mark.usefixtures("numba")
@pytest.mark.parametrize("size", [16, 21])
def test_what_learns_goes_from_numpy_to_numba_and_back(size: int) -> None:
    weight, change = QFormat(width=9, frac=6), QFormat(width=5, frac=6)
    learn = Learn(rows=3, columns=size, weight="w", weight_format=weight, change=change)
    narrow = Requantize(size=3, input=learn.accumulator, output=change)
    program = Program(
        inputs={"x": Input(Port(size=size, format=SPIKE), Rate.STEP)},
        nodes=(
            Node("learn", learn, ("x", "before")),
            Node("change", narrow, ("learn",)),
            Node("before", Delay(size=3, format=change), ("change",)),
        ),
        outputs={"y": "learn"},
        tensors={"w": np.random.default_rng(0).integers(-9, 9, (3, size))},
        steps=None,
    )
    inputs = random_codes(program, 2, 60, 0)
    state: dict[str, np.ndarray] = {}
    parts = []
    for part, engine in (
        (slice(0, 20), "NumPy"),
        (slice(20, 50), "Numba"),
        (slice(50, 60), "NumPy"),
    ):
        some = {"x": inputs["x"][:, part]}
        emulator = Emulator(program, engine=engine)
        parts.append(emulator.stream(some, state)["y"])
        loop = emulator._plan(("learn.y",), compiled=engine == "Numba").loop
        assert (loop is not None) == (engine == "Numba")
    wanted: dict[str, State] = {}
    streams = golden.run(program, inputs, state=wanted)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), streams["learn.y"])
    np.testing.assert_array_equal(state["learn.learned"], wanted["learn"]["learned"])
