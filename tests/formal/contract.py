# SPDX-License-Identifier: Apache-2.0
"""What every stream keeps, as docs/gateware.md states it: assumed of inputs, proved of outputs."""

from typing import Any

from amaranth.hdl import Array, C, Cat, Mux, Signal, Value
from amaranth.lib import stream

from formal.bench import Bench
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.glue.streams import beats_of


class Port:
    """A stream that a valid beat stays on, unchanged, until it is taken.

    Parameters
    ----------
    bench : Bench
    name : str
        Of the stream among the component's ports; inputs are assumed, outputs proved.
    source : bool
        Whether the bench sends to it.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        *,
        source: bool,
        port: stream.Interface | None = None,
    ):
        self.bench = bench
        self.name = name
        self.source = source
        self.port = port or getattr(bench.component, name)
        self.valid, self.ready = self.port.valid, self.port.ready
        self.payload = self.port.payload
        bits = Value.cast(self.payload)
        self.moved = bench.named(bench.running & self.valid & self.ready, f"{name}_moved")
        waiting = bench.past(self.valid & ~self.ready, f"{name}_waiting")
        held = bench.past(bits, f"{name}_held")
        self.say("valid stays until ready", ~waiting | self.valid)
        self.say("payload stays until ready", ~waiting | (bits == held))

    def say(self, name: str, condition: Any) -> None:
        """Assume of an input, prove of an output."""
        if self.source:
            self.bench.assume(condition)
        else:
            self.bench.check(f"{self.name}: {name}", condition)


class Tokens(Port):
    """A stream of beats of which each is a vector of one opaque element."""

    size = 1

    def __init__(self, bench: Bench, name: str, *, source: bool, **options: Any):
        super().__init__(bench, name, source=source, **options)
        self.begun = self.done = self.moved

    def holds(self, element: Any) -> Value:
        """Always."""
        return C(1)

    def element(self, element: Any) -> Value:
        """The beat's bits."""
        return Value.cast(self.payload)


class Vectors(Port):
    """A stream of dense beats.

    Parameters
    ----------
    size, lanes : int
    per_frame : bool
        Whether each vector is a frame of its own.
    steps : int, optional
        Vectors of a frame, where they are always as many.
    first : bool
        Whether the component says anything in ``first``.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        *,
        size: int,
        lanes: int = 1,
        source: bool,
        per_frame: bool = False,
        steps: int | None = None,
        **options: Any,
    ):
        super().__init__(bench, name, source=source, **options)
        self.size, self.lanes, self.beats = size, lanes, beats_of(size, lanes)
        m, p = bench.m, self.payload
        self.beat = bench.register(range(self.beats), f"{name}_beat")
        self.fresh = bench.register(1, f"{name}_fresh", init=1)
        final = self.beat == self.beats - 1
        self.begun = self.moved & (self.beat == 0)
        self.done = bench.named(self.moved & final, f"{name}_done")
        self.say("last on the last beat and no other", ~self.valid | (p.last == final))
        fresh = 1 if per_frame else self.fresh
        self.say("first all through a frame's first step", ~self.valid | (p.first == fresh))
        if per_frame:
            self.say("every vector ends its frame", ~self.valid | ~final | p.end)
        with m.If(self.moved):
            m.d.sync += self.beat.eq(Mux(final, 0, self.beat + 1))
            with m.If(final):
                m.d.sync += self.fresh.eq(p.end)
        self.step = _count_steps(self, steps, self.done, p.end, self.valid & final)
        if source:
            bench.invariant(self.beat < self.beats)

    def holds(self, element: Any) -> Value:
        """Whether the beat holds an element, by its index."""
        return self.beat == _by_index(element, [k // self.lanes for k in range(self.size)])

    def holds_before(self, element: Any) -> Value:
        """Whether an element was in one of the beats before, of a vector that is under way."""
        return self.beat > _by_index(element, [k // self.lanes for k in range(self.size)])

    def element(self, element: Any) -> Value:
        """Bits of that element of the beat."""
        lanes = [Value.cast(self.payload.data[k]).as_unsigned() for k in range(self.lanes)]
        return _by_index(element, [lanes[k % self.lanes] for k in range(self.size)])


class Events(Port):
    """A stream of events.

    Parameters
    ----------
    size : int
    steps : int, optional
        Markers of a frame, where they are always as many.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        *,
        size: int,
        source: bool,
        steps: int | None = None,
        **options: Any,
    ):
        super().__init__(bench, name, source=source, **options)
        self.size = size
        m, p = bench.m, self.payload
        self.lowest = bench.register(range(size + 1), f"{name}_lowest")
        self.fresh = bench.register(1, f"{name}_fresh", init=1)
        self.marker = self.valid & p.end_step
        spike = self.valid & ~p.end_step
        self.done = bench.named(self.moved & p.end_step, f"{name}_done")
        # A step begins with its first event; the bench calls it begun when nothing came before.
        self.under_way = bench.register(1, f"{name}_under_way")
        self.begun = self.moved & ~self.under_way
        m.d.sync += self.under_way.eq(Mux(self.moved, ~p.end_step, self.under_way))
        self.say(
            "indices ascend, so a neuron spikes once a step", ~spike | (p.index >= self.lowest)
        )
        self.say("indices are of neurons", ~spike | (p.index < size))
        self.say("a marker has index 0", ~self.marker | (p.index == 0))
        self.say("frames end with a marker", ~spike | ~p.end_frame)
        with m.If(self.moved):
            m.d.sync += self.lowest.eq(Mux(p.end_step, 0, p.index + 1))
            with m.If(p.end_step):
                m.d.sync += self.fresh.eq(p.end_frame)
        self.step = _count_steps(self, steps, self.done, p.end_frame, self.marker)
        if source:
            bench.invariant(self.lowest <= size)
            bench.invariant(self.under_way == (self.lowest != 0))


