# SPDX-License-Identifier: Apache-2.0
"""What a program refuses, and what it derives from its graph."""

from typing import Any

import numpy as np
import program_parts
import programs
import pytest

from spikewright.sim.errors import FormatError, ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Kind, Port, Rate
from spikewright.sim.primitives import (
    Count,
    Delay,
    Elementwise,
    Extremum,
    Hold,
    Last,
    Leaky,
    Lif,
    MatVec,
    Requantize,
)
from spikewright.sim.program import Input, Node, Program

FMT = QFormat(width=8, frac=4)
STEP = {"x": Input(Port(size=2, format=FMT), Rate.STEP)}
FRAME = {"x": Input(Port(size=2, format=FMT), Rate.FRAME)}
SPIKES = {"x": Input(Port(size=2, format=SPIKE, kind=Kind.EVENT), Rate.STEP)}
DELAY = Delay(size=2, format=FMT)
HOLD = Hold(size=2, format=FMT)
LAST = Last(size=2, format=FMT)
TWICE = Elementwise(size=2, a=FMT, b=FMT)
SAME = Requantize(size=2, input=FMT, output=FMT)
LEAKY = Leaky(size=2, input=FMT, membrane=FMT, leak="l")
PRODUCT = MatVec(rows=2, columns=2, input=FMT, weight_format=FMT, weight="w")
WEIGHTS = {"w": np.zeros((2, 2), np.int64)}


def make(*nodes: tuple[str, Any, tuple[str, ...]], **fields: Any) -> Program:
    """Program of these nodes, whose output is the last one."""
    given: dict[str, Any] = {
        "inputs": STEP,
        "nodes": tuple(Node(*node) for node in nodes),
        "outputs": {"y": nodes[-1][0]},
        "tensors": {},
        **fields,
    }
    return Program(**given)


