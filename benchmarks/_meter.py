# SPDX-License-Identifier: Apache-2.0
"""Clock cycles of a component alone, between a source and a sink that never wait."""

from dataclasses import dataclass

import amaranth.back.verilog as verilog
import numpy as np
from amaranth import Cat, ClockDomain, ClockSignal, Const, Module, ResetSignal, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.host.axi import AxiLite, AxiLiteInterface, AxiStream, AxiStreamInterface
from spikewright.sim.engine import Design, open_engine
from spikewright.sim.ports import Kind

TOP = "spikewright"
CODE_BITS = 24
"""Low bits of a word: a code for every lane, or the index of an event."""
FIRST, LAST, END = 1 << 24, 1 << 25, 1 << 26
"""Flags of a dense beat; of an event, end of step and end of frame are LAST and END."""
LIMIT = 10_000_000
"""Cycles that a run may take."""


class Meter(wiring.Component):
    """A component whose beats are the words of one stream, answered by times.

    Every word in is a beat, with one code in all lanes; every vector out is a word: the clock
    cycle, from reset on, of its last beat. The component has the ports of an accelerator, so that
    an RTL engine runs it.

    Parameters
    ----------
    core : PrimitiveComponent

    Members
    -------
    aclk, aresetn : In(1)
    s_axi : In(AxiLite)
        Unused.
    s_axis : In(AxiStream), m_axis : Out(AxiStream)
    """

    aclk: Signal
    aresetn: Signal
    s_axi: AxiLiteInterface
    s_axis: AxiStreamInterface
    m_axis: AxiStreamInterface

    def __init__(self, core: PrimitiveComponent):
        self.core = core
        buses = {"s_axi": In(AxiLite), "s_axis": In(AxiStream), "m_axis": Out(AxiStream)}
        super().__init__({"aclk": In(1), "aresetn": In(1), **buses})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.core = self.core
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        ports = self.core.primitive.ports()
        ((name, port),) = ports.inputs.items()
        target, word = self.core.input(name), self.s_axis.tdata
        flags = Cat(word[CODE_BITS + k] for k in range(3))
        m.d.comb += [
            target.valid.eq(self.s_axis.tvalid),
            self.s_axis.tready.eq(target.ready),
        ]
        if port.kind is Kind.EVENT:
            m.d.comb += target.payload.index.eq(word[:CODE_BITS])
            m.d.comb += Cat(target.payload.end_step, target.payload.end_frame).eq(flags[1:])
        else:
            lanes = Value.cast(target.payload.data)
            code = Signal(Shape(CODE_BITS, signed=True))
            m.d.comb += code.eq(word[:CODE_BITS])
            width = len(lanes) // self.core.lanes_in
            m.d.comb += lanes.eq(Cat(code.as_signed()[:width] for _ in range(self.core.lanes_in)))
            m.d.comb += Cat(target.payload.first, target.payload.last, target.payload.end).eq(flags)
        done = [self._taken(m, self.core.output(o), p.kind) for o, p in ports.outputs.items()]
        now = Signal(32)
        m.d.sync += [now.eq(now + 1), self.m_axis.tvalid.eq(done[0]), self.m_axis.tdata.eq(now)]
        return m

    @staticmethod
    def _taken(m: Module, source: stream.Interface, kind: Kind) -> Value:
        """Take every beat at once; whether it ends a vector."""
        m.d.comb += source.ready.eq(1)
        beat = source.payload
        return source.valid & (beat.end_step if kind is Kind.EVENT else beat.last)

    def verilog(self) -> str:
        """Verilog with the ports of an accelerator."""
        found: dict[str, Value] = {"aclk": self.aclk, "aresetn": self.aresetn}
        for bus in ("s_axi", "s_axis", "m_axis"):
            interface = getattr(self, bus)
            for path, _, signal in interface.signature.flatten(interface):
                found[f"{bus}_{path[-1]}"] = signal
        ports = {n: (s, None) for n, s in found.items() if not isinstance(s, Const)}
        return str(verilog.convert(self, name=TOP, ports=ports, emit_src=False))


@dataclass(frozen=True)
class Timeline:
    """When the last beat of each vector left, in cycles from reset."""

    ends: NDArray[np.int64]

    def period(self, skipped: int = 2) -> float:
        """Cycles a vector in steady state, after some in which pipeline and buffers fill."""
        ends = self.ends[skipped:]
        return float(ends[-1] - ends[0]) / (len(ends) - 1)


def run(core: PrimitiveComponent, words: NDArray[np.uint32], vectors: int) -> Timeline:
    """Send words without a pause until so many vectors came out."""
    with open_engine(Design(verilog=Meter(core).verilog(), top=TOP)) as engine:
        found = np.zeros(vectors, np.uint32)
        engine.tx_start(words)
        engine.rx_start(found)
        for _ in range(0, LIMIT, 1 << 16):
            engine.run(1 << 16)
            if not engine.rx_busy():
                return Timeline(found.astype(np.int64))
        got = engine.rx_count()
    raise SystemExit(f"Only {got} of {vectors} vectors came within {LIMIT} cycles")


def dense_words(code: int, *, beats: int, vectors: int, steps: int = 1) -> NDArray[np.uint32]:
    """Words of vectors of one code, so many steps a frame."""
    words = np.full((vectors, beats), code & ((1 << CODE_BITS) - 1), np.uint32)
    words[:, -1] |= LAST
    words[::steps] |= FIRST
    words[steps - 1 :: steps] |= END
    return words.ravel()


def event_words(spikes: NDArray[np.bool_], *, steps: int) -> NDArray[np.uint32]:
    """Words of (vectors, neurons) spikes, so many steps a frame."""
    words: list[NDArray[np.uint32]] = []
    for t, row in enumerate(spikes):
        end = END if t % steps == steps - 1 else 0
        words.append(np.append(np.flatnonzero(row), LAST | end).astype(np.uint32))
    return np.concatenate(words)
