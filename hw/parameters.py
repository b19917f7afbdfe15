# SPDX-License-Identifier: Apache-2.0
"""Parameters in block RAM or registers, written and read back by the host."""

from amaranth import Module, Signal
from amaranth.build import Platform
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.fixed import shape_of
from spikewright.hw.streams import beats_of
from spikewright.sim.fixed import QFormat
from spikewright.sim.packets import WORD_BITS


class ParameterHostInterface(wiring.PureInterface):
    """What a :data:`ParameterHost` port has."""

    rewind: Signal
    write: Signal
    advance: Signal
    data: Signal
    data_out: Signal
    ready: Signal


ParameterHost = wiring.Signature(
    {
        "rewind": Out(1),
        "write": Out(1),
        "advance": Out(1),
        "data": Out(WORD_BITS),
        "data_out": In(WORD_BITS),
        "ready": In(1),
    }
)
"""The host's view of one tensor, row-major whatever the lanes.

A pulse, given while ``ready``, goes back to the first element (``rewind``), writes the element and
moves on (``write``) or only moves on (``advance``). ``data_out`` is the element while ``ready``.
"""


class ParameterRegister(wiring.Component):
    """A tensor of one element, in a register.

    Parameters
    ----------
    format : QFormat

    Members
    -------
    host : In(ParameterHost)
    value : Out(shape of the format)
    """

    host: ParameterHostInterface
    value: Signal

    def __init__(self, format: QFormat):
        super().__init__({"host": In(ParameterHost), "value": Out(shape_of(format))})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        # A reset keeps it, as it keeps the tensors in memory.
        kept = Signal.like(self.value, reset_less=True)
        m.d.comb += [self.value.eq(kept), self.host.ready.eq(1), self.host.data_out.eq(kept)]
        with m.If(self.host.write):
            m.d.sync += kept.eq(self.host.data)
        return m


class ParameterMemory(wiring.Component):
    """A tensor of shape (rows, columns), one word of ``lanes`` rows for each tile and column.

    Row ``r`` is lane ``r % lanes`` of tile ``r // lanes``. Reads have a latency of one cycle and a
    throughput of one word a cycle; they must pause while the host accesses the tensor. A host write
    reads the word, changes a lane and writes it back, so that memory needs no lane enables.

    Parameters
    ----------
    rows, columns, lanes : int
    format : QFormat
    tiles_adjacent : bool
        Word address is ``column * tiles + tile`` and not ``tile * columns + column``.

    Members
    -------
    host : In(ParameterHost)
    address : In(range(depth))
    enable : In(1)
    word : Out(ArrayLayout(shape, lanes))
        Word at ``address`` one cycle after ``enable``; held otherwise.
    """

    host: ParameterHostInterface
    address: Signal
    enable: Signal
    word: data.View

    def __init__(
        self, *, rows: int, columns: int, lanes: int, format: QFormat, tiles_adjacent: bool = False
    ):
        self.columns = columns
        self.lanes = lanes
        self.tiles = beats_of(rows, lanes)
        self.depth = self.tiles * columns
        self.layout = data.ArrayLayout(shape_of(format), lanes)
        self.strides = (self.tiles, 1) if tiles_adjacent else (1, columns)
        super().__init__(
            {
                "host": In(ParameterHost),
                "address": In(range(self.depth)),
                "enable": In(1),
                "word": Out(self.layout),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        store: memory.Memory = memory.Memory(shape=self.layout.size, depth=self.depth, init=[])
        m.submodules.memory = store
        read, write = store.read_port(), store.write_port()
        lane = Signal(range(self.lanes))
        where = Signal(range(self.depth))
        do_write, do_rewind = Signal(), Signal()
        held = Signal(WORD_BITS)
        word = data.View(self.layout, read.data)
        merged = data.View(self.layout, Signal(self.layout.size, name="merged"))
        m.d.comb += [
            self.word.eq(read.data),
            read.addr.eq(where),
            # Never while it writes, or synthesis builds what a read of the same word would give.
            read.en.eq(~write.en),
            write.addr.eq(where),
            write.data.eq(merged.as_value()),
            merged.eq(read.data),
            merged[lane].eq(held),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [
                    self.host.ready.eq(1),
                    read.addr.eq(self.address),
                    read.en.eq(self.enable),
                ]
                m.d.sync += [
                    held.eq(self.host.data),
                    do_write.eq(self.host.write),
                    do_rewind.eq(self.host.rewind),
                ]
                with m.If(self.host.write | self.host.advance | self.host.rewind):
                    m.next = "READ"
            with m.State("READ"):
                m.next = "MOVE"
            with m.State("MOVE"):
                m.d.comb += write.en.eq(do_write)
                self._move(m, lane, where, do_rewind)
                m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "SHOW"
            with m.State("SHOW"):
                m.d.sync += self.host.data_out.eq(word[lane])
                m.next = "IDLE"
        return m

    def _move(self, m: Module, lane: Signal, where: Signal, rewind: Signal) -> None:
        """Step the row-major index: column, then lane, then tile."""
        column_stride, tile_stride = self.strides
        column = Signal(range(self.columns))
        base = Signal(range(self.depth))
        with m.If(rewind):
            m.d.sync += [column.eq(0), lane.eq(0), base.eq(0), where.eq(0)]
        with m.Elif(column != self.columns - 1):
            m.d.sync += [column.eq(column + 1), where.eq(where + column_stride)]
        with m.Elif(lane != self.lanes - 1):
            m.d.sync += [column.eq(0), lane.eq(lane + 1), where.eq(base)]
        with m.Else():
            following = (base + tile_stride)[: len(base)]
            m.d.sync += [column.eq(0), lane.eq(0), base.eq(following), where.eq(following)]


class Parameters(wiring.Component):
    """A neuron parameter: one register for all neurons, or one element for each, by tile.

    Parameters
    ----------
    size, lanes : int
    format : QFormat
    per_neuron : bool

    Members
    -------
    host : In(ParameterHost)
    address : In(range(tiles))
    enable : In(1)
    word : Out(ArrayLayout(shape, lanes))
        One cycle after ``enable``.
    """

    host: ParameterHostInterface
    address: Signal
    enable: Signal
    word: data.View

    def __init__(self, *, size: int, lanes: int, format: QFormat, per_neuron: bool):
        self.size = size
        self.lanes = lanes
        self.format = format
        self.per_neuron = per_neuron
        super().__init__(
            {
                "host": In(ParameterHost),
                "address": In(range(beats_of(size, lanes))),
                "enable": In(1),
                "word": Out(data.ArrayLayout(shape_of(format), lanes)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        if self.per_neuron:
            inner = ParameterMemory(rows=self.size, columns=1, lanes=self.lanes, format=self.format)
            m.d.comb += [
                inner.address.eq(self.address),
                inner.enable.eq(self.enable),
                self.word.eq(inner.word),
            ]
            m.submodules.inner = inner
            wiring.connect(m, wiring.flipped(self.host), inner.host)
        else:
            m.submodules.inner = register = ParameterRegister(self.format)
            m.d.comb += [self.word[k].eq(register.value) for k in range(self.lanes)]
            wiring.connect(m, wiring.flipped(self.host), register.host)
        return m
