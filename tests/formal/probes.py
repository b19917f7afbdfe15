# SPDX-License-Identifier: Apache-2.0
"""Proofs of what a probe shows of a stream, and of the CRC of its frames."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.bench import Bench
from formal.sby import Proof
from spikewright.hw.host.crc import crc_advanced, crc_of
from spikewright.hw.host.probe import PROBE_BITS, Probe
from spikewright.sim.fixed import QFormat
from spikewright.sim.packets import MARKER, WORD_BITS
from spikewright.sim.ports import SPIKE, Kind, Port

INITIAL, POLYNOMIAL = 0xFFFFFFFF, 0xEDB88320
"""Of the CRC-32 that zlib has, too, with the lowest bit first."""


def bit_by_bit(m: Module, state: Value, word: Value) -> Value:
    """State after a word, as the definition reads."""
    for k, bit in enumerate(word):
        following = Signal(32, name=f"formal_crc_{k}")
        fed_back = (state[0] ^ bit).replicate(32) & C(POLYNOMIAL, 32)
        m.d.comb += following.eq(Cat(state[1:], C(0, 1)) ^ fed_back)
        state = following
    return state


class CrcSteps(wiring.Component):
    """One word at once, and bit by bit as the definition reads.

    Parameters
    ----------
    width : int
        Of a word.
    """

    def __init__(self, width: int):
        self.width = width
        super().__init__(
            {"state": In(32), "word": In(width), "at_once": Out(32), "bit_by_bit": Out(32)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.at_once.eq(crc_advanced(self.state, self.width) ^ crc_of(self.word)),
            self.bit_by_bit.eq(bit_by_bit(m, self.state, self.word)),
        ]
        return m


def crc(width: int) -> Bench:
    """Every single bit of the state and the word; both ways are exclusive ors, so this is all."""
    component = CrcSteps(width)
    bench = Bench(component, inductive=False)
    single = bench.register(32 + width, "single", init=1)
    bench.m.d.sync += single.eq(single.rotate_left(1))
    bench.assume(Cat(component.state, component.word) == single)
    bench.check("a step is as many single ones", component.at_once == component.bit_by_bit)
    bench.cover("the highest bit", component.word[-1])
    return bench


def probe(port: Port) -> Bench:
    """All that it shows; a step of the CRC is taken for what :func:`crc` proves of it."""
    component = Probe(port)
    bench = Bench(component)
    m, seen = bench.m, component.payload
    moved = bench.running & component.valid & component.ready
    value = Signal(signed(PROBE_BITS), name="formal_value")
    if port.kind is Kind.EVENT:
        m.d.comb += value.eq(seen.index)
        flags, ends = Cat(seen.end_step, seen.end_frame), seen.end_step & seen.end_frame
        word = Mux(seen.end_step, C(MARKER, WORD_BITS), value[:WORD_BITS])
    else:
        m.d.comb += value.eq(seen.data[0])
        flags, ends = Cat(seen.first, seen.last, seen.end), seen.last & seen.end
        word = value[: 2 * WORD_BITS if port.format.width > WORD_BITS else WORD_BITS]
    fired, shown = bench.past(moved, "moved"), bench.past(Cat(value, flags), "shown")
    bench.check("it fires a cycle after an element or event", component.fire == fired)
    same = Cat(component.data, component.flags[: len(flags)]) == shown
    bench.check("and shows it", ~component.fire | same)

    state = bench.register(32, "state", init=INITIAL)
    crc, known = bench.register(32, "crc"), bench.register(1, "known")
    following = bench.named(crc_advanced(state, len(word)) ^ crc_of(word), "following")
    with m.If(moved):
        m.d.sync += state.eq(Mux(ends, INITIAL, following))
        with m.If(ends):
            m.d.sync += [crc.eq(~following), known.eq(1)]
    begun: Value = C(1, 1)
    late: Value = state
    for k in range(CRC_DELAY):
        crc, known = bench.past(crc, f"crc{k}"), bench.past(known, f"known{k}")
        late, begun = bench.past(late, f"state{k}"), bench.past(begun, f"begun{k}")
    bench.check("the CRC of the last whole frame", ~known | (component.crc == crc))
    bench.invariant(bench.tap("state") == Mux(begun, late, INITIAL))
    frames = bench.register(2, "frames")
    m.d.sync += frames.eq(frames + (moved & ends & (frames != 3)))
    bench.cover("two frames, the second of several words", (frames == 2) & (state != INITIAL))
    return bench


CRC_DELAY = 2
"""Cycles that the CRC is later than what is shown."""

ELEMENTS = Port(size=2, format=QFormat(width=12))
WIDE = Port(size=2, format=QFormat(width=34))
EVENTS = Port(size=300, format=SPIKE, kind=Kind.EVENT)

PROOFS = [
    *(
        Proof(
            "CRC",
            f"words of {width} bits, every single bit",
            lambda width=width: crc(width),
            bound=32 + width + 2,
            reach=32 + width + 2,
            quick=width == 32,
        )
        for width in (8, 32, 64)
    ),
    Proof("Probe", "elements of 12 bits", lambda: probe(ELEMENTS), k=5, reach=12),
    Proof("Probe", "elements of 34 bits", lambda: probe(WIDE), k=5, reach=12),
    Proof("Probe", "events of 300 neurons", lambda: probe(EVENTS), k=5, reach=12),
]
