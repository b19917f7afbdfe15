# SPDX-License-Identifier: Apache-2.0
"""Proved ranges, and the number types chosen from them, at their edges."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_program import Draw, random_codes

from spikewright.sim import golden
from spikewright.sim.emulation.exact import Leak, Range, exact_type, settle, sums_range
from spikewright.sim.emulation.plan import Plan
from spikewright.sim.emulation.ranges import ranges
from spikewright.sim.emulator import Emulator
from spikewright.sim.fixed import QFormat, round_half_up
from spikewright.sim.leaky import leak
from spikewright.sim.ports import Port, Rate
from spikewright.sim.primitives import MatVec, Requantize
from spikewright.sim.program import Input, Node, Program


def product(
    weights: list[int], bias: int, fmt: QFormat, *, output: QFormat | None = None
) -> Program:
    """One neuron, its weights and its bias, and perhaps a Requantize after it."""
    matvec = MatVec(
        rows=1,
        columns=len(weights),
        input=fmt,
        weight_format=QFormat(width=32),
        weight="w",
        bias="b",
    )
    nodes = [Node("matvec", matvec, ("x",))]
    if output is not None:
        requantize = Requantize(size=1, input=matvec.accumulator, output=output)
        nodes.append(Node("requantize", requantize, ("matvec",)))
    return Program(
        inputs={"x": Input(Port(size=len(weights), format=fmt), Rate.FRAME)},
        nodes=tuple(nodes),
        outputs={"y": nodes[-1].name},
        tensors={"w": np.array([weights]), "b": np.array([bias])},
    )


def kind_of(program: Program, node: str) -> str:
    kernel = Plan(program, (program.resolve(node),)).kernels[node]
    return kernel.outputs[0].name


@pytest.mark.parametrize(
    ("weight", "bias", "bits", "kind"),
    [
        (1 << 23, 0, 1, "float32"),
        (1 << 23, 1, 1, "float64"),
        (-(1 << 23), -1, 1, "float64"),
        (1 << 20, (1 << 24) - 3 * (1 << 20), 2, "float32"),
        (1 << 30, 1 << 30, 23, "float64"),
        (1 << 30, (1 << 30) + 1, 23, "int64"),
    ],
)
def test_products_at_the_edge(weight: int, bias: int, bits: int, kind: str) -> None:
    """Two inputs of 0 or all ones: 2^24 and 2^53 exactly are still exact."""
    fmt = QFormat(width=bits, signed=False)
    weights = [weight, weight] if bits == 1 else [weight]
    program = product(weights, bias, fmt)
    top = fmt.hi if len(weights) == 1 else 1
    reached = abs(sum(weights)) * top + abs(bias)
    assert exact_type(reached).name == kind
    assert kind_of(program, "matvec") == kind
    inputs = {
        "x": np.array([[0] * len(weights), [top] * len(weights), [top] + [0] * (len(weights) - 1)])
    }
    wanted = golden.run(program, inputs)["matvec.y"]
    np.testing.assert_array_equal(Emulator(program).run(inputs)["y"], wanted)


def test_the_rounding_half_counts() -> None:
    """A product that a float32 holds, but not with the half that the Requantize adds."""
    program = product(
        [(1 << 24) - 8], 0, QFormat(width=1, signed=False), output=QFormat(width=22, frac=-4)
    )
    assert kind_of(program, "matvec") == "float32"
    assert kind_of(program, "requantize") == "float32"
    program = product(
        [(1 << 24) - 7], 0, QFormat(width=1, signed=False), output=QFormat(width=22, frac=-4)
    )
    assert kind_of(program, "matvec") == "float32"
    assert kind_of(program, "requantize") == "float64"
    inputs = {"x": np.array([[1]])}
    assert Emulator(program).run(inputs)["y"].tolist() == [[((1 << 24) - 7 + 8) >> 4]]


def test_wide_accumulators_are_integers() -> None:
    program = product(
        [(1 << 31) - 1] * 2, -5, QFormat(width=30), output=QFormat(width=40, frac=-20)
    )
    x = QFormat(width=30)
    inputs = {"x": np.array([[x.hi, x.hi], [x.lo, x.lo], [x.hi, x.lo], [3, -7]])}
    assert kind_of(program, "matvec") == "int64"
    streams = golden.run(program, inputs)
    for reference, value in Emulator(program).trace(inputs, ["matvec.y", "requantize.y"]).items():
        np.testing.assert_array_equal(value, streams[reference])


def test_sums_range_holds_partial_sums() -> None:
    weight, bias = np.array([[3, -5], [1, 1]]), np.array([-4, 2])
    assert sums_range(weight, None, Range(0, 10)) == Range(-50, 30)
    assert sums_range(weight, bias, Range(0, 10)) == Range(-54, 30)
    assert sums_range(weight, bias, Range(-1, 2)) == Range(-13 - 4, 11)


@settings(max_examples=200)
@given(st.randoms(use_true_random=True))
def test_no_stream_leaves_its_proved_range(rnd: random.Random) -> None:
    draw = Draw(rnd, steps=12)
    program = draw.membranes() if rnd.random() < 0.5 else draw.program()
    inputs = random_codes(program, 4, 12, seed=0)
    # Inputs at their limits, step after step, drive the state as far as it goes.
    for name, given_input in program.inputs.items():
        inputs[name][0], inputs[name][1] = given_input.port.format.lo, given_input.port.format.hi
    streams = golden.run(program, inputs)
    for reference, found in ranges(program).items():
        codes = streams[reference]
        assert found.lo <= codes.min() <= codes.max() <= found.hi, reference


@given(
    st.integers(1, 24),
    st.integers(0, 2**25 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**31), 2**31 - 1),
)
def test_leak_in_one_product(frac: int, code: int, v: int, i: int) -> None:
    codes = np.array([code % (1 << (frac + 1))])
    short = Leak.of(codes, frac)
    wanted = leak(np.array([v]), np.array([i]), codes, frac, after_input=False)
    np.testing.assert_array_equal(((short.keep * v + short.offset) >> short.frac) + i, wanted)
    assert short.after(Range(v, v)).lo == wanted[0] - i


def test_leak_drops_bits_that_are_always_zero() -> None:
    assert Leak.of(np.array([4096, 12288]), 16).frac == 4
    assert Leak.of(np.array([0]), 16).frac == 0
    assert Leak.of(np.array([1]), 16).frac == 16


def test_settle_finds_a_range_that_stays() -> None:
    limit = Range(-1000, 1000)
    # v - v/4 + i with i up to 20 stays at or below 80.
    found = settle(limit, lambda v: Range(0, v.hi - v.hi // 4 + 20))
    assert 77 <= found.hi <= 160
    assert found.lo == 0
    assert settle(limit, lambda v: Range(v.lo - 1, v.hi)) == Range(-1000, 0)


def test_rounding_is_half_up() -> None:
    """A Requantize in floats rounds ties as the golden model does."""
    x = np.arange(-40, 40)
    fmt = QFormat(width=8, frac=3)
    requantize = Requantize(size=len(x), input=fmt, output=QFormat(width=8))
    program = Program(
        inputs={"x": Input(Port(size=len(x), format=fmt), Rate.FRAME)},
        nodes=(Node("r", requantize, ("x",)),),
        outputs={"y": "r"},
        tensors={},
    )
    np.testing.assert_array_equal(
        Emulator(program).run({"x": x[None]})["y"][0], round_half_up(x, 3)
    )
