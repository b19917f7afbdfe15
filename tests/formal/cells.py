# SPDX-License-Identifier: Apache-2.0
"""Proofs that what names a part's own cells computes what the plain description does."""

from pathlib import Path
from unittest.mock import patch

from amaranth.hdl import Fragment, Module, Shape, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.bench import Bench
from formal.sby import Proof
from spikewright.hw.block_memory import BlockMemory
from spikewright.hw.family import ECP5
from spikewright.hw.multiplier import Multiplier

MODELS = Path(__file__).parent / "cells_ecp5.v"


class Pair(wiring.Component):
    """A component as plain description and as the ECP5's cells, given the same.

    Parameters
    ----------
    plain, cells : wiring.Component
    """

    def __init__(self, plain: wiring.Component, cells: wiring.Component):
        self.plain, self.cells = plain, cells
        members: dict[str, wiring.Member] = {}
        for name, member in plain.signature.members.items():
            if member.flow == wiring.In:
                members[name] = In(member.shape)
            else:
                members |= {f"plain_{name}": Out(member.shape), f"cells_{name}": Out(member.shape)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for side, given, part in (("plain", self.plain, None), ("cells", self.cells, ECP5)):
            for name, member in given.signature.members.items():
                inner = getattr(given, name)
                if member.flow == wiring.In:
                    m.d.comb += inner.eq(getattr(self, name))
                else:
                    m.d.comb += getattr(self, f"{side}_{name}").eq(inner)
            m.submodules[side] = Fragment.get(given, part)
        return m


def multiplier(a: Shape, b: Shape) -> Bench:
    pair = Pair(Multiplier(a, b), Multiplier(a, b))
    bench = Bench(pair)
    age = bench.register(range(Multiplier.latency + 1), "age")
    full = age == Multiplier.latency
    with bench.m.If(~full):
        bench.m.d.sync += age.eq(age + 1)
    same = pair.plain_product == pair.cells_product
    bench.check("the product of the plain description", ~full | same)
    bench.cover("a product of ones", full & (pair.cells_product == -1 if a.signed else 1))
    return bench


ROWS = 4
"""Words that a block has in these proofs, whatever its width."""


def block_memory(block: int, width: int, depth: int) -> Bench:
    """A memory of blocks that are ``block`` bits wide."""
    shape = {"width": width, "depth": depth}
    pair = Pair(BlockMemory(**shape), BlockMemory(**shape))
    module = "spikewright.hw.block_memory"
    with patch(f"{module}.BLOCK_SHAPES", ((block, ROWS),)):
        with patch(f"{module}.block_rams", lambda width, depth: 1):
            bench = Bench(pair, inductive=False)
    m = bench.m
    where = bench.constant(range(depth), "where")
    word = bench.register(width, "word")
    written = bench.register(1, "written")
    bench.assume((pair.read_address < depth) & (pair.write_address < depth))
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


def _multiplier(a: Shape, b: Shape, *, quick: bool = False) -> Proof:
    names = ["us"[s.signed] + str(s.width) for s in (a, b)]
    title = f"ECP5 cells, {names[0]} times {names[1]}"
    k = Multiplier.latency + 2
    return Proof(
        "Multiplier", title, lambda: multiplier(a, b), k=k, reach=8, quick=quick, models=(MODELS,)
    )


def _memory(block: int, width: int, depth: int, *, quick: bool = False) -> Proof:
    return Proof(
        "BlockMemory",
        f"ECP5 cells {block} bits wide, {depth} words of {width} bits",
        lambda: block_memory(block, width, depth),
        bound=10,
        reach=8,
        quick=quick,
        models=(MODELS,),
        defines=f"-DROWS={ROWS}",
    )


PROOFS = [
    _multiplier(signed(6), signed(5), quick=True),
    _multiplier(unsigned(5), signed(6)),
    _multiplier(signed(4), unsigned(6)),
    _multiplier(unsigned(6), unsigned(6)),
    _multiplier(signed(8), signed(8)),
    _multiplier(signed(18), signed(18)),
    _multiplier(signed(18), unsigned(16)),
    _memory(36, 36, 4),
    _memory(36, 45, 4),
    _memory(18, 18, 4),
    _memory(18, 17, 7),
    _memory(9, 9, 4),
    _memory(9, 20, 4),
    _memory(4, 4, 4),
    _memory(2, 3, 7),
    _memory(1, 1, 11),
]
