# SPDX-License-Identifier: Apache-2.0
"""Where a frame may come to its end later than at the program's outputs."""

from amaranth import C, Value
from amaranth.lib import stream

from spikewright.sim.delay import Delay
from spikewright.sim.ports import Rate
from spikewright.sim.program import Program


def ends_of(program: Program) -> list[str]:
    """Delays, by their names, and streams that nobody reads, by reference.

    A Delay sends before it takes, so the outputs may have left while it still waits for its input.
    All else gives a frame's end only when it has taken it; of several streams of a node it is
    enough that one is read. In a stream program each step is an end, of what has steps.

    Parameters
    ----------
    program : Program
    """
    read = {program.resolve(output) for output in program.outputs.values()} | set(program.consumers)
    streams = {name: [name] for name in program.inputs}
    found = []
    for node in program.order:
        streams[node.name] = [f"{node.name}.{port}" for port in node.primitive.ports().outputs]
        if isinstance(node.primitive, Delay):
            streams[node.name] = [node.name]
            found.append(node.name)
    for references in streams.values():
        if read.isdisjoint(references):
            found += references
    rates = program.rates
    steps_end = program.steps is None
    return [
        name
        for name in dict.fromkeys(found)
        if not steps_end or rates[name.partition(".")[0]] is Rate.STEP
    ]


def at_end(watched: stream.Interface, steps: int | None) -> Value:
    """Whether the last beat or event of a frame passes; of a step where ``steps`` is None.

    Parameters
    ----------
    watched : stream
        Dense or of events.
    steps : int or None
        Steps of a frame.
    """
    payload = watched.payload
    events = "end_step" in dict(payload.shape())
    last = payload.end_step if events else payload.last
    end = payload.end_frame if events else payload.end
    passes: Value = watched.valid & watched.ready & last & (C(1) if steps is None else end)
    return passes
