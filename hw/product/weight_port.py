# SPDX-License-Identifier: Apache-2.0
"""The host's way to the weights inside a row of multiply-accumulate units."""

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.glue.flow import delayed
from spikewright.hw.glue.streams import beats_of
from spikewright.hw.parameters import ParameterHost, ParameterHostInterface
from spikewright.hw.product.mac_row import lane_layout


class WeightPort(wiring.Component):
    """Writes single weights, and reads one by letting the row multiply its word by 1.

    A write takes seven cycles, a move four; a read the time of a pass of one product. The sums of a
    pass must come without a gap.

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
    lane: data.View
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
                "lane": Out(lane_layout(lanes, lanes_out)),
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
        busy, rewind = Signal(), Signal(reset_less=True)
        # A write passes all steps, a move those from the fourth on.
        steps = Signal(7)
        moves = host.rewind | host.advance
        m.d.sync += [
            steps.eq(Cat(host.write, steps[:2], steps[2] | moves, steps[3:])),
            self.fetch.eq(host.fetch),
        ]
        with m.If(~busy):
            m.d.sync += [
                self.weight.eq(host.data),
                rewind.eq(host.rewind),
                busy.eq(host.write | moves | host.fetch),
            ]
        fetched = self._take_sum(m)
        with m.If(steps[5] | fetched):
            m.d.sync += busy.eq(0)
        m.d.comb += [self.busy.eq(busy), host.ready.eq(~busy), self.write.eq(steps[2])]
        self._move(m, steps[6], rewind)
        return m

    def _take_sum(self, m: Module) -> Value:
        """Keep the chosen one of a pass's sums; whether all of them are gone."""
        # The row may be far away: what it gives is registered before it decides anything.
        came, later, chosen = delayed(m, self.valid, 1, init=0), Signal(), Signal()
        held = data.View(self.o.shape(), delayed(m, Value.cast(self.o), 2))
        fetching, seen = Signal(), Signal.like(self.lane.beat)
        over = fetching & later & ~came
        m.d.sync += [
            later.eq(came),
            chosen.eq(fetching & came & (seen == self.lane.beat)),
        ]
        with m.If(self.fetch | over):
            m.d.sync += fetching.eq(self.fetch)
        with m.If(came):
            m.d.sync += seen.eq(seen + 1)
        with m.If(self.fetch):
            m.d.sync += seen.eq(0)
        with m.If(chosen):
            m.d.sync += self.host.data_out.eq(held[self.lane.element])
        return over

    def _move(self, m: Module, now: Value, rewind: Value) -> None:
        """Step the row-major index: column, then lane, then tile.

        A move comes four cycles after the one before at the earliest, so what it does is known
        beforehand.
        """
        column, element, beat = Signal(range(self.columns)), self.lane.element, self.lane.beat
        last_column, last_element, last_lane = Signal(), Signal(), Signal()
        m.d.sync += [
            last_column.eq(column == self.columns - 1),
            last_element.eq(element == self.lanes_out - 1),
            last_lane.eq(last_element & (beat == self.lanes // self.lanes_out - 1)),
        ]
        # After the last column of the last lane comes the first of the next tile.
        step = Mux(last_column & ~last_lane, 1 - self.columns, 1)
        with m.If(now):
            m.d.sync += [
                self.address.eq(self.address + step),
                column.eq(Mux(last_column, 0, column + 1)),
            ]
            with m.If(last_column):
                m.d.sync += element.eq(Mux(last_element, 0, element + 1))
                with m.If(last_element):
                    m.d.sync += beat.eq(Mux(last_lane, 0, beat + 1))
            with m.If(rewind):
                m.d.sync += [x.eq(0) for x in (self.address, column, element, beat)]
