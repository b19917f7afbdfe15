# SPDX-License-Identifier: Apache-2.0
"""Every primitive is found by its name and survives its description."""

import json

import programs
import pytest

from spikewright.sim import primitives
from spikewright.sim.errors import FormatError, ProgramError
from spikewright.sim.primitive import PRIMITIVES
from spikewright.sim.primitives import primitive_from

NODES = {
    f"{name}-{node.name}": node.primitive
    for name, make in programs.PROGRAMS.items()
    for node in make().nodes
}


def test_all_are_listed() -> None:
    assert sorted(PRIMITIVES) == sorted(set(primitives.__all__) - {"primitive_from"})
    assert {type(primitive) for primitive in NODES.values()} == set(PRIMITIVES.values())


@pytest.mark.parametrize("name", NODES)
def test_descriptions_survive_json(name: str) -> None:
    description = json.loads(json.dumps(NODES[name].describe()))
    assert description["type"] == type(NODES[name]).__name__
    assert primitive_from(description) == NODES[name]


def test_unknown_type() -> None:
    with pytest.raises(ProgramError) as caught:
        primitive_from({"type": "Softmax"})
    known = (
        "Activation, Bernoulli, Count, Delay, Elementwise, EventMatVec, Extremum, Hold, Last, "
        "Leaky, Learn, Lif, Lookup, MatVec, Requantize, Route"
    )
    assert str(caught.value) == f"Primitive must be one of {known}, not 'Softmax'"


def test_unknown_field() -> None:
    with pytest.raises(ProgramError) as caught:
        primitive_from({"type": "Count", "size": 3, "colour": 1})
    assert str(caught.value).startswith(
        "Count does not have the fields ['colour', 'size']: Count.__init__() "
    )


def test_wrong_value() -> None:
    with pytest.raises(FormatError, match=r"^Count steps must be a positive integer, not 0$"):
        primitive_from({"type": "Count", "size": 3, "steps": 0})
