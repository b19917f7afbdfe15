# SPDX-License-Identifier: Apache-2.0
"""Proofs that what is written for a part's family computes what the plain description does."""

from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest.mock import patch

from amaranth.hdl import Fragment, Module, Shape, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.bench import Bench
from formal.sby import Proof
from spikewright.hw.cells.accumulator import Accumulator
from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.cells.family import ECP5, ICE40, XC7, Family, Text
from spikewright.hw.cells.multiplier import Multiplier
from spikewright.hw.cells.rom import Rom

MODELS = {family: Path(__file__).parent / f"cells_{family.name}.v" for family in (ECP5, ICE40)}
"""What we understand of the cells that a family's gateware names."""
ROWS = 4
"""Words that a block has in proofs of memories, whatever its width."""


class Pair(wiring.Component):
    """A component as plain description and as it is for a family, given the same.

    Parameters
    ----------
    plain, cells : wiring.Component
    family : Family or Text
    """

    def __init__(self, plain: wiring.Component, cells: wiring.Component, family: Family | Text):
        self.plain, self.cells, self.family = plain, cells, family
        members: dict[str, wiring.Member] = {}
        for name, member in plain.signature.members.items():
            if member.flow == wiring.In:
                members[name] = In(member.shape)
            else:
                members |= {f"plain_{name}": Out(member.shape), f"cells_{name}": Out(member.shape)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sides = (("plain", self.plain, None), ("cells", self.cells, self.family))
        for side, given, part in sides:
            for name, member in given.signature.members.items():
                inner = Value.cast(getattr(given, name))
                if member.flow == wiring.In:
                    m.d.comb += inner.eq(getattr(self, name))
                else:
                    m.d.comb += Value.cast(getattr(self, f"{side}_{name}")).eq(inner)
            m.submodules[side] = Fragment.get(given, part)
        return m

    def same(self, name: str) -> Value:
        """Whether both sides show the same."""
        plain, cells = (getattr(self, f"{side}_{name}") for side in ("plain", "cells"))
        return Value.cast(plain) == Value.cast(cells)


def aged(bench: Bench, cycles: int) -> Value:
    """Whether so many cycles have passed since the reset."""
    age = bench.register(range(cycles + 1), "age")
    full = bench.named(age == cycles, "full")
    with bench.m.If(~full):
        bench.m.d.sync += age.eq(age + 1)
    return full


def multiplier(family: Family, a: Shape, b: Shape) -> Bench:
    pair = Pair(Multiplier(a, b), Multiplier(a, b), family)
    # Nothing feeds back and all registers begin with anything: so many cycles are all there is.
    # Induction would have the solver look for unlike factors of one product.
    bench = Bench(pair, inductive=False)
    early = aged(bench, Multiplier.latency - 1)
    full = bench.past(early, "full_for_long")
    bench.check("the product of the plain description", ~full | pair.same("product"))
    bench.check("and a cycle before", ~early | pair.same("early"))
    ones = -1 if a.signed or b.signed else 1
    bench.cover("a product of ones", full & (pair.cells_product == ones))
    return bench


def accumulator(addend: Shape, total: Shape) -> Bench:
    pair = Pair(Accumulator(addend, total), Accumulator(addend, total), ECP5)
    bench = Bench(pair)
    begun = bench.register(1, "begun")
    with bench.m.If(pair.valid & pair.start):
        bench.m.d.sync += begun.eq(1)
    bench.check("the total of the plain description", ~begun | pair.same("total"))
    went_on = bench.past(begun & pair.valid & ~pair.start, "went_on")
    before = bench.past(pair.cells_total, "before")
    bench.cover("the carry goes all the way", went_on & before.all() & (pair.cells_total == 0))
    return bench


def rom(count: int, width: int, ports: int) -> Bench:
    """Words without a pattern: their highest ones are needed too."""
    words = [(k * 2654435761 + 1) * 2654435761 % (1 << width) for k in range(count)]
    words[-1] |= 1 << (width - 1)
    pair = Pair(Rom(words, ports=ports), Rom(words, ports=ports), ECP5)
    bench = Bench(pair)
    for k in range(ports):
        bench.assume(pair.address[k] < count)
    full = aged(bench, Rom.latency)
    bench.check("the words of the plain description", ~full | pair.same("word"))
    bench.cover("the last word", full & (pair.cells_word[ports - 1] == words[-1]))
    return bench


def block_memory(family: Family | Text, width: int, depth: int, **options: Any) -> Bench:
    """A memory of blocks of few words.

    Parameters
    ----------
    block : int, optional
        Width of ECP5's blocks.
    one_address : bool, optional
    """
    block, one_address = options.get("block"), options.get("one_address", False)
    shape = {"width": width, "depth": depth, "one_address": one_address}
    pair = Pair(BlockMemory(**shape), BlockMemory(**shape), family)
    with ExitStack() as stack:
        for name, value in _shallow(block).items():
            stack.enter_context(patch(f"spikewright.hw.cells.block_memory.{name}", value))
        bench = Bench(pair, inductive=False)
    m = bench.m
    where = bench.constant(range(depth), "where")
    word = bench.register(width, "word")
    written = bench.register(1, "written")
    bench.assume((pair.read_address < depth) & (pair.write_address < depth))
    if one_address:
        bench.assume(pair.read_address == pair.write_address)
    hit = pair.write & (pair.write_address == where)
    with m.If(hit):
        m.d.sync += [word.eq(pair.write_data), written.eq(1)]
    # The word in the very cycle in which it is read; one that is then written comes out undefined.
    reads = written & (pair.read_address == where) & ~hit
    known = [bench.register(1, f"known{k}") for k in range(2)]
    words = [bench.register(width, f"word{k}") for k in range(2)]
    m.d.sync += [known[0].eq(reads), known[1].eq(known[0])]
    m.d.sync += [words[0].eq(word), words[1].eq(words[0])]
    for side in ("plain", "cells"):
        right = getattr(pair, f"{side}_read_data") == words[1]
        bench.check(f"the word that was written ({side})", ~known[1] | right)
    bench.cover("a word is read", known[1] & (words[1] == (1 << width) - 1))
    return bench


def _shallow(block: int | None) -> dict[str, Any]:
    """What makes a few words a memory that takes blocks."""
    found: dict[str, Any] = {"XC7_TABLE_BITS": 0, "SPRAM_LEAST": 1}
    if block is None:
        return found | {"BLOCK_SHAPES": ((18, ROWS),), "TABLE_DEPTH": 32}
    return found | {"BLOCK_SHAPES": ((block, ROWS),), "block_rams": lambda width, depth: 1}


def _multiplier(family: Family, a: Shape, b: Shape, *, quick: bool = False) -> Proof:
    names = ["us"[s.signed] + str(s.width) for s in (a, b)]
    return Proof(
        "Multiplier",
        f"{family.name} cells, {names[0]} times {names[1]}",
        lambda: multiplier(family, a, b),
        bound=Multiplier.latency + 4,
        reach=8,
        quick=quick,
        models=(MODELS[family],),
    )


def _accumulator(addend: Shape, total: Shape, *, quick: bool = False) -> Proof:
    names = ["us"[s.signed] + str(s.width) for s in (addend, total)]
    return Proof(
        "Accumulator",
        f"ecp5 cells, {names[0]} to {names[1]}",
        lambda: accumulator(addend, total),
        reach=8,
        quick=quick,
        models=(MODELS[ECP5],),
    )


def _rom(count: int, width: int, ports: int) -> Proof:
    return Proof(
        "Rom",
        f"ecp5 cells, {count} words of {width} bits, {ports} ports",
        lambda: rom(count, width, ports),
        k=Rom.latency + 2,
        reach=8,
        models=(MODELS[ECP5],),
        keeps=True,
    )


def _memory(family: Family, width: int, depth: int, **options: Any) -> Proof:
    block = options.get("block")
    kind = f"cells {block} bits wide" if block else "cells" if family is ICE40 else "tables"
    if family is XC7:
        kind = "rows"
    return Proof(
        "BlockMemory",
        f"{family.name} {kind}, {depth} words of {width} bits",
        lambda: block_memory(family, width, depth, **options),
        bound=10,
        reach=8,
        models=(MODELS[family],) if family in MODELS else (),
        defines=f"-DROWS={ROWS}",
    )


def _store(width: int, depth: int) -> Proof:
    """The module of Verilog's text, from the very file that is written out."""
    return Proof(
        "BlockMemory",
        f"as Verilog's module, {depth} words of {width} bits",
        lambda: block_memory(Text(), width, depth),
        bound=10,
        reach=8,
        models=(Path(str(files("spikewright.hw.cells") / "store.v")),),
    )


PROOFS = [
    _multiplier(ECP5, signed(6), signed(5), quick=True),
    _multiplier(ECP5, unsigned(5), signed(6)),
    _multiplier(ECP5, signed(4), unsigned(6)),
    _multiplier(ECP5, unsigned(6), unsigned(6)),
    _multiplier(ECP5, signed(8), signed(8)),
    _multiplier(ECP5, signed(18), signed(18)),
    _multiplier(ECP5, signed(18), unsigned(16)),
    _multiplier(ICE40, signed(6), signed(5), quick=True),
    _multiplier(ICE40, unsigned(5), signed(6)),
    _multiplier(ICE40, signed(4), unsigned(6)),
    _multiplier(ICE40, unsigned(6), unsigned(6)),
    _multiplier(ICE40, signed(16), signed(16)),
    _multiplier(ICE40, unsigned(16), signed(16)),
    _accumulator(signed(6), signed(9), quick=True),
    _accumulator(signed(16), signed(24)),
    _accumulator(unsigned(5), unsigned(7)),
    _accumulator(unsigned(9), signed(11)),
    _accumulator(signed(2), signed(2)),
    _accumulator(signed(32), signed(63)),
    _rom(65, 7, 1),
    _rom(80, 30, 3),
    _rom(1024, 18, 2),
    _memory(ECP5, 36, 4, block=36),
    _memory(ECP5, 45, 4, block=36),
    _memory(ECP5, 18, 4, block=18),
    _memory(ECP5, 17, 7, block=18),
    _memory(ECP5, 9, 4, block=9),
    _memory(ECP5, 20, 4, block=9),
    _memory(ECP5, 4, 4, block=4),
    _memory(ECP5, 3, 7, block=2),
    _memory(ECP5, 1, 11, block=1),
    _memory(ECP5, 5, 6),
    _memory(ICE40, 16, 4, one_address=True),
    _memory(ICE40, 20, 3, one_address=True),
    _memory(XC7, 5, 11),
    _store(5, 7),
    _store(3, 8),
]
