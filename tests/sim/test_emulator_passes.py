# SPDX-License-Identifier: Apache-2.0
"""Layers that share a pass of a compiled loop compute what the golden run computes."""

from pathlib import Path

import numpy as np
import pytest
from random_program import random_codes

from spikewright.sim import golden
from spikewright.sim.emulation.compiled import Pass, Text
from spikewright.sim.emulator import Emulator
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port, Rate
from spikewright.sim.primitives import (
    Delay,
    Elementwise,
    EventMatVec,
    Leaky,
    Lif,
    MatVec,
    Requantize,
)
from spikewright.sim.program import Input, Node, Program

VALUE, WEIGHT = QFormat(width=10, frac=7), QFormat(width=8, frac=7)
CURRENT, MEMBRANE = QFormat(width=14, frac=8), QFormat(width=16, frac=8)


@pytest.fixture
def numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba, with a cache of its own."""
    pytest.importorskip("numba", reason="numba is not installed here: pip install numba")
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))


def ensemble(neurons: int, dimensions: int, *, encoder: QFormat = WEIGHT) -> Program:
    """Neurons that encode a vector, decode it and hear it again a step later."""
    rng = np.random.default_rng(neurons + 100 * dimensions)
    total = Elementwise(size=dimensions, a=VALUE, b=VALUE)
    encode = MatVec(
        rows=neurons,
        columns=dimensions,
        input=VALUE,
        weight_format=encoder,
        weight="encoders",
        bias="bias",
    )
    lif = Lif(
        size=neurons,
        input=CURRENT,
        membrane=MEMBRANE,
        leak="leak",
        threshold="threshold",
        leak_frac=4,
        refractory=2,
    )
    decode = EventMatVec(rows=dimensions, columns=neurons, weight_format=WEIGHT, weight="decoders")
    narrow = Requantize(size=neurons, input=encode.accumulator, output=CURRENT)
    leaky = Leaky(
        size=dimensions,
        input=decode.accumulator,
        membrane=QFormat(width=30, frac=7),
        leak="leak",
        leak_frac=4,
    )
    value = Requantize(size=dimensions, input=leaky.membrane, output=VALUE)
    return Program(
        inputs={"x": Input(Port(size=dimensions, format=VALUE), Rate.STEP)},
        nodes=(
            Node("sum", total, ("x", "past")),
            Node("heard", Requantize(size=dimensions, input=total.output, output=VALUE), ("sum",)),
            Node("encode", encode, ("heard",)),
            Node("current", narrow, ("encode",)),
            Node("lif", lif, ("current",)),
            Node("decode", decode, ("lif",)),
            Node("filter", leaky, ("decode",)),
            Node("decoded", value, ("filter",)),
            Node("past", Delay(size=dimensions, format=VALUE), ("decoded",)),
        ),
        outputs={"y": "filter"},
        tensors={
            "encoders": rng.integers(encoder.lo, encoder.hi, (neurons, dimensions), endpoint=True),
            "decoders": rng.integers(WEIGHT.lo, WEIGHT.hi, (dimensions, neurons), endpoint=True),
            "bias": rng.integers(0, 1 << 14, neurons),
            "leak": np.array([3]),
            "threshold": np.array([300]),
        },
        steps=None,
    )


@pytest.mark.usefixtures("numba")
@pytest.mark.parametrize(
    ("neurons", "dimensions"),
    # One size for all; as many neurons as dimensions; more than stand in a line, of either.
    [(1, 1), (4, 4), (24, 3), (16, 6), (12, 9)],
)
@pytest.mark.parametrize("wanted", [("filter",), ("lif", "filter", "encode")])
def test_an_ensemble(neurons: int, dimensions: int, wanted: tuple[str, ...]) -> None:
    program = ensemble(neurons, dimensions)
    inputs = random_codes(program, 2, 50, seed=neurons)
    streams = golden.run(program, inputs)
    assert 0.02 < streams["lif.spike"].mean() < 0.4
    found = Emulator(program, engine="Numba").trace(inputs, wanted)
    for reference in wanted:
        np.testing.assert_array_equal(found[reference], streams[program.resolve(reference)])


@pytest.mark.usefixtures("numba")
def test_sums_of_over_32_bits() -> None:
    program = ensemble(20, 2, encoder=QFormat(width=30, frac=20))
    inputs = random_codes(program, 1, 30, seed=0)
    wanted = golden.run(program, inputs)
    assert abs(wanted["encode.y"]).max() > 1 << 32
    found = Emulator(program, engine="Numba").trace(inputs, ["encode", "filter"])
    np.testing.assert_array_equal(found["encode"], wanted["encode.y"])
    np.testing.assert_array_equal(found["filter"], wanted[program.resolve("filter")])


@pytest.mark.usefixtures("numba")
def test_codes_of_64_bits_are_rounded_without_overflow() -> None:
    wide, narrow = QFormat(width=64, frac=40), QFormat(width=16)
    leaky = Leaky(size=2, input=narrow, membrane=QFormat(width=20), leak=(1,))
    program = Program(
        inputs={"x": Input(Port(size=2, format=wide), Rate.STEP)},
        nodes=(
            Node("narrow", Requantize(size=2, input=wide, output=narrow), ("x",)),
            Node("filter", leaky, ("narrow",)),
        ),
        outputs={"y": "filter"},
        tensors={},
        steps=None,
    )
    x = np.array([[[wide.hi, wide.lo], [wide.hi - (1 << 39), 1 << 39], [(1 << 39) - 1, -1]]])
    emulator = Emulator(program, engine="Numba")
    np.testing.assert_array_equal(
        emulator.run({"x": x})["y"], golden.run(program, {"x": x})["filter.v"]
    )
    assert all(plan.loop is not None for plan in emulator._plans.values() if plan.hidden)


@pytest.mark.usefixtures("numba")
def test_a_long_run_goes_in_blocks() -> None:
    """A loop that has all long vectors runs more steps at once than NumPy, and they join."""
    program = ensemble(8, 1)
    inputs = random_codes(program, 1, 4500, seed=0)
    engines = {name: Emulator(program, engine=name) for name in ("NumPy", "Numba")}
    found = {name: emulator.run(inputs)["y"] for name, emulator in engines.items()}
    np.testing.assert_array_equal(found["NumPy"], found["Numba"])
    (plan,) = (p for p in engines["Numba"]._plans.values() if p.loop is not None)
    assert plan.portion(1) == (1, 4000)


def test_layers_of_one_size_share_a_pass() -> None:
    text = Text()
    row = text.scratch(4, np.dtype(np.int32))
    text.each(4, [f"{row}[j] = 1"])
    text.each(4, [f"total = total + {row}[j]"], before=["total = 0"], after=["out[0] = total"])
    module = text.module()
    assert module.count("for j in range(4)") == 1
    assert f"{row}_j = int32(1)" in module
    assert f"{row} = np.empty" not in module


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Another size.
        (Pass(4, ["a[j] = 1"], [], []), Pass(3, ["b[j] = a[j]"], [], [])),
        # What the first makes is needed before the second begins.
        (Pass(4, ["a[j] = 1"], [], []), Pass(4, ["b[j] = x"], ["x = a[0]"], [])),
        # What is made after the first is read in the second.
        (Pass(4, ["s = s + 1"], [], ["a[0] = s"]), Pass(4, ["b[j] = a[j]"], [], [])),
        # Another element is read.
        (Pass(4, ["a[j] = 1"], [], []), Pass(4, ["b[j] = a[order[j]]"], [], [])),
    ],
)
def test_passes_that_stay_apart(first: Pass, second: Pass) -> None:
    assert not first.takes(second)
    assert first.takes(Pass(4, ["b[j] = c[j]"], ["x = c[0]"], ["d[0] = x"]))