@pytest.mark.parametrize(
    ("nodes", "fields", "message"),
    [
        ([("a", SAME, ("x",))], {"steps": 0}, "Steps per frame must be a positive integer, not 0"),
        ([("a", SAME, ("x",))], {"dt": 0.0}, "Time step must be above 0 s and finite, not 0.0"),
        (
            [("a", SAME, ("x",))],
            {"dt": float("nan")},
            "Time step must be above 0 s and finite, not nan",
        ),
        (
            [("a", SAME, ("x",))],
            {"dt": float("inf")},
            "Time step must be above 0 s and finite, not inf",
        ),
        (
            [("a", SAME, ("x",)), ("a", SAME, ("x",))],
            {},
            "Node name must be unique and without a dot, not 'a'",
        ),
        ([("x", SAME, ("x",))], {}, "Node name must be unique and without a dot, not 'x'"),
        ([("a.b", SAME, ("x",))], {}, "Node name must be unique and without a dot, not 'a.b'"),
        ([("", SAME, ("x",))], {}, "Node name must be unique and without a dot, not ''"),
        (
            [("a", SAME, ("x",))],
            {"inputs": {}},
            "Program must have at least one input and one output",
        ),
        (
            [("a", SAME, ("x",))],
            {"outputs": {}},
            "Program must have at least one input and one output",
        ),
        (
            [("a", SAME, ("z",))],
            {},
            "Reference must name an input, a node or a node's port, not 'z'",
        ),
        (
            [("a", DELAY, ("z",))],
            {},
            "Reference must name an input, a node or a node's port, not 'z'",
        ),
        (
            [("a", SAME, ("x",)), ("b", SAME, ("a.z",))],
            {},
            "Reference must name an input, a node or a node's port, not 'a.z'",
        ),
        (
            [("a", SAME, ("x",)), ("b", SAME, ("a.",))],
            {},
            "Reference must name an input, a node or a node's port, not 'a.'",
        ),
        (
            [("a", SAME, ("x.y",))],
            {},
            "Reference must name an input, a node or a node's port, not 'x.y'",
        ),
        (
            [("a", SAME, ("x",))],
            {"outputs": {"y": "b"}},
            "Reference must name an input, a node or a node's port, not 'b'",
        ),
        (
            [("in", SAME, ("x",)), ("a", TWICE, ("in", "b")), ("b", SAME, ("a",))],
            {},
            "Cycle through a, b must pass through a Delay",
        ),
        ([("a", SAME, ("a",))], {}, "Cycle through a must pass through a Delay"),
        ([("a", TWICE, ("x",))], {}, "a must have 2 inputs, not 1"),
        (
            [("a", Requantize(size=3, input=FMT, output=FMT), ("x",))],
            {},
            "a.x must be given 3 elements of s8.4, not 2 of s8.4 from x",
        ),
        (
            [("a", TWICE, ("x", "x")), ("b", SAME, ("a.y",))],
            {},
            "b.x must be given 2 elements of s8.4, not 2 of s9.4 from a.y",
        ),
        (
            [("h", LEAKY, ("x",))],
            {"inputs": FRAME},
            "h (Leaky) must have a per-step input, not per-frame",
        ),
        (
            [("d", DELAY, ("x",))],
            {"inputs": FRAME},
            "d (Delay) must have a per-step input, not per-frame",
        ),
        ([("h", HOLD, ("x",))], {}, "h (Hold) must have a per-frame input, not per-step"),
        (
            [("l", LAST, ("x",))],
            {"inputs": FRAME},
            "l (Last) must have a per-step input, not per-frame",
        ),
        (
            [("l", LAST, ("x",)), ("a", TWICE, ("l", "x"))],
            {},
            "a (Elementwise) must have inputs of one rate: use a Hold",
        ),
        (
            [("l", LAST, ("x",)), ("s", SAME, ("l",)), ("h", HOLD, ("s",))],
            {"steps": 3},
            (
                "h (Hold) must have an input that is known when the frame starts, not s, "
                "which comes when it ends"
            ),
        ),
        (
            [("l", LAST, ("x",))],
            {"steps": None},
            "Stream program must be per step throughout, but l is per frame",
        ),
        (
            [("a", SAME, ("x",))],
            {"steps": None, "inputs": FRAME},
            "Stream program must be per step throughout, but x is per frame",
        ),
        (
            [("n", Count(size=2, steps=4), ("x",))],
            {"steps": 5, "inputs": SPIKES},
            "n must be made for 5 steps a frame, not for 4",
        ),
        (
            [("w", PRODUCT, ("x",))],
            {},
            "Tensors must be just those the nodes name; w is missing or unused",
        ),
        (
            [("a", SAME, ("x",))],
            {"tensors": WEIGHTS},
            "Tensors must be just those the nodes name; w is missing or unused",
        ),
        (
            [("w", PRODUCT, ("x",))],
            {"tensors": {"w": np.zeros((2, 3), np.int64)}},
            "Tensor w must be int64 of shape (2, 2), not int64 of (2, 3)",
        ),
        (
            [("w", PRODUCT, ("x",))],
            {"tensors": {"w": np.zeros((2, 2), np.int32)}},
            "Tensor w must be int64 of shape (2, 2), not int32 of (2, 2)",
        ),
        (
            [("w", PRODUCT, ("x",))],
            {"tensors": {"w": np.full((2, 2), 128)}},
            "Tensor w must lie in -128 to 127, not 128 to 128",
        ),
        (
            [("w", PRODUCT, ("x",)), ("l", Leaky(**{**vars(LEAKY), "leak": "w"}), ("x",))],
            {"tensors": WEIGHTS},
            (
                "Tensor w must have one shape and format for all its readers, "
                "not (2, 2) of s8.4 and (1,) of u17.16"
            ),
        ),
    ],
)
def test_what_is_refused(nodes: list[Any], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        make(*nodes, **fields)
    assert str(caught.value) == message


@pytest.mark.parametrize("threshold", [128, -129])
def test_a_threshold_outside_the_membranes_range_is_refused(threshold: int) -> None:
    lif = Lif(size=2, input=FMT, membrane=FMT, leak="l", threshold="t")
    tensors = {"l": np.array([1]), "t": np.array([threshold])}
    message = rf"^Tensor t must lie in -128 to 127, not {threshold} to {threshold}$"
    with pytest.raises(ProgramError, match=message):
        make(("lif", lif, ("x",)), outputs={"y": "lif.spike"}, tensors=tensors)


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(FormatError, match=r"^Port size must be a positive integer, not 0$"):
        make(("e", Extremum(size=0, input=FMT), ("x",)))


def test_order_is_that_in_which_inputs_are_ready() -> None:
    made = make(
        ("last", SAME, ("mid",)),
        ("mid", Requantize(size=2, input=TWICE.output, output=FMT), ("sum",)),
        ("sum", TWICE, ("x", "before")),
        ("before", DELAY, ("mid",)),
    )
    assert [node.name for node in made.order] == ["sum", "mid", "last", "before"]


def test_rates_and_layers() -> None:
    made = programs.lif_count()
    assert made.rates == {
        **dict.fromkeys(("x", "fc1", "cur1", "count", "argmax"), Rate.FRAME),
        **dict.fromkeys(("hold", "lif1", "fc2", "cur2", "lif2"), Rate.STEP),
    }
    # What gateware carries one element a beat; the wide streams between are no probe points.
    assert made.layers == ("lif1.spike", "lif2.spike", "count.n", "argmax.index")
    assert programs.voltages().layers == ("lif.spike", "lif.v", "sum.y")
    unread = make(
        ("lif", program_parts.neurons(2), ("x",)),
        ("last", Last(size=2, format=program_parts.CURRENT), ("x",)),
        inputs={"x": program_parts.per_step(2, program_parts.CURRENT)},
        tensors={"leak": np.array([1]), "threshold": np.array([1])},
    )
    assert unread.layers == ("last.y",)


def test_references_have_one_spelling() -> None:
    made = programs.spike_input()
    assert [made.resolve(r) for r in ("x", "lif", "lif.v")] == ["x", "lif.spike", "lif.v"]
    assert [node.name for node, _ in made.consumers["lif.spike"]] == ["count"]
    assert [node.name for node in programs.spike_recurrence().readers("leak")] == ["lif"]


def test_tensors_with_two_readers() -> None:
    made = make(
        ("a", PRODUCT, ("x",)),
        ("b", PRODUCT, ("x",)),
        tensors=WEIGHTS,
    )
    assert [node.name for node in made.readers("w")] == ["a", "b"]
    assert list(made.tensor_specs) == ["w"]


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("spike_input", True),
        ("voltages", True),
        ("voltages_stream", False),  # no frames
        ("route_recurrence", False),  # a Delay plays ahead
        ("many_ports", False),  # a Hold does, and there are two per-step inputs
        ("mlp", False),  # no per-step input
    ],
)
def test_who_may_end_a_frame_early(name: str, may: bool) -> None:
    assert programs.PROGRAMS[name]().may_end_early is may