def _count_steps(
    port: Port, steps: int | None, done: Value, end: Value, at_end: Value
) -> Signal | None:
    """Hold a stream to frames of so many steps."""
    if steps is None:
        return None
    bench, m = port.bench, port.bench.m
    step = bench.register(range(steps), f"{port.name}_step")
    final = step == steps - 1
    port.say(f"a frame ends after {steps} steps", ~at_end | (end == final))
    with m.If(done):
        m.d.sync += step.eq(Mux(final, 0, step + 1))
    if port.source:
        bench.invariant(step < steps)
    return step


def _by_index(index: Any, values: list[Any]) -> Value:
    if isinstance(index, int):
        return Value.cast(values[index])
    return Value.cast(Array(values)[index])


def progress(bench: Bench, ports: list[Port], *, within: int, rests: Value | None = None) -> None:
    """While inputs keep coming and outputs are taken, some beat passes within so many cycles.

    Parameters
    ----------
    rests : Value, optional
        Whether nothing is inside and nothing can be taken for a good reason.
    """
    m = bench.m
    idle = bench.register(range(within + 2), "idle")
    willing = Cat(p.valid if p.source else p.ready for p in ports).all()
    moved = Cat(p.moved for p in ports).any()
    blocked = bench.running & willing & ~moved
    if rests is not None:
        blocked &= ~rests
    m.d.sync += idle.eq(Mux(blocked, Mux(idle > within, idle, idle + 1), 0))
    bench.check(f"progress within {within} cycles", idle <= within)


def hosts_quiet(bench: Bench) -> None:
    """The host accesses no tensor while vectors come; their words are anything, and stay."""
    component = bench.component
    if not isinstance(component, PrimitiveComponent):
        return
    for host in component.hosts.values():
        for name in ("rewind", "write", "advance", "fetch"):
            if hasattr(host, name):
                bench.assume(~getattr(host, name))


def steady(bench: Bench, word: Signal, name: str) -> Signal:
    """Let a word of the host's keep still: a write from before the reset may come through."""
    held = Signal.like(word, name=f"formal_{name}_before", reset_less=True)
    began = bench.past(1, f"{name}_began")
    bench.m.d.sync += held.eq(word)
    bench.assume(~began | (held == word))
    return word
