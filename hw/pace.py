# SPDX-License-Identifier: Apache-2.0
"""How many cycles of a frame each node is busy, before anything is built."""

from collections.abc import Mapping
from dataclasses import dataclass

from spikewright.hw.glue.streams import beats_of
from spikewright.sim.event_matvec import EventMatVec
from spikewright.sim.matvec import MatVec
from spikewright.sim.ports import Rate
from spikewright.sim.program import Node, Program

ACTIVITY = 1 / 8
"""Share of neurons that are taken to spike in a step, where no data says."""


@dataclass(frozen=True)
class Pace:
    """Cycles of a frame.

    Attributes
    ----------
    busy : dict of str to int
        Cycles that each node needs for a frame, inputs and outputs among them.
    interval : int
        Cycles from a frame to the next when frames follow each other: those of the slowest node.
    limit : str
        The slowest node.
    latency : int
        Estimated cycles from a frame's first word in to its last word out, if it is alone.
    """

    busy: dict[str, int]
    interval: int
    limit: str
    latency: int


def product_cycles(primitive: MatVec, lanes: int, activity: float = ACTIVITY) -> int:
    """Cycles of a product for one vector: one weight word a cycle."""
    passes = beats_of(primitive.rows, lanes)
    if isinstance(primitive, EventMatVec):
        return passes * max(1, round(primitive.columns * activity))
    return passes * primitive.columns


def pace(program: Program, folded: Mapping[str, int], activity: float = ACTIVITY) -> Pace:
    """Estimate the pace of a program on lanes.

    Exact for the interval of dense programs; what hangs on spikes is estimated.

    Parameters
    ----------
    program : Program
    folded : mapping of str to int
        As :func:`spikewright.hw.folding.fold` gives them.
    activity : float
        Share of neurons that spike in a step, 0 to 1.
    """
    steps = program.steps or 1
    busy: dict[str, int] = {}
    for name, given in program.inputs.items():
        busy[name] = given.port.size * (steps if given.rate is Rate.STEP else 1)
    for node in program.order:
        repeats = steps if program.rates[node.name] is Rate.STEP else 1
        busy[node.name] = repeats * _vector_cycles(node, folded, activity)
    finish: dict[str, int] = {name: busy[name] for name in program.inputs}
    for node in program.order:
        sources = [finish.get(r.partition(".")[0], 0) for r in node.inputs]
        streams = program.rates[node.name] is Rate.STEP
        # Steps overlap: what follows in a step loop adds one step to what it waits for.
        finish[node.name] = max(sources) + busy[node.name] // (steps if streams else 1)
        finish[node.name] = max(finish[node.name], busy[node.name])
    limit = max(busy, key=lambda name: busy[name])
    return Pace(busy, busy[limit], limit, max(finish.values()))


def _vector_cycles(node: Node, folded: Mapping[str, int], activity: float) -> int:
    """Cycles of a node for one vector."""
    primitive, lanes = node.primitive, folded[node.name]
    if isinstance(primitive, MatVec):
        beats = beats_of(primitive.rows, folded[f"{node.name}.y"])
        taken = 1 if isinstance(primitive, EventMatVec) else primitive.columns
        return max(product_cycles(primitive, lanes, activity), beats, taken)
    ports = primitive.ports()
    size = max(port.size for port in [*ports.inputs.values(), *ports.outputs.values()])
    return beats_of(size, lanes)
