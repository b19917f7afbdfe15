# SPDX-License-Identifier: Apache-2.0
"""Beats of spikes without those in which nothing happens, in small groups."""

from amaranth import Array, Cat, Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.glue.streams import beats_of, dense_layout

GROUP = 8
"""Most lanes in a group: what two levels of lookup tables number."""


def group_layout(size: int, lanes: int) -> data.StructLayout:
    """Spikes of neighbouring neurons.

    Bit ``k`` of ``spikes`` is neuron ``base + GROUP * number + k``. ``last`` marks the last group
    of a vector, which may be empty; then ``end`` tells whether this is the frame's last step.
    """
    return data.StructLayout(
        {
            "spikes": min(GROUP, lanes),
            "number": range(beats_of(lanes, GROUP)),
            "base": range(size),
            "last": 1,
            "end": 1,
        }
    )


class Sift(wiring.Component):
    """Spike vectors to groups that have a spike, and one that ends the vector.

    A beat takes a cycle for each of its groups that has a spike, one if none has; a beat that has
    none and does not end the vector is gone. Latency one cycle.

    Parameters
    ----------
    size : int
    lanes : int

    Members
    -------
    i : In(stream of dense beats of spikes, ``lanes`` wide)
    o : Out(stream of groups)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, size: int, lanes: int):
        self.size = size
        self.lanes = lanes
        super().__init__(
            {
                "i": In(stream.Signature(dense_layout(Shape(1), lanes))),
                "o": Out(stream.Signature(group_layout(size, lanes))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        beat, group = self.i.payload, self.o.payload
        held, last = Signal(), Signal()
        # Counted in the largest power of two in the lanes: bits below are not there.
        below = (self.lanes & -self.lanes).bit_length() - 1
        base = Signal(range(-(-self.size // (1 << below))))
        spikes = Signal(self.lanes, reset_less=True)
        waiting = Signal(beats_of(self.lanes, GROUP))
        rest = without_lowest(waiting)
        m.d.comb += [
            self.o.valid.eq(held),
            group.number.eq(lowest(m, waiting)),
            group.spikes.eq(Array(parts(spikes))[group.number]),
            group.last.eq(last & ~rest.any()),
            self.i.ready.eq(~held | (self.o.ready & ~rest.any())),
        ]
        bits = Cat(beat.data[k] for k in range(self.lanes))
        tail = self.size - (beats_of(self.size, self.lanes) - 1) * self.lanes
        within = bits & Mux(beat.last, (1 << tail) - 1, (1 << self.lanes) - 1)
        with m.If(self.i.ready):
            m.d.sync += [
                held.eq(self.i.valid & (beat.last | within.any())),
                waiting.eq(Cat(part.any() for part in parts(within))),
                spikes.eq(within),
                last.eq(beat.last),
                group.end.eq(beat.end),
                group.base.eq(base << below),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += waiting.eq(rest)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += base.eq(Mux(beat.last, 0, base + (self.lanes >> below)))
        return m


def parts(bits: Value) -> list[Value]:
    """Groups of bits, lowest first."""
    return [bits[start : start + GROUP] for start in range(0, len(bits), GROUP)]


def without_lowest(bits: Value) -> Value:
    """Bits but the lowest that is set; as logic, which is faster than a subtraction."""
    return Cat(bits[k] & bits[:k].any() for k in range(len(bits)))


def lowest(m: Module, bits: Value) -> Signal:
    """Number of the lowest bit that is set."""
    number = Signal(range(len(bits)))
    for k in reversed(range(len(bits))):
        with m.If(bits[k]):
            m.d.comb += number.eq(k)
    return number
