# SPDX-License-Identifier: Apache-2.0
"""The row of multiply-accumulate units behind every matrix-vector product."""

from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.accumulator import Accumulator
from spikewright.hw.cells.block_memory import BlockMemory, blocks
from spikewright.hw.cells.family import ECP5, family_of
from spikewright.hw.glue.flow import delayed
from spikewright.hw.product.products import Products, latency

NEAR = 64
"""Most lanes whose multipliers lie near their sums."""

_FLAGS = data.StructLayout({"valid": 1, "start": 1, "stop": 1, "first": 1, "end": 1})


def lane_layout(lanes: int, lanes_out: int) -> data.StructLayout:
    """Number of a lane: element of a beat, and beat of a pass."""
    return data.StructLayout({"element": range(lanes_out), "beat": range(lanes // lanes_out)})


class MacRow(wiring.Component):
    """``lanes`` multiply-accumulate units in banks; the lanes of a bank share a weight memory.

    Everything moves from bank to bank, one a cycle, so no signal goes to all lanes and the clock
    does not fall with their number. Sums leave through a chain the same way: lane 0 first,
    ``lanes_out`` in a beat, ``lanes / lanes_out`` beats without a gap.

    Nothing waits. A pass is one address a cycle; the stops of two passes must be at least
    ``lanes / lanes_out`` cycles apart.

    Parameters
    ----------
    weight, x, total : Shape
        Of weights, operands and sums; the user guarantees that a sum cannot overflow.
    depth : int
        Words of a memory.
    lanes, bank, lanes_out : int
        Units, how many share a memory, how many leave in a beat: each a multiple of the next.

    Members
    -------
    address : In(range(depth))
    x : In
        :attr:`x_delay` cycles after its address.
    flags : In
        :attr:`flags_delay` cycles after the address: whether there is a product (``valid``), the
        first and last of a pass (``start``, ``stop``), and two flags that go along.
    write : In(1), lane : In(:func:`lane_layout`), weight : In
        With ``address``: write one lane's weight. The address must have stood for :attr:`hold`
        cycles, and stand for one more.
    o_valid : Out(1), o_first, o_end : Out(1), o : Out(ArrayLayout(total, lanes_out))
        Sums; the first beat comes :attr:`latency` cycles after the last address of a pass.
    """

    address: Signal
    x: Signal
    flags: data.View
    write: Signal
    lane: data.View
    weight: Signal
    o_valid: Signal
    o_first: Signal
    o_end: Signal
    o: data.View
    x_delay = hold = BlockMemory.latency
    write_delay = 3
    """Cycles until a bank's weight is written, and one more for each bank that the token passes."""

    def __init__(
        self,
        *,
        weight: Shape,
        x: Shape,
        total: Shape,
        depth: int,
        lanes: int,
        bank: int,
        lanes_out: int,
    ):
        self.shapes = (weight, x, total)
        self.depth = depth
        self.lanes, self.bank, self.lanes_out = lanes, bank, lanes_out
        banks = lanes // bank
        # So many multipliers lie all over a part: products take a cycle more to their sums, and
        # sums to what takes them.
        self.travel = int(lanes > NEAR)
        self.flags_delay = BlockMemory.latency + latency(weight, x) + self.travel
        self.latency = self.flags_delay + 6 + banks + self.travel
        super().__init__(
            {
                "address": In(range(depth)),
                "x": In(x),
                "flags": In(_FLAGS),
                "write": In(1),
                "lane": In(lane_layout(lanes, lanes_out)),
                "weight": In(weight),
                **dict.fromkeys(("o_valid", "o_first", "o_end"), Out(1)),
                "o": Out(data.ArrayLayout(total, lanes_out)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        forwarded: dict[str, Value] = {
            name: Value.cast(getattr(self, name))
            for name in ("address", "x", "flags", "write", "lane", "weight")
        }
        shared = self._shared(platform)
        send: Value | None = None
        valid: Value = C(0, 1)
        chain: Value = C(0, 2 + len(Value.cast(self.o)))
        for k in range(self.lanes // self.bank):
            mine = self._mine(m, k, forwarded["write"], forwarded["lane"])
            forwarded = {name: _next(m, value, f"{name}_{k}") for name, value in forwarded.items()}
            flags = data.View(_FLAGS, forwarded["flags"])
            words = self._words(m, k, mine, forwarded["address"], forwarded["weight"], shared)
            totals = self._accumulate(m, k, words, forwarded["x"], flags)
            ends = flags.valid & flags.stop
            kept = _next(m, Cat(flags.first, flags.end), f"kept_{k}")
            if send is None:
                send = _next(m, ends, "send")
            sums, sending, send = self._capture(m, k, totals, kept, ends, send)
            chain = _next(m, sums | chain, f"chain_{k}")
            valid = _next(m, sending | valid, f"sent_{k}")
        # What takes it may be far from the last bank.
        valid, chain = delayed(m, valid, self.travel, init=0), delayed(m, chain, self.travel)
        m.d.comb += self.o_valid.eq(_next(m, valid, "sent_out"))
        left = _next(m, chain, "chain_out")
        m.d.comb += Cat(self.o_first, self.o_end, Value.cast(self.o)).eq(left)
        return m

    def _shared(self, platform: Platform | None) -> int:
        """Lanes with weights in one word: one, where a memory for each takes no more blocks."""
        width = self.shapes[0].width
        together = blocks(self.bank * width, self.depth)
        apart = self.bank * blocks(width, self.depth)
        # The plain description is built as ECP5 is, so that the same is verified.
        split = family_of(platform) in (None, ECP5) and 0 < apart <= together
        return 1 if split else self.bank

    def _mine(self, m: Module, k: int, write: Value, lane: Value) -> list[Value]:
        """Which lane of a bank is written, known when the token is there."""
        lanes = range(k * self.bank, (k + 1) * self.bank)
        given = data.View(self.lane.shape(), lane)
        beats = [given.beat == n // self.lanes_out for n in lanes]
        elements = [given.element == n % self.lanes_out for n in lanes]
        mine = zip(lanes, beats, elements, strict=True)
        return [_next(m, write & beat & element, f"write_{k}_{n}") for n, beat, element in mine]

    def _words(
        self, m: Module, k: int, mine: list[Value], address: Value, given: Value, shared: int
    ) -> list[Value]:
        """Weights of a bank's lanes; ``shared`` of them lie in a word.

        One of these is written through what was read of the others.
        """
        weight = self.shapes[0]
        layout = data.ArrayLayout(weight, shared)
        found: list[Value] = []
        # Written a cycle later: the address still stands.
        late = _next(m, given, f"given_{k}")
        for first in range(0, self.bank, shared):
            store = BlockMemory(width=layout.size, depth=self.depth, one_address=True)
            m.submodules[f"weights_{k}" if shared == self.bank else f"weights_{k}_{first}"] = store
            words, written = data.View(layout, store.read_data), late
            here = Cat(mine[first : first + shared])
            if shared > 1:
                held = data.View(layout, Signal(layout.size, name=f"written_{k}", reset_less=True))
                for lane in range(shared):
                    m.d.sync += held[lane].eq(Mux(here[lane], given, words[lane]))
                written = held.as_value()
            m.d.comb += [
                store.read_address.eq(address),
                store.write_address.eq(address),
                store.write.eq(_next(m, here.any(), f"write_{k}")),
                store.write_data.eq(written),
            ]
            found += [words[lane] for lane in range(shared)]
        return found

    def _accumulate(
        self, m: Module, k: int, words: list[Value], x: Value, flags: data.View
    ) -> list[Signal]:
        """Sums of a bank's lanes."""
        weight, shape, total = self.shapes
        m.submodules[f"products_{k}"] = products = Products(weight, shape, lanes=self.bank)
        m.d.comb += products.x.eq(x)
        totals = []
        for lane, word in enumerate(words):
            m.d.comb += getattr(products, f"weight_{lane}").eq(word)
            product = getattr(products, f"product_{lane}")
            m.submodules[f"accumulator_{k}_{lane}"] = sums = Accumulator(product.shape(), total)
            m.d.comb += [
                sums.addend.eq(delayed(m, product, self.travel)),
                sums.valid.eq(flags.valid),
                sums.start.eq(flags.start),
            ]
            totals.append(sums.total)
        return totals

    def _capture(
        self, m: Module, k: int, totals: list[Signal], kept: Value, ends: Value, send: Value
    ) -> tuple[Value, Value, Value]:
        """Keep the sums of a pass, and send them when those of the banks before have passed.

        Parameters
        ----------
        ends : Value
            A cycle before the sums are there.
        send : Value
            Two cycles before the first beat is sent.

        Returns
        -------
        Value
            The beat to send, with its vector's flags; zero while none is sent.
        Value
            Whether it is sent now.
        Value
            ``send`` of the next bank: a beat takes a cycle to pass a bank, so it begins one cycle
            after this bank's last beat has left.
        """
        wide = self.lanes_out
        sends = []
        for beat in range(self.bank // wide):
            send = _next(m, send, f"send_{k}_{beat}")
            sends.append(send)
        ended = _next(m, ends, f"ended_{k}")
        flags = Signal(2, name=f"flags_of_sums_{k}", reset_less=True)
        sums = [Signal.like(t, name=f"sum_{k}_{n}", reset_less=True) for n, t in enumerate(totals)]
        with m.If(ended):
            m.d.sync += flags.eq(kept)
            m.d.sync += [held.eq(total) for held, total in zip(sums, totals, strict=True)]
        sending = Cat(sends).any()
        beats = [Cat(sums[start : start + wide]) for start in range(0, self.bank, wide)]
        gated = [Mux(now, beat, 0) for now, beat in zip(sends, beats, strict=True)]
        # A table takes two beats and what chooses them; more would be a second one in the cycle.
        pairs = [
            _next(m, reduce(or_, gated[n : n + 2]), f"pair_{k}_{n}")
            for n in range(0, len(gated), 2)
        ]
        marks = _next(m, Mux(sending, flags, 0), f"marks_{k}")
        sent = Cat(marks, reduce(or_, pairs))
        return sent, _next(m, sending, f"sending_{k}"), _next(m, send, f"send_{k + 1}")


def _next(m: Module, value: Value, name: str) -> Signal:
    """The value a cycle later; only what starts something is reset."""
    held = Signal(value.shape(), name=name, reset_less=name.split("_")[0] not in _RESET)
    m.d.sync += held.eq(value)
    return held


_RESET = {"flags", "write", "ended", "send", "sending", "sent"}
"""Names of what is reset: it starts something."""
