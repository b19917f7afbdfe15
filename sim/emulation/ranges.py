# SPDX-License-Identifier: Apache-2.0
"""Proved ranges of a program's streams."""

from collections.abc import Sequence

from spikewright.sim.delay import Delay
from spikewright.sim.elementwise import Elementwise
from spikewright.sim.emulation.exact import (
    Range,
    format_range,
    leaky_membrane,
    lif_membrane,
    requantized,
    sums_range,
)
from spikewright.sim.hold import Hold
from spikewright.sim.last import Last
from spikewright.sim.leaky import Leaky
from spikewright.sim.lif import Lif
from spikewright.sim.matvec import MatVec
from spikewright.sim.primitive import Tensors
from spikewright.sim.program import Node, Program
from spikewright.sim.requantize import Requantize


def ranges(program: Program) -> dict[str, Range]:
    """Proved range of every input and every ``node.port``."""
    found = {name: format_range(given.port.format) for name, given in program.inputs.items()}
    for node in program.order:
        for port, described in node.primitive.ports().outputs.items():
            found[f"{node.name}.{port}"] = format_range(described.format)
    # A Delay knows no more than its format in the first pass, and its source's range in the second.
    for node in (*program.order, *program.order):
        given = [found[program.resolve(reference)] for reference in node.inputs]
        proved = _outputs(node, program.tensors, given)
        for port, tight in zip(node.primitive.ports().outputs, proved, strict=False):
            reference = f"{node.name}.{port}"
            found[reference] = tight.meet(found[reference])
    return found


def _outputs(node: Node, tensors: Tensors, given: Sequence[Range]) -> list[Range]:
    """Ranges of a node's outputs; none where the format is all that is known."""
    p, x = node.primitive, given[0]
    if isinstance(p, MatVec):
        return [sums_range(tensors[p.weight], tensors[p.bias] if p.bias else None, x)]
    if isinstance(p, Requantize):
        return [requantized(p, tensors, x).meet(format_range(p.output))]
    if isinstance(p, Elementwise):
        return [x.plus(given[1]) if p.operation == "add" else x.times(given[1])]
    if isinstance(p, Hold | Last):
        return [x]
    if isinstance(p, Delay):
        return [x.join(Range(0, 0))]
    if isinstance(p, Leaky):
        return [leaky_membrane(p, tensors, x).v]
    if isinstance(p, Lif):
        return [Range(0, 1), lif_membrane(p, tensors, x).v]
    return []
