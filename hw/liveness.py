# SPDX-License-Identifier: Apache-2.0
"""How much each branch of the stream graph must hold, so that no program can stop for good.

The argument is in `docs/formal.md`: a node that has a vector on each input, and room for one on
each output, finishes its step; so it is enough that streams which start side by side can each hold
a whole vector, of the most beats or events that it can have.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from spikewright.hw.folding import beat_width
from spikewright.hw.glue.streams import beats_of
from spikewright.sim.ports import Kind, Port
from spikewright.sim.program import Program


@dataclass(frozen=True)
class Branch:
    """One reader's branch of a stream.

    Parameters
    ----------
    reference : str
        The stream.
    number : int
        Among its readers: nodes in the program's order, then outputs.
    depth : int
        Elements or events that it must hold; 0 where nothing can wait beside it.
    """

    reference: str
    number: int
    depth: int


def branches(program: Program) -> list[Branch]:
    """Every branch of a program's streams, and the vector that it must hold.

    Parameters
    ----------
    program : Program
    """
    found = []
    for reference in _streams(program):
        readers = len(program.consumers.get(reference, []))
        readers += sum(program.resolve(o) == reference for o in program.outputs.values())
        alone = readers == 1 and len(_siblings(program, reference)) == 1
        depth = 0 if alone else most_of(program.port(reference), program, reference)
        found += [Branch(reference, k, depth) for k in range(readers)]
    return found


def most_of(port: Port, program: Program, reference: str) -> int:
    """Elements of a vector, or events of a step in which every neuron spikes."""
    # Spikes of an input come as a vector of bits.
    events = port.kind is Kind.EVENT and reference not in program.inputs
    return port.size + 1 if events else port.size


def beats_needed(branch: Branch, program: Program, lanes: Mapping[str, int], width: int) -> int:
    """Beats of a branch's vector.

    Parameters
    ----------
    branch : Branch
    program : Program
    lanes : mapping of str to int
        As :func:`spikewright.hw.folding.fold` gives them.
    width : int
        Elements in a beat of the branch, at most those of the stream.
    """
    if program.port(branch.reference).kind is Kind.EVENT and branch.reference not in program.inputs:
        return branch.depth
    return beats_of(branch.depth, min(width, beat_width(lanes, branch.reference)))


def _streams(program: Program) -> list[str]:
    nodes = [(node.name, node.primitive.ports().outputs) for node in program.order]
    return [*program.inputs, *(f"{name}.{port}" for name, ports in nodes for port in ports)]


def _siblings(program: Program, reference: str) -> list[str]:
    """Streams that start side by side with one, itself among them.

    The host sends the vectors of all inputs one after the other.
    """
    if reference in program.inputs:
        return list(program.inputs)
    primitive = program.by_name[reference.partition(".")[0]].primitive
    return list(primitive.ports().outputs)
