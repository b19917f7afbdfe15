# SPDX-License-Identifier: Apache-2.0
"""A program's identity: what changes its hashes and what does not."""

import dataclasses
from typing import Any

import numpy as np
import programs
import pytest

from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Kind, Port, Rate
from spikewright.sim.primitives import EventMatVec, MatVec
from spikewright.sim.program import Input, Node, Program

FMT = QFormat(width=8, frac=4)
SPIKES = {"x": Input(Port(size=2, format=SPIKE, kind=Kind.EVENT), Rate.STEP)}


def variants() -> dict[str, Program]:
    """The same program but for one thing each."""
    base = programs.spike_input()

    def with_node(name: str, **changes: Any) -> tuple[Node, ...]:
        return tuple(
            dataclasses.replace(node, primitive=dataclasses.replace(node.primitive, **changes))
            if node.name == name
            else node
            for node in base.nodes
        )

    renamed = {"fc.w2" if name == "fc.weight" else name: t for name, t in base.tensors.items()}
    return {
        "base": base,
        "steps": dataclasses.replace(base, steps=5),
        "dt": dataclasses.replace(base, dt=2e-3),
        "option": dataclasses.replace(base, nodes=with_node("lif", strict=True)),
        "format": dataclasses.replace(base, nodes=with_node("fc", bias_width=10)),
        "name of a tensor": dataclasses.replace(
            base, nodes=with_node("fc", weight="fc.w2"), tensors=renamed
        ),
        "order of nodes": dataclasses.replace(
            base, nodes=(*base.nodes[:3], base.nodes[4], base.nodes[3])
        ),
        "order of outputs": dataclasses.replace(base, outputs=dict(reversed(base.outputs.items()))),
        "name of an output": dataclasses.replace(base, outputs={"c": "count"}),
        "an output": dataclasses.replace(base, outputs={**base.outputs, "counts": "last"}),
        "kind of an input": dataclasses.replace(
            base,
            inputs={"x": Input(Port(size=10, format=SPIKE), Rate.STEP)},
        ),
    }


def test_hashes_change_with_everything() -> None:
    found = variants()
    assert len({p.content_hash for p in found.values()}) == len(found)
    lanes = {"fc": 2}
    assert len({p.structure_hash(lanes) for p in found.values()}) == len(found)


@pytest.mark.parametrize("name", list(programs.spike_input().tensors))
def test_tensors_change_the_content_and_not_the_structure(name: str) -> None:
    base = programs.spike_input()
    tensor = base.tensors[name].copy()
    tensor.flat[-1] ^= 1
    other = dataclasses.replace(base, tensors={**base.tensors, name: tensor})
    assert other.content_hash != base.content_hash
    assert other.program_hash != base.program_hash
    assert other.structure_hash({}) == base.structure_hash({})


def test_the_order_of_inputs_changes_the_hashes() -> None:
    base = programs.many_ports()
    other = dataclasses.replace(base, inputs=dict(reversed(base.inputs.items())))
    assert other.content_hash != base.content_hash
    assert other.structure_hash({}) != base.structure_hash({})


def test_metadata_changes_the_content_and_not_the_structure() -> None:
    base = programs.mlp()
    other = dataclasses.replace(base, metadata={"classes": ["a", "b"]})
    assert other.content_hash != base.content_hash
    assert other.structure_hash({}) == base.structure_hash({})


def test_lanes_change_the_structure_hash() -> None:
    base = programs.mlp()
    hashes = {
        base.structure_hash(lanes)
        for lanes in ({"fc1": 4, "fc2": 2}, {"fc1": 4, "fc2": 3}, {"fc1": 5, "fc2": 2})
    }
    assert len(hashes) == 3
    assert base.structure_hash({"fc1": 4, "fc2": 2}) == base.structure_hash({"fc2": 2, "fc1": 4})


def test_hashes_are_of_64_bits_and_stay() -> None:
    one, two = programs.mlp(), programs.mlp()
    assert one.program_hash == two.program_hash == int(one.content_hash, 16) >> 192
    assert 0 < one.structure_hash({}) < 2**64


def test_the_kind_of_product_changes_the_hash() -> None:
    """Same names, shapes, formats and codes; only what it is differs."""
    fields = {"rows": 1, "columns": 2, "weight_format": FMT, "weight": "w"}
    tensors = {"w": np.array([[1, 2]])}
    hashes = {
        Program(
            inputs=SPIKES,
            nodes=(Node("a", primitive, ("x",)),),
            outputs={"y": "a"},
            tensors=tensors,
        ).content_hash
        for primitive in (MatVec(input=SPIKE, **fields), EventMatVec(**fields))
    }
    assert len(hashes) == 2
