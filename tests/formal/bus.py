# SPDX-License-Identifier: Apache-2.0
"""Proofs of the bus slave."""

from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value

from formal.bench import Bench
from formal.sby import Proof
from spikewright.hw.host.axi import AxiLiteSlave

SLVERR = 0b10


def stays(bench: Bench, name: str, valid: Value, ready: Value, payload: Value, say: Any) -> None:
    """A channel keeps its promise until it is taken up."""
    waiting = bench.past(valid & ~ready, f"{name}_waiting")
    held = bench.past(payload, f"{name}_held")
    say(f"{name} stays until ready", ~waiting | (valid & (payload == held)))


def axi_slave() -> Bench:
    component = AxiLiteSlave()
    bench = Bench(component)
    m, bus, access = bench.m, component.bus, component.access

    def assume(name: str, condition: Value) -> None:
        bench.assume(condition)

    stays(bench, "aw", bus.awvalid, bus.awready, bus.awaddr, assume)
    stays(bench, "w", bus.wvalid, bus.wready, Cat(bus.wdata, bus.wstrb), assume)
    stays(bench, "ar", bus.arvalid, bus.arready, bus.araddr, assume)
    stays(bench, "b", bus.bvalid, bus.bready, bus.bresp, bench.check)
    stays(bench, "r", bus.rvalid, bus.rready, Cat(bus.rdata, bus.rresp), bench.check)
    asked = Cat(access.write, access.address, Mux(access.write, access.data, 0))
    stays(bench, "access", access.request, access.done, asked, bench.check)

    names = ("aw", "w", "ar", "b", "r")
    passes = {
        name: bench.named(
            bench.running & getattr(bus, f"{name}valid") & getattr(bus, f"{name}ready"), name
        )
        for name in names
    }
    open_ = {name: bench.register(2, f"open_{name}") for name in ("aw", "w", "ar")}
    for name, answer in (("aw", "b"), ("w", "b"), ("ar", "r")):
        count = open_[name]
        m.d.sync += count.eq(count + passes[name] - passes[answer])
        bench.check(
            f"one {answer} for each {name}", (count <= 1) & (~passes[answer] | (count == 1))
        )
    address, data, strobe = Signal(12), Signal(32), Signal(4)
    read_address = Signal(12)
    for name, target, source in (
        ("aw", address, bus.awaddr),
        ("ar", read_address, bus.araddr),
        ("w", Cat(data, strobe), Cat(bus.wdata, bus.wstrb)),
    ):
        with m.If(passes[name]):
            m.d.sync += target.eq(source)
    write, read = access.request & access.write, access.request & ~access.write
    bench.check("a write is the one that was asked for", ~write | (access.address == address))
    bench.check("and carries its data", ~write | (access.data == data))
    bench.check("only whole words are written", ~write | (strobe == 0xF))
    bench.check("a read is the one that was asked for", ~read | (access.address == read_address))
    served = bench.register(2, "served")
    finished = access.request & access.done
    m.d.sync += served.eq(served + finished - (passes["b"] & (strobe == 0xF)) - passes["r"])
    error, value = bench.register(1, "error"), Signal(32)
    with m.If(finished):
        m.d.sync += [error.eq(access.error), value.eq(access.data_out)]
    whole = strobe == 0xF
    right = bus.bresp == Mux(~whole | error, SLVERR, 0)
    bench.check("a write is answered as its access was", ~bus.bvalid | right)
    right = (bus.rresp == Mux(error, SLVERR, 0)) & (bus.rdata == value)
    bench.check("a read is answered as its access was", ~bus.rvalid | right)
    bench.check("answers follow an access", ~bus.rvalid | (served == 1))
    bench.check("no access for half a word", ~bus.bvalid | (served == whole))
    bench.check("one access at a time", ~access.request | (served == 0))
    bench.cover("a write while a read waits", passes["b"] & (open_["ar"] == 1))
    bench.cover("a refused write", passes["b"] & ~whole)

    waiting = (open_["aw"] == 1) & (open_["w"] == 1) | (open_["ar"] == 1)
    idle = bench.register(3, "idle")
    stuck = waiting & ~finished & ~(access.request & ~access.done)
    stuck &= ~(bus.bvalid & ~bus.bready) & ~(bus.rvalid & ~bus.rready)
    moved = finished | passes["b"] | passes["r"]
    m.d.sync += idle.eq(Mux(stuck & ~moved, idle + 1, 0))
    bench.check("what waits is served within 3 cycles", idle <= 3)

    states = {s: bench.state(s) for s in ("IDLE", "WRITE", "WRITTEN", "READ", "SHOWN")}
    bench.invariant(Cat(states.values()).any())
    held = {n: bench.tap(n) for n in ("address_held", "data_held", "read_held")}
    for name, flag in (("aw", "address_held"), ("w", "data_held"), ("ar", "read_held")):
        bench.invariant(open_[name] == held[flag])
    bench.invariant(~held["address_held"] | (bench.tap("address") == address))
    bench.invariant(~held["read_held"] | (bench.tap("read_address") == read_address))
    come = (access.data == data) & (bench.tap("whole") == whole)
    bench.invariant(~held["data_held"] | come)
    writing = states["WRITE"] | states["WRITTEN"]
    bench.invariant(~writing | (held["address_held"] & held["data_held"]))
    bench.invariant(~(states["READ"] | states["SHOWN"]) | held["read_held"])
    wrote = access.write & (access.address == bench.tap("address"))
    bench.invariant(~states["WRITE"] | wrote)
    reads = ~access.write & (access.address == bench.tap("read_address"))
    bench.invariant(~states["READ"] | reads)
    bench.invariant((bus.bvalid == states["WRITTEN"]) & (bus.rvalid == states["SHOWN"]))
    bench.invariant(served == (states["SHOWN"] | (states["WRITTEN"] & whole)))
    bench.invariant(~bus.bresp[0] & ~bus.rresp[0])
    return bench


PROOFS = [
    Proof("AxiLiteSlave", "", axi_slave, k=6, quick=True),
]
