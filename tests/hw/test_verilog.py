# SPDX-License-Identifier: Apache-2.0
"""The text of an accelerator."""

from dataclasses import replace

import programs
import pytest

from spikewright.hw.accelerator import Accelerator
from spikewright.hw.cells.block_memory import STORE
from spikewright.hw.cells.family import XC7, Family
from spikewright.hw.verilog import to_verilog

NAMES = ("inputs", "outputs", "entry", "exit")


@pytest.mark.parametrize("family", [None, XC7])
def test_size_grows_with_structure_and_not_with_weights(family: Family | None) -> None:
    """784-1024-10 has 174 times the weights of 64-64-10 and nearly the same text."""
    small = to_verilog(Accelerator(programs.mlp((64, 64, 10)), 16), family)
    large = to_verilog(Accelerator(programs.mlp((784, 1024, 10)), 16), family)
    assert len(large) < 1.3 * len(small)
    assert len(large) < 2_000_000


def test_large_memories_are_instances_of_one_module() -> None:
    text = to_verilog(Accelerator(programs.mlp((64, 64, 10)), 16))
    assert text.count("module spikewright_store ") == 1
    assert text.endswith(STORE)
    assert text.count("spikewright_store #(") > 8


def test_nodes_may_have_any_name() -> None:
    """Not even those of the datapath's own parts are taken."""
    given = programs.mlp((4, 3, 2))
    names = dict(zip((node.name for node in given.nodes), NAMES, strict=True))
    nodes = tuple(
        replace(n, name=names[n.name], inputs=tuple(names.get(i, i) for i in n.inputs))
        for n in given.nodes
    )
    outputs = {name: names.get(reference, reference) for name, reference in given.outputs.items()}
    to_verilog(Accelerator(replace(given, nodes=nodes, outputs=outputs)))
