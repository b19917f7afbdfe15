# SPDX-License-Identifier: Apache-2.0
"""Constant words, such as the table of a curve."""

from collections.abc import Sequence

from amaranth import C, ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.family import ECP5, family_of

_BLOCK_WIDTH, _BLOCK_DEPTH = 18, 1024
"""Shape of a DP16KD whose two ports read on their own."""
_SLICE_WORDS = 16
"""Words in one of its initial values, each in 20 bits."""
LOOKUP_WORDS = 64
"""Words up to which lookup tables hold them."""


class Rom(wiring.Component):
    """Words read through several ports, one a cycle at each, two cycles after its address.

    Reads never pause. On ECP5 more than 64 words are in DP16KD with their output registers, which
    synthesis does not infer, two ports at each; elsewhere the description is plain.

    Parameters
    ----------
    words : sequence of int
        Up to 1024, none negative.
    ports : int

    Members
    -------
    address : In(ArrayLayout(range(len(words)), ports))
    word : Out(ArrayLayout(width, ports))
    """

    address: data.View
    word: data.View
    latency = 2
    """Cycles from address to word."""

    def __init__(self, words: Sequence[int], *, ports: int):
        self.words = tuple(words)
        self.ports = ports
        self.width = max(1, max(words).bit_length())
        addresses = data.ArrayLayout(max(1, (len(words) - 1).bit_length()), ports)
        super().__init__(
            {"address": In(addresses), "word": Out(data.ArrayLayout(self.width, ports))}
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        if family_of(platform) is ECP5 and len(self.words) > LOOKUP_WORDS:
            for first in range(0, self.ports, 2):
                self._block(m, first)
            return m
        store: memory.Memory = memory.Memory(
            shape=self.width, depth=len(self.words), init=self.words
        )
        m.submodules.store = store
        for k in range(self.ports):
            read = store.read_port()
            m.d.comb += [read.addr.eq(self.address[k]), read.en.eq(1)]
            m.d.sync += self._held(m, k).eq(read.data)
        return m

    def _held(self, m: Module, k: int) -> Signal:
        held = Signal(self.width, name=f"word_{k}", reset_less=True)
        m.d.comb += self.word[k].eq(held)
        return held

    def _block(self, m: Module, first: int) -> None:
        """Blocks side by side for two ports."""
        pair = range(first, min(first + 2, self.ports))
        addresses = [Value.cast(self.address[k]) for k in pair]
        for start in range(0, self.width, _BLOCK_WIDTH):
            bits = min(_BLOCK_WIDTH, self.width - start)
            parts = [Signal(bits, name=f"part_{start}") for _ in pair]
            m.submodules[f"block_{first}_{start}"] = _dp16kd(
                [word >> start & ((1 << bits) - 1) for word in self.words], addresses, parts
            )
            for k, part in zip(pair, parts, strict=True):
                m.d.comb += Value.cast(self.word[k])[start : start + bits].eq(part)


def _dp16kd(words: Sequence[int], addresses: Sequence[Value], parts: Sequence[Signal]) -> Instance:
    """ECP5's block RAM as constant words of 18 bits, read at both ports."""
    inputs: dict[str, Value] = {f"i_CLK{side}": ClockSignal() for side in "AB"}
    for side in "AB":
        inputs |= {f"i_{name}{side}": C(1, 1) for name in ("CE", "OCE")}
        inputs |= {f"i_{name}{side}": C(0, 1) for name in ("WE", "RST")}
        inputs |= {f"i_CS{side}{k}": C(0, 1) for k in range(3)}
        inputs |= {f"i_DI{side}{k}": C(0, 1) for k in range(_BLOCK_WIDTH)}
        inputs |= {f"i_AD{side}{k}": C(0, 1) for k in range(14)}
    outputs: dict[str, Value] = {}
    for side, address, part in zip("AB", addresses, parts, strict=False):
        # The lowest four pins are below a word of 18 bits.
        inputs |= {f"i_AD{side}{4 + k}": bit for k, bit in enumerate(address)}
        outputs |= {f"o_DO{side}{k}": bit for k, bit in enumerate(part)}
    modes: dict[str, int | str] = {"p_GSR": "DISABLED"}
    for side in "AB":
        modes[f"p_DATA_WIDTH_{side}"] = _BLOCK_WIDTH
        modes[f"p_REGMODE_{side}"] = "OUTREG"
        modes[f"p_CSDECODE_{side}"] = "0b000"
        modes[f"p_WRITEMODE_{side}"] = "NORMAL"
        modes[f"p_CLK{side}MUX"] = f"CLK{side}"
    return Instance("DP16KD", **modes, **initial_values(words), **inputs, **outputs)


def initial_values(words: Sequence[int]) -> dict[str, Const]:
    """Parameters that fill a DP16KD with words of 18 bits."""
    values = {}
    for k in range(_BLOCK_DEPTH // _SLICE_WORDS):
        some = words[k * _SLICE_WORDS : (k + 1) * _SLICE_WORDS]
        bits = sum(word << 20 * j for j, word in enumerate(some))
        values[f"p_INITVAL_{k:02X}"] = C(bits, 20 * _SLICE_WORDS)
    return values
