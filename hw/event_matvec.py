# SPDX-License-Identifier: Apache-2.0
"""Event-driven matrix-vector product."""

from amaranth import Module, Mux, Signal
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.accumulators import Accumulators
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import shape_of
from spikewright.hw.parameters import ParameterMemory
from spikewright.hw.streams import beats_of
from spikewright.sim.event_matvec import EventMatVec as Primitive


class EventMatVec(PrimitiveComponent):
    """A spike adds its column of weights, ``lanes`` rows a cycle; the marker sends the sums.

    A spike takes ``ceil(rows / lanes)`` cycles, back to back, also twice the same; a step's marker
    takes as many again plus five. No multipliers, and no work for neurons that are silent.

    Parameters
    ----------
    primitive : spikewright.sim.event_matvec.EventMatVec
    lanes : int

    Members
    -------
    i_x : In(stream of events)
    o_y : Out(stream of dense beats, ``lanes`` wide)
    host_0, host_1 : In(ParameterHost)
        Weights; biases if there are any.
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int):
        super().__init__(primitive, lanes=lanes, lanes_in=1, lanes_out=lanes)
        self.tiles = beats_of(primitive.rows, lanes)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        primitive, i = self.primitive, self.input("x")
        m.submodules.weights = weights = ParameterMemory(
            rows=primitive.rows,
            columns=primitive.columns,
            lanes=self.lanes,
            format=primitive.weight_format,
            tiles_adjacent=True,
        )
        wiring.connect(m, wiring.flipped(self.hosts[primitive.weight]), weights.host)
        m.submodules.sums = sums = Accumulators(
            shape_of(primitive.accumulator), depth=self.tiles, lanes=self.lanes
        )

        # Three stages: word address, weight word, registered weight word into the sums.
        address, tile = Signal(range(weights.depth)), Signal(range(self.tiles))
        active, fetched, adding = Signal(), Signal(), Signal()
        fetched_tile, adding_tile = Signal.like(tile), Signal.like(tile)
        final = tile == self.tiles - 1
        marker = i.valid & i.payload.end_step
        idle = ~(active | fetched | adding)
        m.d.comb += [
            weights.address.eq(address),
            weights.enable.eq(active),
            i.ready.eq(sums.ready & Mux(marker, idle, ~active | final)),
            sums.drain.eq(marker & i.ready),
            sums.end.eq(i.payload.end_frame),
            sums.add.eq(adding),
            sums.address.eq(adding_tile),
        ]
        with m.If(active):
            m.d.sync += [address.eq(address + 1), tile.eq(tile + 1), active.eq(~final)]
        with m.If(i.valid & i.ready & ~marker):
            m.d.sync += [active.eq(1), tile.eq(0), address.eq(i.payload.index * self.tiles)]
        m.d.sync += [
            fetched.eq(active),
            fetched_tile.eq(tile),
            adding.eq(fetched),
            adding_tile.eq(fetched_tile),
        ]
        for k in range(self.lanes):
            weight = Signal(shape_of(primitive.weight_format), name=f"w_{k}", reset_less=True)
            m.d.sync += weight.eq(weights.word[k])
            m.d.comb += sums.addend[k].eq(weight)
        first = Signal(init=1)
        m.d.comb += sums.first.eq(first)
        with m.If(sums.drain):
            m.d.sync += first.eq(i.payload.end_frame)
        self._add_bias(m, sums)
        return m

    def _add_bias(self, m: Module, sums: Accumulators) -> None:
        """Add the biases to the sums as they leave."""
        o, bias = self.output("y"), self.primitive.bias
        m.d.comb += [
            o.valid.eq(sums.o.valid),
            sums.o.ready.eq(o.ready),
            o.payload.eq(sums.o.payload),
        ]
        if bias is None:
            return
        m.submodules.biases = biases = ParameterMemory(
            rows=self.primitive.rows, columns=1, lanes=self.lanes, format=self.primitive.bias_format
        )
        wiring.connect(m, wiring.flipped(self.hosts[bias]), biases.host)
        m.d.comb += [biases.address.eq(sums.draining), biases.enable.eq(sums.reading)]
        for k in range(self.lanes):
            m.d.comb += o.payload.data[k].eq(sums.o.payload.data[k] + biases.word[k])
