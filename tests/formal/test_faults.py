# SPDX-License-Identifier: Apache-2.0
"""A broken component is found, and a proof that proves nothing is found out."""

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.bench import Bench
from formal.contract import Vectors, progress
from formal.follow import Balance, Tracker
from formal.sby import Proof, run
from spikewright.hw.glue.streams import dense_layout


class Relay(wiring.Component):
    """One register between two streams, and ways to get it wrong."""

    def __init__(self, fault: str):
        self.fault = fault
        signature = stream.Signature(dense_layout(signed(3), 1))
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        i, o = self.i, self.o
        full, count = Signal(), Signal(3)
        m.d.sync += count.eq(count + 1)
        held = Signal.like(i.payload)
        m.d.comb += [i.ready.eq(~full | o.ready), o.valid.eq(full), o.payload.eq(held)]
        with m.If(o.ready):
            m.d.sync += full.eq(0)
        with m.If(i.valid & i.ready):
            m.d.sync += [held.eq(i.payload), full.eq(1)]
        match self.fault:
            case "revokes":
                m.d.comb += o.valid.eq(full & (count != 7))
            case "loses":
                m.d.comb += i.ready.eq(1)
            case "alters":
                with m.If(i.payload.data[0] == 3):
                    m.d.sync += held.data[0].eq(2)
            case "stops":
                with m.If(count == 7):
                    m.d.sync += count.eq(7)
                    m.d.comb += i.ready.eq(0)
        return m


def relay(fault: str, *, inductive: bool = False) -> Proof:
    def build() -> Bench:
        bench = Bench(Relay(fault), inductive=inductive)
        i = Vectors(bench, "i", size=2, source=True)
        o = Vectors(bench, "o", size=2, source=False)
        Tracker(bench, i, o, Balance(bench, i.done, o.done, most=1))
        progress(bench, [i, o], within=1)
        return bench

    return Proof("Relay", fault, build, bound=14, reach=8, solver="z3")


def failures(proof: Proof) -> tuple[str, ...]:
    (found,) = {r.trace for r in run(proof) if r.method.startswith("bounded")}
    return tuple(found.split("; ")[:-1])


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ("revokes", "o: valid stays until ready"),
        ("loses", "o: payload stays until ready"),
        ("alters", "every element is the right one, in order"),
        ("stops", "progress within 1 cycles"),
    ],
)
def test_a_broken_relay_is_found(fault: str, broken: str) -> None:
    assert broken in failures(relay(fault))


def test_a_sound_relay_is_not() -> None:
    assert all(result.holds for result in run(relay("none")))


def test_what_does_not_follow_by_induction_is_said_to_fail() -> None:
    results = run(relay("none", inductive=True))
    by_induction = {r.holds for r in results if r.method.startswith("induction")}
    assert by_induction == {False}


def test_an_assumption_that_rules_everything_out_is_found() -> None:
    def build() -> Bench:
        bench = relay("none").build()
        bench.assume(~bench.component.i.valid)
        return bench

    results = run(Proof("Relay", "without input", build, bound=6, reach=8, solver="z3"))
    assert [r.name for r in results if not r.holds] == ["the element that is followed comes out"]
