# SPDX-License-Identifier: Apache-2.0
"""A component under free inputs, with what is assumed and what is to be proved."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    C,
    ClockDomain,
    ClockSignal,
    Cover,
    Module,
    Mux,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import wiring

from formal.taps import Taps


@dataclass(frozen=True)
class Check:
    """A property, whether induction shall prove it, and whether it only helps others to close."""

    name: str
    condition: Value
    bounded: bool
    invariant: bool


class Bench:
    """Formal top around one component.

    Every input of the component is free in every cycle, every register without reset and every
    memory holds anything at first; the first cycle is a reset. Nothing is assumed but what
    :meth:`assume` is told.

    Parameters
    ----------
    component : wiring.Component
    platform : object
    probes : int
        Words of every memory that invariants read in one cycle, as :meth:`word` gives them.
    inductive : bool
        Whether its properties are proved by induction; else for so many cycles from the reset.
    """

    def __init__(
        self,
        component: wiring.Component,
        platform: object = None,
        *,
        probes: int = 0,
        inductive: bool = True,
    ):
        self.inductive = inductive
        self.component = component
        self.taps = Taps(component, platform, probes)
        self.m = Module()
        self.checks: list[Check] = []
        self.covers: dict[str, Value] = {}
        self._assumptions: list[Value] = []
        self._clk, self._rst = Signal(name="clk"), Signal(name="rst")
        self._ports: list[Value] = [self._clk, self._rst]
        self.running = Signal(name="formal_running", reset_less=True)
        """High in every cycle but the first, which is the reset."""
        m = self.m
        m.domains.sync = ClockDomain()
        m.submodules.dut = self.taps.fragment
        m.d.comb += [ClockSignal().eq(self._clk), ResetSignal().eq(self._rst)]
        m.d.sync += self.running.eq(1)
        self._assumptions.append(self._rst == ~self.running)
        for _, member, target in component.signature.flatten(component):
            value = Value.cast(target)
            if member.flow == wiring.In and isinstance(value, Signal):
                self._ports.append(value)

    def rtlil(self, kind: str) -> str:
        """Text of the design with properties of one kind.

        Parameters
        ----------
        kind : {"prove", "bmc", "cover"}
        """
        top = Module()
        top.submodules.bench = self.m
        for condition in self._assumptions:
            top.d.comb += Assume(condition)
        for check in self.checks:
            if kind == ("bmc" if check.bounded else "prove"):
                top.d.comb += _named(Assert(~self.running | check.condition), check.name)
        for name, condition in self.covers.items() if kind == "cover" else ():
            top.d.comb += _named(Cover(self.running & condition), name)
        return str(rtlil.convert(top, name="top", ports=self._ports))

    def free(self, shape: Any, name: str) -> Any:
        """Anything in every cycle."""
        signal = Signal(shape, name=f"formal_{name}")
        self._ports.append(Value.cast(signal))
        return signal

    def constant(self, shape: Any, name: str) -> Any:
        """Anything, but the same in every cycle."""
        if shape == range(1):
            return C(0)
        signal = self.free(shape, name)
        bits = Value.cast(signal)
        held = Signal.like(bits, name=f"formal_{name}_held", reset_less=True)
        self.m.d.sync += held.eq(bits)
        self._assumptions.append(~self.running | (bits == held))
        if isinstance(shape, range):
            self.assume(bits < shape.stop)
        return signal

    def past(self, value: Any, name: str) -> Signal:
        """What a value was a cycle ago; 0 in the first cycle after the reset."""
        bits = Value.cast(value)
        held = Signal.like(bits, name=f"formal_{name}_past", reset_less=True, init=0)
        self.m.d.sync += held.eq(Mux(self.running, bits, 0))
        return held

    def register(self, shape: Any, name: str, **options: Any) -> Any:
        """Register of the bench, which the reset sets."""
        return Signal(shape, name=f"formal_{name}", **options)

    def named(self, value: Any, name: str) -> Signal:
        """A value under a name that a counterexample shows."""
        bits = Value.cast(value)
        signal = Signal(bits.shape(), name=f"formal_{name}")
        self.m.d.comb += signal.eq(bits)
        return signal

    def assume(self, condition: Any) -> None:
        """Let the environment keep a condition in every cycle after the reset."""
        self._assumptions.append(~self.running | condition)

    def begin(self, condition: Any) -> None:
        """Let a condition hold in the first cycle, before the reset has come through."""
        self._assumptions.append(self.running | condition)

    def check(self, name: str, condition: Any, *, bounded: bool | None = None) -> None:
        """State a property of every cycle after the reset."""
        if bounded is None:
            bounded = not self.inductive
        self.checks.append(Check(name, Value.cast(condition), bounded, invariant=False))

    def invariant(self, condition: Any) -> None:
        """State what ties the bench to the component's registers; proved like any property."""
        caller = sys._getframe(1)
        place = f"{Path(caller.f_code.co_filename).name} line {caller.f_lineno}"
        name = f"invariant of {place}"
        if not self.inductive:
            return
        self.checks.append(Check(name, Value.cast(condition), False, invariant=True))

    def cover(self, name: str, condition: Any) -> None:
        """State that a condition can come true, so that the proofs are not vacuous."""
        self.covers[name] = Value.cast(condition)

    def tap(self, path: str) -> Any:
        """An inner value of the component."""
        return self.taps[path]

    def state(self, name: str, path: str = "fsm") -> Value:
        """Whether a state machine of the component is in a state."""
        return self.taps[path].ongoing(name)

    def word(self, path: str, address: Any, port: int = 0) -> Signal:
        """A word of a memory, read in the same cycle through one of the ``probes``."""
        found = self.taps.ports(path)[port]
        self.m.d.comb += found.addr.eq(address)
        return Value.cast(found.data)


def _named(statement: Any, name: str) -> Any:
    # What proves it prints where a property stands: let that be its name.
    statement.src_loc = (name, 0)
    return statement
