# SPDX-License-Identifier: Apache-2.0
"""A look at a stream that does not disturb it: each element, and the CRC of every frame."""

from amaranth import C, Cat, Module, Mux, Shape, Signal
from amaranth.build import Platform
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.glue.streams import layout_of
from spikewright.hw.host.crc import INITIAL, crc_advanced, crc_of
from spikewright.sim.packets import MARKER, WORD_BITS
from spikewright.sim.ports import Kind, Port

PROBE_BITS = 64


class Probe(wiring.Component):
    """Watches a serial stream; what it shows is one cycle late, the CRC two.

    Parameters
    ----------
    port : Port

    Members
    -------
    payload : In(payload of the stream), valid, ready : In(1)
    fire : Out(1)
        Whether an element or event moved.
    data : Out(64)
        The element, sign-extended, or the event's index.
    flags : Out(3)
        Dense: first, last, end. Event: end of step, end of frame.
    crc : Out(32)
        CRC-32 of the last whole frame, as :func:`spikewright.sim.packets.stream_crc` defines it.
    """

    payload: data.View
    valid: Signal
    ready: Signal
    fire: Signal
    data: Signal
    flags: Signal
    crc: Signal

    def __init__(self, port: Port):
        self.port = port
        super().__init__(
            {
                "payload": In(layout_of(port)),
                "valid": In(1),
                "ready": In(1),
                "fire": Out(1),
                "data": Out(PROBE_BITS),
                "flags": Out(3),
                "crc": Out(32),
            }
        )

    def watch(self, m: Module, watched: stream.Interface) -> None:
        """Connect to a stream."""
        m.d.comb += [
            self.payload.eq(watched.payload),
            self.valid.eq(watched.valid),
            self.ready.eq(watched.ready),
        ]

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        seen = self.payload
        value = Signal(Shape(PROBE_BITS, signed=True))
        ended = Signal()
        m.d.sync += self.fire.eq(self.valid & self.ready)
        m.d.sync += self.data.eq(value)
        width = 2 * WORD_BITS if self.port.format.width > WORD_BITS else WORD_BITS
        word = self.data[:width]
        if self.port.kind is Kind.EVENT:
            m.d.comb += value.eq(seen.index)
            m.d.sync += self.flags.eq(Cat(seen.end_step, seen.end_frame))
            m.d.comb += ended.eq(self.flags[:2].all())
            word = Mux(self.flags[0], C(MARKER, WORD_BITS), word)
        else:
            m.d.comb += value.eq(seen.data[0])
            m.d.sync += self.flags.eq(Cat(seen.first, seen.last, seen.end))
            m.d.comb += ended.eq(self.flags[1] & self.flags[2])
        # The word's share is a cycle of its own; a parity of all bits is slow.
        share, shared, closes = Signal(32, reset_less=True), Signal(), Signal(reset_less=True)
        m.d.sync += [share.eq(crc_of(word)), shared.eq(self.fire), closes.eq(ended)]
        state, following = Signal(32, init=INITIAL), Signal(32)
        m.d.comb += following.eq(crc_advanced(state, len(word)) ^ share)
        with m.If(shared):
            m.d.sync += state.eq(Mux(closes, INITIAL, following))
            with m.If(closes):
                m.d.sync += self.crc.eq(~following)
        return m
