# SPDX-License-Identifier: Apache-2.0
"""Spikes as entries of a vector that is played."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream


def event_entry(columns: int) -> data.StructLayout:
    """A spike of a step; a silent step has one entry that is not ``present``."""
    return data.StructLayout({"index": range(columns), "present": 1})


def mark_last(m: Module, i: stream.Interface, o: stream.Interface, columns: int) -> None:
    """Hold each spike back until it is known whether another follows it in its step.

    Parameters
    ----------
    m : Module
    i : stream of events
    o : stream of entries
        As a player takes them.
    columns : int
    """
    event = i.payload
    held, index, first = Signal(), Signal.like(event.index), Signal(init=1)
    spike = data.View(event_entry(columns), Value.cast(o.payload.data))
    m.d.comb += [
        o.valid.eq(i.valid & (held | event.end_step)),
        i.ready.eq(o.ready | (~held & ~event.end_step)),
        spike.index.eq(Mux(held, index, 0)),
        spike.present.eq(held),
        o.payload.first.eq(first),
        o.payload.last.eq(event.end_step),
        o.payload.end.eq(event.end_frame),
    ]
    with m.If(i.valid & i.ready):
        m.d.sync += [held.eq(~event.end_step), index.eq(event.index)]
        with m.If(event.end_step):
            m.d.sync += first.eq(event.end_frame)
