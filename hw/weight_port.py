# SPDX-License-Identifier: Apache-2.0
"""The host's way to the weights inside a row of multiply-accumulate units."""

from amaranth import Module, Mux, Shape, Signal
from amaranth.build import Platform
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.parameters import ParameterHost, ParameterHostInterface
from spikewright.hw.streams import beats_of


class WeightPort(wiring.Component):
    """Writes single weights, and reads one by letting the row multiply its word by 1.

    A write takes seven cycles, a move four; a read the time of a pass of one product.

    Parameters
    ----------
    rows, columns, lanes : int
        Row ``r`` is lane ``r % lanes``; words are ``(r // lanes) * columns + column``.
    weight, total : Shape
        Of weights and sums.
    lanes_out : int
        Sums in a beat.

    Members
    -------
    host : In(ParameterHost)
    busy : Out(1)
        The row must take address and operand 1 from here.
    address : Out, lane : Out, write : Out(1), weight : Out
        As the row takes them.
    fetch : Out(1)
        A pass of one product begins with this address.
    valid : In(1), o : In(ArrayLayout(total, lanes_out))
        Sums that leave the row.
    """

    host: ParameterHostInterface
    busy: Signal
    address: Signal
    lane: Signal
    write: Signal
    weight: Signal
    fetch: Signal
    valid: Signal
    o: data.View

    def __init__(
        self, *, rows: int, columns: int, lanes: int, weight: Shape, total: Shape, lanes_out: int
    ):
        self.columns = columns
        self.lanes, self.lanes_out = lanes, lanes_out
        self.depth = beats_of(rows, lanes) * columns
        super().__init__(
            {
                "host": In(ParameterHost),
                "busy": Out(1),
                "address": Out(range(self.depth)),
                "lane": Out(range(lanes)),
                **dict.fromkeys(("write", "fetch"), Out(1)),
                "weight": Out(weight),
                "valid": In(1),
                "o": In(data.ArrayLayout(total, lanes_out)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        host = self.host
        rewind, moves = Signal(), Signal()
        beats = self.lanes // self.lanes_out
        beat, element = Signal(range(beats)), Signal(range(self.lanes_out))
        seen, came, match, over = Signal(range(beats + 1)), Signal(), Signal(), Signal()
        held = data.View(self.o.shape(), Signal(self.o.shape().size, reset_less=True))
        m.d.sync += [
            held.eq(self.o),
            came.eq(self.valid),
            match.eq(seen == beat),
            over.eq(seen == beats - 1),
        ]
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += host.ready.eq(1)
                m.d.sync += [self.weight.eq(host.data), rewind.eq(host.rewind)]
                with m.If(host.write):
                    m.next = "READ"
                with m.Elif(host.rewind | host.advance):
                    m.next = "MOVE"
                with m.Elif(host.fetch):
                    m.next = "FETCH"
            with m.State("READ"):
                m.next = "MERGE"
            with m.State("MERGE"):
                m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += self.write.eq(1)
                m.next = "MOVE"
            with m.State("MOVE"):
                m.next = "MOVING"
            with m.State("MOVING"):
                m.next = "MOVED"
            with m.State("MOVED"):
                m.d.comb += moves.eq(1)
                m.next = "IDLE"
            with m.State("FETCH"):
                m.d.comb += self.fetch.eq(1)
                m.next = "SUMS"
            with m.State("SUMS"):
                with m.If(self.valid):
                    m.d.sync += seen.eq(seen + 1)
                with m.If(came & match):
                    m.d.sync += host.data_out.eq(held[element])
                with m.If(came & over):
                    m.d.sync += seen.eq(0)
                    m.next = "IDLE"
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        self._move(m, moves, beat, element, rewind)
        return m

    def _move(
        self, m: Module, moves: Signal, beat: Signal, element: Signal, rewind: Signal
    ) -> None:
        """Step the row-major index, a cycle after ``moves``: column, then lane, then tile.

        A move comes four cycles after the one before at the earliest, so what it does is known
        beforehand.
        """
        column = Signal(range(self.columns))
        base, following = Signal(range(self.depth)), Signal(range(self.depth))
        last_column, last_lane, last_element = Signal(), Signal(), Signal()
        to_column, to_lane, to_tile, to_start = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            last_column.eq(column == self.columns - 1),
            last_lane.eq(self.lane == self.lanes - 1),
            last_element.eq(element == self.lanes_out - 1),
            following.eq(base + self.columns),
            to_column.eq(moves & ~rewind & ~last_column),
            to_lane.eq(moves & ~rewind & last_column & ~last_lane),
            to_tile.eq(moves & ~rewind & last_column & last_lane),
            to_start.eq(moves & rewind),
        ]
        with m.If(to_column):
            m.d.sync += [column.eq(column + 1), self.address.eq(self.address + 1)]
        with m.If(to_lane):
            m.d.sync += [column.eq(0), self.lane.eq(self.lane + 1), self.address.eq(base)]
            m.d.sync += element.eq(Mux(last_element, 0, element + 1))
            m.d.sync += beat.eq(beat + last_element)
        with m.If(to_tile):
            m.d.sync += [x.eq(0) for x in (column, self.lane, beat, element)]
            m.d.sync += [base.eq(following), self.address.eq(following)]
        with m.If(to_start):
            every = (column, self.lane, beat, element, base, self.address)
            m.d.sync += [x.eq(0) for x in every]
