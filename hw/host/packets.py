# SPDX-License-Identifier: Apache-2.0
"""Between 32-bit words from and to the host and the program's vectors."""

from amaranth import C, Cat, Module, Mux, Shape, Signal
from amaranth.build import Platform
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.fixed import shape_of
from spikewright.hw.glue.streams import dense_layout
from spikewright.sim.packets import WORD_BITS, slot_width, vector_words
from spikewright.sim.ports import Port, Rate

word_layout = data.StructLayout({"data": WORD_BITS, "last": 1})
"""A word; ``last`` ends a packet (to elements) or a vector (from elements)."""


class Elements(wiring.Component):
    """Words to the elements of one vector after another; one element a cycle.

    Parameters
    ----------
    port : Port

    Members
    -------
    i : In(stream of words)
    first, end : In(1)
        Flags of the vector whose words come in.
    final : Out(1)
        Whether the next word is the vector's last.
    o : Out(stream of dense beats, one lane)
    """

    i: stream.Interface
    o: stream.Interface
    first: Signal
    end: Signal
    final: Signal

    def __init__(self, port: Port):
        self.port = port
        super().__init__(
            {
                "i": In(stream.Signature(word_layout)),
                "first": In(1),
                "end": In(1),
                "final": Out(1),
                "o": Out(stream.Signature(dense_layout(shape_of(port.format), 1))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        slot, beat = slot_width(self.port.format), self.o.payload
        words = max(1, slot // WORD_BITS)
        buffer = Signal(max(slot, WORD_BITS))
        word, slots = Signal(range(vector_words(self.port))), Signal(range(WORD_BITS // slot + 1))
        position, part = Signal(range(self.port.size)), Signal(range(words))
        flags, held = Signal(2), Signal()
        # Known beforehand, as what follows may be far away: the vector's and the word's last.
        last, lone = Signal(init=self.port.size == 1), Signal()
        shifts, takes = Signal(), Signal()
        m.d.comb += [
            self.final.eq(word == vector_words(self.port) - 1),
            self.i.ready.eq(~held | (self.o.ready & (last | lone))),
            self.o.valid.eq(held),
            beat.data[0].eq(buffer),
            beat.last.eq(last),
            Cat(beat.first, beat.end).eq(flags),
            shifts.eq(held & self.o.ready),
            takes.eq(self.i.valid & self.i.ready),
        ]
        with m.If(shifts):
            m.d.sync += [
                position.eq(Mux(last, 0, position + 1)),
                last.eq((position == self.port.size - 2) | (self.port.size == 1)),
                buffer.eq(buffer >> slot),
                slots.eq(slots - 1),
                lone.eq(slots == 2),
                held.eq(~last & ~lone),
            ]
        with m.If(takes):
            m.d.sync += [flags.eq(Cat(self.first, self.end)), word.eq(Mux(self.final, 0, word + 1))]
            m.d.sync += [slots.eq(max(1, WORD_BITS // slot)), lone.eq(WORD_BITS // slot <= 1)]
            if words == 1:
                m.d.sync += [buffer.eq(self.i.payload.data), held.eq(1)]
            else:
                m.d.sync += buffer.eq(Cat(buffer[WORD_BITS:], self.i.payload.data))
                m.d.sync += [part.eq(part + 1), held.eq(part == words - 1)]
        return m


class Words(wiring.Component):
    """Elements of one vector after another to words.

    Parameters
    ----------
    port : Port

    Members
    -------
    i : In(stream of dense beats, one lane)
    o : Out(stream of words)
        ``last`` marks the last word of a vector.
    end : Out(1)
        Whether the word is of a frame's last step; valid with the last word.
    """

    i: stream.Interface
    o: stream.Interface
    end: Signal

    def __init__(self, port: Port):
        self.port = port
        super().__init__(
            {
                "i": In(stream.Signature(dense_layout(shape_of(port.format), 1))),
                "o": Out(stream.Signature(word_layout)),
                "end": Out(1),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        slot, element = slot_width(self.port.format), self.i.payload
        words, slots = max(1, slot // WORD_BITS), max(1, WORD_BITS // slot)
        buffer = [Signal(min(slot, WORD_BITS), name=f"slot{k}") for k in range(slots * words)]
        filled, left = Signal(range(slots)), Signal(range(words + 1))
        last, end = Signal(), Signal()
        extended = Signal(Shape(slot, self.port.format.signed))
        m.d.comb += [
            extended.eq(element.data[0]),
            self.i.ready.eq((left == 0) | ((left == 1) & self.o.ready)),
            self.o.valid.eq(left != 0),
            self.o.payload.data.eq(Cat(buffer[k] for k in range(slots))),
            self.o.payload.last.eq(last & (left == 1)),
            self.end.eq(end),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += left.eq(left - 1)
            m.d.sync += [buffer[k].eq(buffer[k + slots]) for k in range(slots * (words - 1))]
        with m.If(self.i.valid & self.i.ready):
            complete = element.last | (filled == slots - 1)
            m.d.sync += [last.eq(element.last), end.eq(element.end)]
            m.d.sync += [filled.eq(Mux(complete, 0, filled + 1)), left.eq(Mux(complete, words, 0))]
            if words == 1:
                m.d.sync += [
                    part.eq(Mux(filled == k, extended, Mux(filled == 0, 0, part)))
                    for k, part in enumerate(buffer)
                ]
            else:
                m.d.sync += Cat(buffer).eq(extended)
        return m


class Unpacker(wiring.Component):
    """A packet's words to the program's inputs: the per-frame ones, then each step's.

    Parameters
    ----------
    ports : list of (Port, Rate)
    steps : int or None
        Steps of a frame; ``None`` for a stream, in which every step counts as started.
    may_end_early : bool
        Whether a packet may end before the frame's last step.

    Members
    -------
    i : In(stream of words)
    o0, o1, ... : Out(stream of dense beats, one lane)
    started : Out(1)
        High after the first word of a frame (of a step in a stream).
    cut : Out(1)
        High after a word that ends a packet where no frame may end.
    """

    i: stream.Interface
    started: Signal
    cut: Signal

    def __init__(self, ports: list[tuple[Port, Rate]], *, steps: int | None, may_end_early: bool):
        self.ports = ports
        self.steps = steps
        self.may_end_early = may_end_early
        outputs = {
            f"o{k}": Out(stream.Signature(dense_layout(shape_of(port.format), 1)))
            for k, (port, _) in enumerate(ports)
        }
        super().__init__(
            {"i": In(stream.Signature(word_layout)), **outputs, "started": Out(1), "cut": Out(1)}
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        order = sorted(range(len(self.ports)), key=lambda k: self.ports[k][1] is Rate.STEP)
        per_frame = sum(rate is Rate.FRAME for _, rate in self.ports)
        # With per-frame inputs only, a frame is one round through them.
        rounds = self.steps if per_frame < len(order) else 1
        current, step = Signal(range(len(order))), Signal(range(rounds or 1))
        first, begun = Signal(init=1), Signal()
        last_step = C(0) if rounds is None else step == rounds - 1
        ended = last_step | (self.i.payload.last & self.may_end_early)
        m.d.sync += [self.started.eq(0), self.cut.eq(0)]
        with m.Switch(current):
            for place, k in enumerate(order):
                m.submodules[f"elements{k}"] = elements = Elements(self.ports[k][0])
                wiring.connect(m, elements.o, wiring.flipped(getattr(self, f"o{k}")))
                stepped, closing = place >= per_frame, place == len(order) - 1
                with m.Case(place):
                    take = self.i.valid & elements.i.ready
                    may_end = elements.final & ended if closing else C(0)
                    m.d.comb += [
                        elements.i.valid.eq(self.i.valid),
                        elements.i.payload.eq(self.i.payload),
                        elements.first.eq(first if stepped else 1),
                        elements.end.eq(ended if stepped else 1),
                        self.i.ready.eq(elements.i.ready),
                    ]
                    m.d.sync += self.started.eq(take & ~begun)
                    if rounds is not None:
                        m.d.sync += self.cut.eq(take & self.i.payload.last & ~may_end)
                    with m.If(take):
                        m.d.sync += begun.eq(1)
                    with m.If(take & elements.final):
                        if closing:
                            m.d.sync += current.eq(Mux(ended, 0, per_frame))
                            m.d.sync += step.eq(Mux(ended, 0, step + 1))
                            m.d.sync += first.eq(ended)
                            m.d.sync += begun.eq(0 if rounds is None else ~ended)
                        else:
                            m.d.sync += current.eq(place + 1)
        return m


class Packer(wiring.Component):
    """The program's outputs to words: the per-step ones of each step, then the per-frame ones.

    Parameters
    ----------
    ports : list of (Port, Rate)

    Members
    -------
    i0, i1, ... : In(stream of dense beats, one lane)
    o : Out(stream of words)
        ``last`` marks the last word of a frame (of a step in a stream).
    """

    o: stream.Interface

    def __init__(self, ports: list[tuple[Port, Rate]], *, streaming: bool):
        self.ports = ports
        self.streaming = streaming
        inputs = {
            f"i{k}": In(stream.Signature(dense_layout(shape_of(port.format), 1)))
            for k, (port, _) in enumerate(ports)
        }
        super().__init__({**inputs, "o": Out(stream.Signature(word_layout))})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        order = [k for k, (_, rate) in enumerate(self.ports) if rate is Rate.STEP]
        per_step = len(order)
        order += [k for k, (_, rate) in enumerate(self.ports) if rate is Rate.FRAME]
        current = Signal(range(len(order)))
        with m.Switch(current):
            for place, k in enumerate(order):
                m.submodules[f"words{k}"] = words = Words(self.ports[k][0])
                wiring.connect(m, wiring.flipped(getattr(self, f"i{k}")), words.i)
                # After a step's outputs comes the next step, or the frame's own after the last.
                step_over, frame_over = place == per_step - 1, place == len(order) - 1
                closes = words.end if step_over and not self.streaming else 1
                with m.Case(place):
                    m.d.comb += [
                        self.o.valid.eq(words.o.valid),
                        words.o.ready.eq(self.o.ready),
                        self.o.payload.data.eq(words.o.payload.data),
                        self.o.payload.last.eq(words.o.payload.last & closes & frame_over),
                    ]
                    with m.If(words.o.valid & self.o.ready & words.o.payload.last):
                        m.d.sync += current.eq(0 if frame_over else place + 1)
                        if step_over and not frame_over:
                            m.d.sync += current.eq(Mux(closes, place + 1, 0))
        return m
