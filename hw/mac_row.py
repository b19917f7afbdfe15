# SPDX-License-Identifier: Apache-2.0
"""The row of multiply-accumulate units behind every matrix-vector product."""

from amaranth import C, Cat, Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.accumulator import Accumulator
from spikewright.hw.block_memory import BlockMemory
from spikewright.hw.products import Products, latency

_FLAGS = data.StructLayout({"valid": 1, "start": 1, "stop": 1, "first": 1, "end": 1})


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
    write : In(1), lane : In(range(lanes)), weight : In
        With ``address``: write one lane's weight. The address must have stood for :attr:`hold`
        cycles, and stand for one more.
    o_valid : Out(1), o_first, o_end : Out(1), o : Out(ArrayLayout(total, lanes_out))
        Sums; the first beat comes :attr:`latency` cycles after the last address of a pass.
    """

    address: Signal
    x: Signal
    flags: data.View
    write: Signal
    lane: Signal
    weight: Signal
    o_valid: Signal
    o_first: Signal
    o_end: Signal
    o: data.View
    x_delay = hold = BlockMemory.latency

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
        self.flags_delay = BlockMemory.latency + latency(weight, x)
        self.latency = self.flags_delay + 5 + banks
        super().__init__(
            {
                "address": In(range(depth)),
                "x": In(x),
                "flags": In(_FLAGS),
                "write": In(1),
                "lane": In(range(lanes)),
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
        send: Value | None = None
        valid: Value = C(0, 1)
        chain: Value = C(0, 2 + len(Value.cast(self.o)))
        for k in range(self.lanes // self.bank):
            mine = self._mine(m, k, forwarded["write"], forwarded["lane"])
            forwarded = {name: _next(m, value, f"{name}_{k}") for name, value in forwarded.items()}
            flags = data.View(_FLAGS, forwarded["flags"])
            words = self._words(m, k, mine, forwarded["address"], forwarded["weight"])
            totals = self._accumulate(m, k, words, forwarded["x"], flags)
            ends = flags.valid & flags.stop
            kept = _next(m, Cat(flags.first, flags.end), f"kept_{k}")
            if send is None:
                send = _next(m, ends, "send")
            sums, sending, send = self._capture(m, k, totals, kept, ends, send)
            chain = _next(m, Mux(sending, sums, chain), f"chain_{k}")
            valid = _next(m, sending | valid, f"sent_{k}")
        # What takes it may be far from the last bank.
        m.d.comb += self.o_valid.eq(_next(m, valid, "sent_out"))
        left = _next(m, chain, "chain_out")
        m.d.comb += Cat(self.o_first, self.o_end, Value.cast(self.o)).eq(left)
        return m

    def _mine(self, m: Module, k: int, write: Value, lane: Value) -> list[Value]:
        """Which lane of a bank is written, known when the token is there."""
        lanes = range(k * self.bank, (k + 1) * self.bank)
        return [_next(m, write & (lane == n), f"write_{k}_{n}") for n in lanes]

    def _words(
        self, m: Module, k: int, mine: list[Value], address: Value, given: Value
    ) -> list[Value]:
        """Weights of a bank's lanes; one of them is written through what was read of the others."""
        weight = self.shapes[0]
        store = BlockMemory(width=self.bank * weight.width, depth=self.depth, one_address=True)
        m.submodules[f"weights_{k}"] = store
        layout = data.ArrayLayout(weight, self.bank)
        words = data.View(layout, store.read_data)
        written = data.View(layout, store.write_data)
        # Written a cycle later: the address still stands.
        held = Signal(layout, name=f"written_{k}", reset_less=True)
        m.d.comb += [
            store.read_address.eq(address),
            store.write_address.eq(address),
            store.write.eq(_next(m, Cat(mine).any(), f"write_{k}")),
            written.eq(held),
        ]
        for lane, here in enumerate(mine):
            m.d.sync += held[lane].eq(given if self.bank == 1 else Mux(here, given, words[lane]))
        return [words[lane] for lane in range(self.bank)]

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
                sums.addend.eq(product),
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
            A cycle before the first beat is sent.

        Returns
        -------
        Value
            The beat to send, with its vector's flags.
        Value
            Whether it is sent now.
        Value
            ``send`` of the next bank: a beat takes a cycle to pass a bank, so it begins one cycle
            after this bank's last beat has left.
        """
        beats, wide = self.bank // self.lanes_out, self.lanes_out
        steps = [send]
        for beat in range(1, beats + 1):
            steps.append(_next(m, steps[-1], f"send_{k}_{beat}"))
        sends = Cat(steps[:beats]).any()
        ended, sending = _next(m, ends, f"ended_{k}"), _next(m, sends, f"sending_{k}")
        moves = _next(m, ends | sends, f"moves_{k}")
        flags = Signal(2, name=f"flags_of_sums_{k}", reset_less=True)
        sums = [Signal.like(t, name=f"sum_{k}_{n}", reset_less=True) for n, t in enumerate(totals)]
        with m.If(ended):
            m.d.sync += flags.eq(kept)
            m.d.sync += [a.eq(t) for a, t in zip(sums[-wide:], totals[-wide:], strict=True)]
        with m.If(moves):
            following = zip(sums, totals, sums[wide:], strict=False)
            m.d.sync += [a.eq(Mux(ended, total, b)) for a, total, b in following]
        return Cat(flags, *sums[:wide]), sending, _next(m, steps[-1], f"send_{k + 1}")


def _next(m: Module, value: Value, name: str) -> Signal:
    """The value a cycle later; only what starts something is reset."""
    held = Signal(value.shape(), name=name, reset_less=name.split("_")[0] not in _RESET)
    m.d.sync += held.eq(value)
    return held


_RESET = {"flags", "write", "ended", "send", "sending", "moves", "sent"}
"""Names of what is reset: it starts something."""
