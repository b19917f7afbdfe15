# SPDX-License-Identifier: Apache-2.0
"""A pipeline that never waits, between streams of dense beats that may."""

from collections.abc import Sequence

from amaranth import Cat, Module, Shape, Signal, Value
from amaranth.lib import stream, wiring

from spikewright.hw.glue.outlet import CYCLES, SHALLOW, Outlet
from spikewright.hw.glue.streams import dense_layout


def delayed(m: Module, value: Value, cycles: int, *, init: int | None = None) -> Value:
    """A value some cycles later; with ``init``, the value after a reset."""
    for _ in range(cycles):
        held = Signal(value.shape(), name="delayed", reset_less=init is None, init=init or 0)
        m.d.sync += held.eq(value)
        value = held
    return value


class Flow:
    """Beats of one stream become beats of another, ``cycles`` later, one a cycle.

    A beat is taken while the buffer at the end has a place for it, so nothing inside has enables.
    It has places for a beat a cycle, but never more than lookup tables hold.
    The user computes the elements that leave from those that enter, in just so many cycles.

    Parameters
    ----------
    m : Module
    i : stream of dense beats
    shape : Shape
        Of an element that leaves.
    lanes, cycles : int
    gate : Value, optional
        Whether beats may be taken at all.

    Attributes
    ----------
    take : Signal
        Whether a beat is taken in this cycle.
    o : stream of dense beats
    """

    def __init__(
        self,
        m: Module,
        i: stream.Interface,
        *,
        shape: Shape,
        lanes: int,
        cycles: int,
        gate: Value | None = None,
    ):
        places = min(cycles + CYCLES, SHALLOW)
        outlet = Outlet(dense_layout(shape, lanes), depth=places)
        m.submodules.outlet = outlet
        self.m, self.i, self.outlet, self.o = m, i, outlet, outlet.o
        self.take = Signal(name="take")
        m.d.comb += [
            i.ready.eq(outlet.room if gate is None else outlet.room & gate),
            self.take.eq(i.valid & i.ready),
            outlet.reserve.eq(self.take),
            outlet.valid.eq(delayed(m, self.take, cycles, init=0)),
        ]
        flags = delayed(m, Cat(i.payload.first, i.payload.last, i.payload.end), cycles)
        payload = outlet.payload
        m.d.comb += Cat(payload.first, payload.last, payload.end).eq(flags)

    def leave(self, elements: Sequence[Value], o: stream.Interface | None = None) -> None:
        """Give the elements that leave, and the stream that takes them on."""
        for k, element in enumerate(elements):
            self.m.d.comb += self.outlet.payload.data[k].eq(element)
        if o is not None:
            wiring.connect(self.m, self.o, wiring.flipped(o))
