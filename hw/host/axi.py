# SPDX-License-Identifier: Apache-2.0
"""AXI4-Lite and AXI4-Stream: signatures, and a slave that serves one access at a time."""

from amaranth import Module, Signal
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.sim.registers import ADDRESS_BITS


class AxiLiteInterface(wiring.PureInterface):
    """What an :data:`AxiLite` port has."""

    awaddr: Signal
    awprot: Signal
    awvalid: Signal
    awready: Signal
    wdata: Signal
    wstrb: Signal
    wvalid: Signal
    wready: Signal
    bresp: Signal
    bvalid: Signal
    bready: Signal
    araddr: Signal
    arprot: Signal
    arvalid: Signal
    arready: Signal
    rdata: Signal
    rresp: Signal
    rvalid: Signal
    rready: Signal


class AxiStreamInterface(wiring.PureInterface):
    """What an :data:`AxiStream` port has."""

    tdata: Signal
    tkeep: Signal
    tlast: Signal
    tvalid: Signal
    tready: Signal


class AccessInterface(wiring.PureInterface):
    """What an :data:`Access` port has."""

    request: Signal
    write: Signal
    address: Signal
    data: Signal
    done: Signal
    error: Signal
    data_out: Signal


AxiLite = wiring.Signature(
    {
        "awaddr": Out(ADDRESS_BITS),
        "awprot": Out(3),
        "awvalid": Out(1),
        "awready": In(1),
        "wdata": Out(32),
        "wstrb": Out(4),
        "wvalid": Out(1),
        "wready": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
        "araddr": Out(ADDRESS_BITS),
        "arprot": Out(3),
        "arvalid": Out(1),
        "arready": In(1),
        "rdata": In(32),
        "rresp": In(2),
        "rvalid": In(1),
        "rready": Out(1),
    }
)
"""AXI4-Lite, as its master sees it."""

AxiStream = wiring.Signature(
    {"tdata": Out(32), "tkeep": Out(4), "tlast": Out(1), "tvalid": Out(1), "tready": In(1)}
)
"""AXI4-Stream of 32-bit words, as its source sees it."""

Access = wiring.Signature(
    {
        "request": Out(1),
        "write": Out(1),
        "address": Out(ADDRESS_BITS),
        "data": Out(32),
        "done": In(1),
        "error": In(1),
        "data_out": In(32),
    }
)
"""One access: ``request`` and what goes with it stay until the cycle in which ``done`` is high."""


class AxiLiteSlave(wiring.Component):
    """Turns AXI4-Lite into one access at a time; writes go before reads.

    Writes are of whole words: a strobe that is not 0xF answers SLVERR without an access.

    Members
    -------
    bus : In(AxiLite)
    access : Out(Access)
    """

    bus: AxiLiteInterface
    access: AccessInterface

    def __init__(self) -> None:
        super().__init__({"bus": In(AxiLite), "access": Out(Access)})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        bus, access = self.bus, self.access
        address_held, data_held, whole = Signal(), Signal(), Signal()
        address, read_address = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        read_held = Signal()
        # Nothing is taken in reset, even if reset comes here later than to the master.
        awake = Signal()
        m.d.sync += awake.eq(1)
        m.d.comb += [
            bus.awready.eq(awake & ~address_held),
            bus.wready.eq(awake & ~data_held),
            bus.arready.eq(awake & ~read_held),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [address.eq(bus.awaddr), address_held.eq(1)]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [access.data.eq(bus.wdata), whole.eq(bus.wstrb == 0xF), data_held.eq(1)]
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [read_address.eq(bus.araddr), read_held.eq(1)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [access.write.eq(0), access.address.eq(read_address)]
                with m.If(address_held & data_held):
                    m.d.sync += [access.write.eq(1), access.address.eq(address)]
                    m.next = "WRITE"
                with m.Elif(read_held):
                    m.next = "READ"
            with m.State("WRITE"):
                m.d.comb += access.request.eq(whole)
                with m.If(access.done | ~whole):
                    m.d.sync += bus.bresp[1].eq(access.error | ~whole)
                    m.d.sync += bus.bvalid.eq(1)
                    m.next = "WRITTEN"
            with m.State("WRITTEN"):
                with m.If(bus.bready):
                    m.d.sync += [bus.bvalid.eq(0), address_held.eq(0), data_held.eq(0)]
                    m.next = "IDLE"
            with m.State("READ"):
                m.d.comb += access.request.eq(1)
                with m.If(access.done):
                    m.d.sync += [bus.rdata.eq(access.data_out), bus.rresp[1].eq(access.error)]
                    m.d.sync += bus.rvalid.eq(1)
                    m.next = "SHOWN"
            with m.State("SHOWN"):
                with m.If(bus.rready):
                    m.d.sync += [bus.rvalid.eq(0), read_held.eq(0)]
                    m.next = "IDLE"
        return m
