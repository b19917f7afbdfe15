# SPDX-License-Identifier: Apache-2.0
"""Proofs of what lies between words and vectors."""

from typing import Any

from amaranth.hdl import Array, C, Cat, Mux, Value

from formal.bench import Bench
from formal.contract import Port, Vectors, progress
from formal.follow import Balance, Tracker
from formal.sby import Proof
from spikewright.hw.host.packets import Packer, Unpacker
from spikewright.sim.fixed import QFormat
from spikewright.sim.packets import WORD_BITS, slot_width, vector_words
from spikewright.sim.ports import Port as Spec
from spikewright.sim.ports import Rate


class Packed:
    """Vectors of one port within words, as a source or a sink for a tracker."""

    def __init__(
        self,
        bench: Bench,
        port: Spec,
        mine: Value,
        word: Value,
        valid: Value,
        ready: Value,
        bits: Value,
    ):
        self.slot, self.size, self.bits = slot_width(port.format), port.size, bits
        self.per_word = WORD_BITS // self.slot
        self.word, self.width = word, port.format.width
        self.valid = valid & mine
        self.ready = ready
        self.moved = bench.named(bench.running & valid & ready & mine, "packed_moved")
        self.begun = self.moved & (word == 0)
        self.done = bench.named(self.moved & (word == vector_words(port) - 1), "packed_done")

    def holds(self, element: Any) -> Value:
        return self.word == Array([k // self.per_word for k in range(self.size)])[element]

    def element(self, element: Any) -> Value:
        slots = [self.bits.word_select(k, self.slot) for k in range(self.per_word)]
        return Array([slots[k % self.per_word] for k in range(self.size)])[element]


def unpacker(
    ports: list[tuple[Spec, Rate]], steps: int | None, followed: int, early: bool = False
) -> Bench:
    """Follow the elements of one of the ports."""
    component = Unpacker(ports, steps=steps, may_end_early=early)
    bench = Bench(component, inductive=False)
    m = bench.m
    i = Port(bench, "i", source=True)
    order = sorted(range(len(ports)), key=lambda k: ports[k][1] is Rate.STEP)
    per_frame = sum(rate is Rate.FRAME for _, rate in ports)
    outs = [
        Vectors(
            bench,
            f"o{k}",
            size=port.size,
            source=False,
            per_frame=rate is Rate.FRAME,
            steps=steps if rate is Rate.STEP and not early else None,
        )
        for k, (port, rate) in enumerate(ports)
    ]
    words = [vector_words(ports[k][0]) for k in order]
    place = bench.register(range(len(order)), "place")
    word, step = bench.register(range(max(words)), "word"), bench.register(8, "step")
    final = bench.named(word == Array(words)[place] - 1, "final")
    closes = bench.named(final & (place == len(order) - 1), "closes")
    rounds = steps if per_frame < len(order) else 1
    over = C(0) if rounds is None else (step == rounds - 1) | (i.payload.last & early)
    with m.If(i.moved):
        m.d.sync += word.eq(Mux(final, 0, word + 1))
        with m.If(final):
            following = Mux(over, 0, per_frame)
            m.d.sync += place.eq(Mux(closes, following, place + 1))
        with m.If(closes):
            m.d.sync += step.eq(Mux(over, 0, step + 1))
    begins = (word == 0) & (place == 0) & ((step == 0) if rounds else 1)
    started = bench.past(i.moved & begins, "begins")
    bench.check("started after the first word of a frame", component.started == started)
    if rounds is not None:
        cut = bench.past(i.moved & i.payload.last & ~(closes & over), "cut")
        bench.check("cut after a packet that ends inside a frame", component.cut == cut)
    port, _ = ports[followed]
    mine = place == order.index(followed)
    data = Value.cast(i.payload.data)
    source = Packed(bench, port, mine, word, i.valid, i.ready, data)
    balance = Balance(bench, source.done, outs[followed].done, most=1)
    track = Tracker(
        bench, source, outs[followed], balance, changed=lambda bits: bits[: port.format.width]
    )
    progress(bench, [i, *outs], within=1)
    del track
    return bench


def packer(ports: list[tuple[Spec, Rate]], steps: int, followed: int) -> Bench:
    """Follow the elements of one of the ports."""
    component = Packer(ports, streaming=False)
    bench = Bench(component, inductive=False)
    m = bench.m
    ins = [
        Vectors(
            bench,
            f"i{k}",
            size=port.size,
            source=True,
            per_frame=rate is Rate.FRAME,
            steps=steps if rate is Rate.STEP else None,
        )
        for k, (port, rate) in enumerate(ports)
    ]
    o = Port(bench, "o", source=False)
    order = sorted(range(len(ports)), key=lambda k: ports[k][1] is Rate.FRAME)
    per_step = sum(rate is Rate.STEP for _, rate in ports)
    words = [vector_words(ports[k][0]) for k in order]
    place = bench.register(range(len(order)), "place")
    word, step = bench.register(range(max(words)), "word"), bench.register(8, "step")
    final = bench.named(word == Array(words)[place] - 1, "final")
    last_step = step == steps - 1 if per_step else C(1)
    step_over = final & (place == per_step - 1)
    closes = final & (place == len(order) - 1) & (last_step if per_step == len(order) else 1)
    with m.If(o.moved):
        m.d.sync += word.eq(Mux(final, 0, word + 1))
        with m.If(final):
            m.d.sync += place.eq(Mux(closes | (step_over & ~last_step), 0, place + 1))
        with m.If(step_over):
            m.d.sync += step.eq(Mux(last_step, 0, step + 1))
    bench.check("last on the last word of a frame", ~o.valid | (o.payload.last == closes))
    port, _ = ports[followed]
    mine = place == order.index(followed)
    data = Value.cast(o.payload.data)
    sink = Packed(bench, port, mine, word, o.valid, o.ready, data)
    balance = Balance(bench, ins[followed].done, sink.done, most=1)

    def extended(bits: Value) -> Value:
        given = bits.as_signed() if port.format.signed else bits
        return Cat(given[: sink.slot], [given[-1] if port.format.signed else C(0)] * 32)[
            : sink.slot
        ]

    Tracker(bench, ins[followed], sink, balance, changed=extended)
    used = port.size - (vector_words(port) - 1) * sink.per_word
    padding = data >> (used * sink.slot) if used < sink.per_word else C(0)
    bench.check("slots beyond a vector are 0", ~(sink.valid & final) | (padding == 0))
    progress(bench, [*ins, o], within=1)
    return bench


FRAME_IN = (Spec(size=3, format=QFormat(width=12)), Rate.FRAME)
STEP_IN = (Spec(size=5, format=QFormat(width=7, signed=False)), Rate.STEP)
BITS_IN = (Spec(size=3, format=QFormat(width=1, signed=False)), Rate.STEP)
PORTS = [STEP_IN, FRAME_IN]

PROOFS = [
    Proof(
        "Unpacker",
        "per-step port of 5 x 7 bits, 2 steps, after a per-frame one",
        lambda: unpacker(PORTS, 2, 0),
        bound=16,
    ),
    Proof(
        "Unpacker",
        "per-frame port of 3 x 12 bits before per-step ones",
        lambda: unpacker(PORTS, 2, 1),
        bound=16,
    ),
    Proof("Unpacker", "a stream", lambda: unpacker([STEP_IN, BITS_IN], None, 1), bound=16),
    Proof(
        "Unpacker", "frames that end early", lambda: unpacker([STEP_IN], 3, 0, early=True), bound=16
    ),
    Proof("Packer", "per-step port, 2 steps", lambda: packer(PORTS, 2, 0), bound=16),
    Proof("Packer", "per-frame port after 2 steps", lambda: packer(PORTS, 2, 1), bound=18),
]
