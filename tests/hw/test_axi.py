# SPDX-License-Identifier: Apache-2.0
"""The slave serves one access at a time, in any order in which its channels come."""

from typing import Any

import pytest
from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In
from bench import in_amaranth
from bench.axi import AxiExchange, AxiPlan

from spikewright.hw.host.axi import AxiLite, AxiLiteSlave

OKAY, SLVERR = 0, 2


class Memory(wiring.Component):
    """Sixteen words behind the slave, slow ones above 0x20; 0x3C refuses. Counts its accesses."""

    def __init__(self) -> None:
        super().__init__({"s_axi": In(AxiLite)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.slave = slave = AxiLiteSlave()
        wiring.connect(m, wiring.flipped(self.s_axi), slave.bus)
        access = slave.access
        words = Signal(data.ArrayLayout(32, 16))
        count, wait = Signal(32), Signal(3)
        ready = (access.address < 0x20) | (wait == 5)
        place = access.address[2:6]
        with m.If(access.request):
            m.d.sync += wait.eq(wait + 1)
            m.d.comb += [
                access.done.eq(ready),
                access.error.eq(place == 15),
                access.data_out.eq(words[place]),
            ]
            with m.If(place == 14):
                m.d.comb += access.data_out.eq(count)
            with m.If(ready):
                m.d.sync += [count.eq(count + 1), wait.eq(0)]
                with m.If(access.write):
                    m.d.sync += words[place].eq(access.data)
        return m


def run(script: list[list[Any]], seed: int | None) -> list[Any]:
    """Log of a script around the plain memory; the streams are not there."""
    exchange = AxiExchange(AxiPlan(script=script, stall_seed=seed))
    exchange.channels = (exchange.aw, exchange.w, exchange.ar, exchange.b, exchange.r)
    in_amaranth.run(Memory(), exchange)
    return exchange.log


SEEDS = [None, 1, 2, 3, 4]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_written_is_read(seed: int | None) -> None:
    places = [0x00, 0x04, 0x20, 0x34]
    script = [["write", place, 0xABCD0000 + place, 0xF] for place in places]
    script += [["read", place] for place in places]
    expected = [[OKAY]] * 4 + [[OKAY, 0xABCD0000 + place] for place in places]
    assert run(script, seed) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_refused(seed: int | None) -> None:
    script = [["write", 0x3C, 1, 0xF], ["read", 0x3C], ["write", 0, 5, 0xF], ["read", 0]]
    assert run(script, seed) == [[SLVERR], [SLVERR, 1], [OKAY], [OKAY, 5]]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("strobe", [0x0, 0x1, 0x3, 0x7, 0xE])
def test_parts_of_words_are_refused_without_an_access(strobe: int, seed: int | None) -> None:
    script = [["write", 8, 7, 0xF], ["write", 8, 9, strobe], ["read", 8], ["read", 0x38]]
    assert run(script, seed) == [[OKAY], [SLVERR], [OKAY, 7], [OKAY, 2]]


@pytest.mark.parametrize("first", ["aw", "w"])
def test_address_and_data_come_in_any_order(first: str) -> None:
    exchange = AxiExchange(AxiPlan(script=[["write", 4, 77, 0xF], ["read", 4]]))
    late = exchange.w if first == "aw" else exchange.aw
    turns = iter([False] * 20)
    late.pauses.go = lambda: next(turns, True)
    exchange.channels = (exchange.aw, exchange.w, exchange.ar, exchange.b, exchange.r)
    in_amaranth.run(Memory(), exchange)
    assert exchange.log == [[OKAY], [OKAY, 77]]
    assert exchange.cycles > 20
