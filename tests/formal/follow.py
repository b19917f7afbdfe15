# SPDX-License-Identifier: Apache-2.0
"""What goes in comes out, once, in order and as it should be."""

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Cat, Value

from formal.bench import Bench
from formal.contract import Events, Tokens, Vectors


class Balance:
    """Vectors that went in and have not come out; never negative and never above ``most``.

    With order kept this says that each leaves exactly once: none is lost, made up or sent twice.

    Parameters
    ----------
    bench : Bench
    came, left : Value
        Whether a vector's last beat passes.
    most : int
    through : bool
        Whether a vector may leave in the very cycle in which its last beat comes.
    """

    def __init__(
        self,
        bench: Bench,
        came: Value,
        left: Value,
        *,
        most: int,
        name: str = "",
        through: bool = False,
    ):
        m = bench.m
        self.most = most
        self.inside = bench.register(range(most + 2), f"inside{name}")
        m.d.sync += self.inside.eq(self.inside + came - left)
        suffix = f" ({name})" if name else ""
        room = (self.inside != 0) | (came if through else 0)
        bench.check(f"no vector out that did not come in{suffix}", ~left | room)
        bench.check(f"at most {most} vectors inside{suffix}", self.inside <= most)


class Tracker:
    """Follows any element of any vector from a dense stream to a dense stream.

    Parameters
    ----------
    bench : Bench
    source, sink : Vectors
    balance : Balance
        Of the two.
    changed : callable, optional
        What the component makes of the element's bits; by default nothing.
    given : Value, optional
        What to keep instead of the element when it comes.
    at_end : bool
        Whether to keep that when the vector's last beat comes.
    """

    def __init__(
        self,
        bench: Bench,
        source: Vectors | Tokens,
        sink: Vectors | Tokens,
        balance: Balance,
        *,
        changed: Any = lambda bits: bits,
        given: Value | None = None,
        at_end: bool = False,
    ):
        m = bench.m
        self.element = n = bench.constant(range(sink.size), "element")
        pick = bench.free(1, "pick")
        self.ahead = bench.register(range(balance.most + 1), "ahead")
        """Vectors that leave before the one that is followed."""
        self.tracking, self.have = bench.register(1, "tracking"), bench.register(1, "have")
        value = source.element(n) if given is None else Value.cast(given)
        self.value = bench.register(value.shape(), "value")
        start = source.begun & pick & ~self.tracking
        now = self.tracking | start
        with m.If(start):
            m.d.sync += [self.tracking.eq(1), self.ahead.eq(balance.inside - sink.done)]
        comes = source.done if at_end else source.moved & source.holds(n)
        with m.If(now & ~self.have & comes):
            m.d.sync += [self.value.eq(value), self.have.eq(1)]
        self.here = bench.named(self.tracking & (self.ahead == 0), "here")
        with m.If(self.tracking & sink.done):
            m.d.sync += self.ahead.eq(self.ahead - 1)
            with m.If(self.ahead == 0):
                m.d.sync += [self.tracking.eq(0), self.have.eq(0), self.ahead.eq(0)]
        out = bench.named(self.here & sink.valid & sink.holds(n), "followed_out")
        right = self.have & (sink.element(n) == changed(self.value))
        bench.check("every element is the right one, in order", ~out | right)
        bench.cover("the element that is followed comes out", out & sink.ready & self.have)
        bench.invariant(self.ahead <= balance.inside)
        bench.invariant(self.tracking | (~self.have & (self.ahead == 0)))
        if isinstance(source, Vectors):
            # While the vector still comes in, some of it has come; after that all of it.
            complete = self.ahead < balance.inside
            bench.invariant(~self.tracking | complete | (source.beat != 0))
            came = complete | source.holds_before(n)
            bench.invariant(~self.tracking | (self.have == came))
        else:
            bench.invariant(~self.tracking | (self.have & (self.ahead < balance.inside)))


class SpikeTracker:
    """Follows any neuron in any step where spikes come or leave as events.

    Whether it spiked, and whether the step ended its frame, must be the same on both sides.

    Parameters
    ----------
    bench : Bench
    source, sink : Vectors or Events
    balance : Balance
        Of the two.
    fires : callable, optional
        Whether a neuron fires on what comes in now, if the source does not say so itself.
    """

    def __init__(
        self,
        bench: Bench,
        source: Vectors | Events,
        sink: Vectors | Events,
        balance: Balance,
        *,
        fires: Callable[[Value], Value] | None = None,
    ):
        m = bench.m
        self.neuron = n = bench.constant(range(sink.size), "neuron")
        pick = bench.free(1, "pick")
        self.ahead = bench.register(range(balance.most + 1), "ahead")
        self.tracking, self.complete = bench.register(1, "tracking"), bench.register(1, "complete")
        self.value, self.seen = bench.register(1, "value"), bench.register(1, "seen")
        """Whether the neuron spiked so far, at the source and at the sink."""
        self.end = bench.register(1, "end")
        start = source.begun & pick & ~self.tracking
        coming = start | (self.tracking & ~self.complete)
        with m.If(start):
            m.d.sync += [self.tracking.eq(1), self.ahead.eq(balance.inside - sink.done)]
        spikes = _spikes(source, n) if fires is None else source.holds(n) & fires(n)
        with m.If(coming & source.moved & spikes):
            m.d.sync += self.value.eq(1)
        with m.If(coming & source.done):
            m.d.sync += [self.complete.eq(1), self.end.eq(_end(source))]
        self.here = bench.named(self.tracking & (self.ahead == 0), "here")
        spiked = bench.named(sink.valid & _spikes(sink, n), "spiked")
        with m.If(self.here & sink.moved & spiked):
            m.d.sync += self.seen.eq(1)
        closes = bench.named(self.here & sink.valid & _closes(sink), "closes")
        total = self.seen | spiked
        right = self.complete & (total == self.value) & (_end(sink) == self.end)
        name = "every step's spikes are the right ones, in order"
        bench.check(name, ~closes | right)
        bench.cover("a spike that is followed comes out", closes & sink.ready & self.value)
        with m.If(self.tracking & sink.done):
            m.d.sync += self.ahead.eq(self.ahead - 1)
            with m.If(self.ahead == 0):
                m.d.sync += [
                    Cat(self.tracking, self.complete, self.value, self.seen).eq(0),
                    self.ahead.eq(0),
                ]
        bench.invariant(self.ahead <= balance.inside)
        clear = Cat(self.complete, self.value, self.seen, self.ahead) == 0
        bench.invariant(self.tracking | clear)
        bench.invariant(~self.tracking | (self.complete == (self.ahead < balance.inside)))


def _spikes(port: Vectors | Events, n: Value) -> Value:
    """Whether the beat says that a neuron spikes."""
    if isinstance(port, Events):
        return ~port.payload.end_step & (port.payload.index == n)
    return port.holds(n) & port.element(n)[0]


def _closes(port: Vectors | Events) -> Value:
    return port.payload.end_step if isinstance(port, Events) else port.beat == port.beats - 1


def _end(port: Vectors | Events) -> Value:
    return port.payload.end_frame if isinstance(port, Events) else port.payload.end
