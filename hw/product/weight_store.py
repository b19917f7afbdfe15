# SPDX-License-Identifier: Apache-2.0
"""Weights that the gateware itself writes, a word of several rows at a time."""

from amaranth import Module, Mux, Signal
from amaranth.build import Platform
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.fixed import shape_of
from spikewright.hw.glue.streams import beats_of
from spikewright.hw.parameters import ParameterHost, ParameterHostInterface
from spikewright.sim.fixed import QFormat
from spikewright.sim.packets import WORD_BITS


class WeightStore(wiring.Component):
    """A matrix in block RAM, read and written by words, and by the host weight by weight.

    Row ``r`` is lane ``r % lanes``; words are ``(r // lanes) * columns + column``. A word comes two
    cycles after its address. Reads and writes never pause, and are not for use while the host
    accesses the tensor. A host write reads the word, changes a lane and writes it back; it takes
    six cycles.

    Parameters
    ----------
    rows, columns, lanes : int
    format : QFormat

    Members
    -------
    host : In(ParameterHost)
    address : In(range(words))
    word : Out(ArrayLayout(shape, lanes))
    write : In(1)
    write_address : In(range(words))
    written : In(ArrayLayout(shape, lanes))
    """

    host: ParameterHostInterface
    address: Signal
    word: data.View
    write: Signal
    write_address: Signal
    written: data.View
    latency = BlockMemory.latency

    def __init__(self, *, rows: int, columns: int, lanes: int, format: QFormat):
        self.columns = columns
        self.lanes = lanes
        self.depth = beats_of(rows, lanes) * columns
        self.layout = data.ArrayLayout(shape_of(format), lanes)
        super().__init__(
            {
                "host": In(ParameterHost),
                "address": In(range(self.depth)),
                "word": Out(self.layout),
                "write": In(1),
                "write_address": In(range(self.depth)),
                "written": In(self.layout),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        host = self.host
        m.submodules.store = store = BlockMemory(width=self.layout.size, depth=self.depth)
        where, lane = Signal(range(self.depth)), Signal(range(self.lanes))
        idle, change, rewind = Signal(), Signal(), Signal()
        held = Signal(WORD_BITS)
        # One weight among others is many choices: in a cycle of its own.
        changed = data.View(self.layout, Signal(self.layout.size, reset_less=True))
        m.d.sync += [changed.eq(store.read_data), changed[lane].eq(held)]
        m.d.comb += [
            self.word.eq(store.read_data),
            store.read_address.eq(Mux(idle, self.address, where)),
            store.write_address.eq(Mux(idle, self.write_address, where)),
            store.write_data.eq(Mux(idle, self.written.as_value(), changed.as_value())),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [host.ready.eq(1), idle.eq(1), store.write.eq(self.write)]
                m.d.sync += [held.eq(host.data), rewind.eq(host.rewind), change.eq(host.write)]
                with m.If(host.write | host.fetch):
                    m.next = "ADDRESS"
                with m.Elif(host.rewind | host.advance):
                    m.next = "MOVE"
            with m.State("ADDRESS"):
                m.next = "READ"
            with m.State("READ"):
                m.next = "WORD"
            with m.State("WORD"):
                m.d.sync += host.data_out.eq(self.word[lane])
                m.next = "IDLE"
                with m.If(change):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += store.write.eq(1)
                m.next = "MOVE"
            with m.State("MOVE"):
                self._move(m, where, lane, rewind)
                m.next = "IDLE"
        return m

    def _move(self, m: Module, where: Signal, lane: Signal, rewind: Signal) -> None:
        """Step the row-major index: column, then lane, then tile."""
        column = Signal(range(self.columns))
        last_column, last_lane = column == self.columns - 1, lane == self.lanes - 1
        # After the last column of the last lane comes the first of the next tile.
        step = Mux(last_column & ~last_lane, 1 - self.columns, 1)
        m.d.sync += [where.eq(where + step), column.eq(Mux(last_column, 0, column + 1))]
        with m.If(last_column):
            m.d.sync += lane.eq(Mux(last_lane, 0, lane + 1))
        with m.If(rewind):
            m.d.sync += [x.eq(0) for x in (where, column, lane)]
