# SPDX-License-Identifier: Apache-2.0
"""Parameters in block RAM or registers, written and read back by the host."""

from amaranth import Module, Mux, Signal
from amaranth.build import Platform
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.fixed import shape_of
from spikewright.hw.glue.streams import beats_of
from spikewright.sim.fixed import QFormat
from spikewright.sim.packets import WORD_BITS


class ParameterHostInterface(wiring.PureInterface):
    """What a :data:`ParameterHost` port has."""

    rewind: Signal
    write: Signal
    advance: Signal
    fetch: Signal
    data: Signal
    data_out: Signal
    ready: Signal


ParameterHost = wiring.Signature(
    {
        "rewind": Out(1),
        "write": Out(1),
        "advance": Out(1),
        "fetch": Out(1),
        "data": Out(WORD_BITS),
        "data_out": In(WORD_BITS),
        "ready": In(1),
    }
)
"""The host's view of one tensor, row-major whatever the lanes.

A pulse, given while ``ready``, goes back to the first element (``rewind``), writes the element and
moves on (``write``), only moves on (``advance``) or reads (``fetch``): ``data_out`` is then the
element as soon as ``ready`` is back.
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


class ParameterVector(wiring.Component):
    """A tensor of one element a row, ``lanes`` rows a word; read three cycles after the address.

    Reads never pause, and are not for use while the host accesses the tensor. A host write reads
    the word, changes a lane and writes it back; it takes eight cycles.

    Parameters
    ----------
    size, lanes : int
    format : QFormat

    Members
    -------
    host : In(ParameterHost)
    address : In(range(words))
    word : Out(ArrayLayout(shape, lanes))
    """

    host: ParameterHostInterface
    address: Signal
    word: data.View
    latency = BlockMemory.latency + 1

    def __init__(self, *, size: int, lanes: int, format: QFormat):
        self.lanes = lanes
        self.depth = beats_of(size, lanes)
        self.layout = data.ArrayLayout(shape_of(format), lanes)
        super().__init__(
            {
                "host": In(ParameterHost),
                "address": In(range(self.depth)),
                "word": Out(self.layout),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        host = self.host
        m.submodules.store = store = BlockMemory(width=self.layout.size, depth=self.depth)
        lane, where = Signal(range(self.lanes)), Signal(range(self.depth))
        rewind, change = Signal(), Signal()
        held = Signal(WORD_BITS)
        # One element among others is many choices: in a cycle of its own.
        written = data.View(self.layout, Signal(self.layout.size, reset_less=True))
        address, held_address = Signal.like(self.address), Signal.like(self.address)
        m.d.sync += held_address.eq(address)
        m.d.comb += [
            self.word.eq(store.read_data),
            address.eq(where),
            store.read_address.eq(held_address),
            store.write_address.eq(where),
            store.write_data.eq(written.as_value()),
        ]
        m.d.sync += [written.eq(store.read_data), written[lane].eq(held)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [host.ready.eq(1), address.eq(self.address)]
                m.d.sync += [held.eq(host.data), rewind.eq(host.rewind), change.eq(host.write)]
                with m.If(host.write | host.fetch):
                    m.next = "ADDRESS"
                with m.Elif(host.rewind | host.advance):
                    m.next = "MOVE"
            with m.State("ADDRESS"):
                m.next = "HELD"
            with m.State("HELD"):
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
                final = lane == self.lanes - 1
                m.d.sync += [lane.eq(Mux(final, 0, lane + 1)), where.eq(where + final)]
                with m.If(rewind):
                    m.d.sync += [lane.eq(0), where.eq(0)]
                m.next = "IDLE"
        return m
