# SPDX-License-Identifier: Apache-2.0
"""How many cycles of a frame each node is busy, before anything is built."""

from collections.abc import Mapping
from dataclasses import dataclass

from spikewright.hw.cells.multiplier import Multiplier
from spikewright.hw.glue.streams import beats_of
from spikewright.hw.learn import REST
from spikewright.sim.packets import vector_words
from spikewright.sim.ports import Port, Rate
from spikewright.sim.primitives import (
    Count,
    Delay,
    EventMatVec,
    Last,
    Leaky,
    Learn,
    Lif,
    MatVec,
    Route,
)
from spikewright.sim.program import Node, Program

ACTIVITY = 1 / 8
"""Share of neurons that are taken to spike in a step, where no data says."""
_LEAKY_CYCLES, _LIF_CYCLES = 7, 11
"""Most cycles until state is written, beside those of leaks, refractory steps and synapses."""


@dataclass(frozen=True)
class Pace:
    """Cycles of a frame.

    Attributes
    ----------
    busy : dict of str to int
        Cycles that each input and node needs for a frame; as ``frame.in`` those of several inputs
        one after the other, as ``frame.out`` those of all outputs.
    interval : int
        Cycles from a frame to the next when frames follow each other: those of the slowest of them.
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

    The interval of a dense program without a Delay is at most what is said, as long as no stream
    that parts has branches of different length that meet again: what waits for another branch, or
    for the way around a cycle, is not counted. It is exact where a product, a Route or an input
    takes longest; small layers with state, the outputs and a Delay may be quicker. What hangs on
    spikes is estimated.

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
        busy[name] = _elements_cycles(given.port) * (steps if given.rate is Rate.STEP else 1)
    if len(busy) > 1:
        busy["frame.in"] = sum(busy.values())
    for node in program.order:
        busy[node.name] = _frame_cycles(program, node, folded, activity)
    busy["frame.out"] = _out_cycles(program)
    finish: dict[str, int] = {name: busy[name] for name in program.inputs}
    for node in program.order:
        sources = [finish.get(r.partition(".")[0], 0) for r in node.inputs]
        streams = program.rates[node.name] is Rate.STEP
        # Steps overlap: what follows in a step loop adds one step to what it waits for.
        finish[node.name] = max(sources) + busy[node.name] // (steps if streams else 1)
        finish[node.name] = max(finish[node.name], busy[node.name])
    limit = max(busy, key=lambda name: busy[name])
    return Pace(busy, busy[limit], limit, max(finish.values()))


def state_cycles(primitive: Leaky | Lif) -> int:
    """Most cycles until a tile's state is written and may be read again.

    A layer with fewer tiles waits for that in each step. Currents decay before the membrane does
    if it leaks after its input, and beside it otherwise.

    Parameters
    ----------
    primitive : Leaky or Lif
    """
    if isinstance(primitive, Leaky):
        return _LEAKY_CYCLES + _leak_cycles(primitive.leak)
    membrane = _leak_cycles(primitive.leak)
    leaks = [leak for leak, _ in primitive.synapses.values()]
    currents = sum(_leak_cycles(leak) for leak in leaks) + 2 * bool(leaks)
    before = membrane + currents if primitive.leak_after_input else max(membrane, currents)
    return _LIF_CYCLES + 2 * (primitive.refractory > 0) + before


def _leak_cycles(leak: str | tuple[int, ...]) -> int:
    """A product and its subtraction, or an addition for each shift."""
    return Multiplier.latency + 1 if isinstance(leak, str) else len(leak) + 1


def _elements_cycles(port: Port) -> int:
    """Cycles of a vector on the host's bus, an element or a word a cycle."""
    return max(port.size, vector_words(port))


def _out_cycles(program: Program) -> int:
    """Cycles of all outputs, which leave one after the other, and one that ends the frame."""
    found = 1
    for output in program.outputs.values():
        reference = program.resolve(output)
        stepped = program.rates[reference.partition(".")[0]] is Rate.STEP
        repeats = (program.steps or 1) if stepped else 1
        found += repeats * (_elements_cycles(program.port(reference)) + 1)
    return found


def _frame_cycles(program: Program, node: Node, folded: Mapping[str, int], activity: float) -> int:
    """Cycles of a node for a frame."""
    primitive, steps = node.primitive, program.steps or 1
    if isinstance(primitive, Last):
        # Three cycles for each beat that leaves, while none is taken.
        return (steps + 3) * beats_of(primitive.size, folded[node.name])
    if isinstance(primitive, Count):
        marker = 4
        return steps * (round(primitive.size * activity) + marker) + primitive.size + marker
    repeats = steps if program.rates[node.name] is Rate.STEP else 1
    return repeats * _vector_cycles(node, folded, activity)


def _vector_cycles(node: Node, folded: Mapping[str, int], activity: float) -> int:
    """Cycles of a node for one vector."""
    primitive, lanes = node.primitive, folded[node.name]
    if isinstance(primitive, MatVec):
        beats = beats_of(primitive.rows, folded[f"{node.name}.y"])
        taken = 1 if isinstance(primitive, EventMatVec) else primitive.columns
        return max(product_cycles(primitive, lanes, activity), beats, taken)
    if isinstance(primitive, Learn):
        passes, spikes = beats_of(primitive.rows, lanes), round(primitive.columns * activity)
        # The changes of a tile come in while the one before plays, an element a cycle.
        return max(passes * max(max(1, spikes) + REST, min(lanes, primitive.rows)), spikes + 1)
    if isinstance(primitive, Route):
        return sum(primitive.sizes) + 3 * len(primitive.order)
    if isinstance(primitive, Delay):
        return 3 * primitive.size + 2
    ports = primitive.ports()
    size = max(port.size for port in [*ports.inputs.values(), *ports.outputs.values()])
    beats = beats_of(size, lanes)
    if isinstance(primitive, Leaky | Lif):
        return max(beats, state_cycles(primitive))
    return beats
