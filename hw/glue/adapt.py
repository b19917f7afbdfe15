# SPDX-License-Identifier: Apache-2.0
"""Streams in the kind and the beat width that their readers take."""

from amaranth import Module
from amaranth.lib import stream, wiring

from spikewright.hw.fixed import shape_of
from spikewright.hw.glue.events import Gather, Scatter
from spikewright.hw.glue.streams import Narrow, Widen
from spikewright.sim.ports import Kind, Port


def adapt(
    m: Module,
    name: str,
    source: stream.Interface,
    port: Port,
    width: int,
    kind: Kind,
    lanes: int,
) -> tuple[stream.Interface, list[stream.Interface]]:
    """A stream in the kind and beat width that its reader takes.

    Returns
    -------
    stream
    list of stream
        Where it passes one element a beat on the way, the stream there.
    """
    shape, narrowed = shape_of(port.format), []
    if port.kind is Kind.EVENT:
        if kind is Kind.EVENT:
            return source, []
        source = through(m, f"scatter_{name}", Scatter(size=port.size), source)
        width = 1
    elif kind is Kind.EVENT or width != lanes:
        if width > 1:
            narrow = Narrow(shape, size=port.size, lanes=width)
            source = through(m, f"narrow_{name}", narrow, source)
            narrowed = [source]
            width = 1
        if kind is Kind.EVENT:
            gather = Gather(size=port.size, lanes=1)
            return through(m, f"gather_{name}", gather, source), narrowed
    if width != lanes:
        source = through(m, f"widen_{name}", Widen(shape, lanes=lanes), source)
    return source, narrowed


def through(
    m: Module, name: str, glue: Narrow | Widen | Gather | Scatter, source: stream.Interface
) -> stream.Interface:
    """Place a component with one input and one output; the stream that leaves it."""
    m.submodules[name] = glue
    wiring.connect(m, source, glue.i)
    return glue.o
