# SPDX-License-Identifier: Apache-2.0
"""A component between registers, on four pins, so that it can be placed and routed by itself."""

import re
from dataclasses import dataclass
from itertools import pairwise

import amaranth.back.rtlil as rtlil
from amaranth import Cat, ClockDomain, ClockSignal, Const, Module, ResetSignal, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.family import Family

TOP = "bench"
"""Name of the top module."""
FOLD = 4
"""Bits that one exclusive or takes: what a lookup table of any part does."""
SHOWN = ("probe", "crc")
"""Beginnings of the names of members that are left open, as they are on a board."""


@dataclass(frozen=True)
class Harness:
    """What the registers and the exclusive ors around a component take."""

    lut: int
    ff: int


class Bench(wiring.Component):
    """A component whose every port ends at a register.

    Inputs come from a shift register, one flip-flop a bit. Outputs are registered, then folded by
    exclusive ors with a register after each, so that none of them can be optimised away.

    Parameters
    ----------
    core : Component

    Members
    -------
    clk, rst, si : In(1)
    so : Out(1)
    """

    clk: Signal
    rst: Signal
    si: Signal
    so: Signal

    def __init__(self, core: wiring.Component):
        self.core = core
        super().__init__({"clk": In(1), "rst": In(1), "si": In(1), "so": Out(1)})

    @property
    def harness(self) -> Harness:
        """What is not the component itself: also two registers of the reset."""
        inputs, outputs = bits_of(self.core, In), bits_of(self.core, Out)
        folds = folded(outputs)
        # The fold of a single bit is a register without a table.
        luts = sum(parts - (bits % FOLD == 1) for bits, parts in pairwise([outputs, *folds]))
        return Harness(lut=luts, ff=2 + inputs + outputs + sum(folds))

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        # An accelerator has a reset of its own, which comes through the shift register.
        owns = "reset" in self.core.signature.members
        m.domains.sync = ClockDomain(reset_less=owns)
        m.submodules.core = self.core
        reset = Signal(2, init=0b11, reset_less=True)
        m.d.comb += ClockSignal().eq(self.clk)
        if not owns:
            m.d.comb += ResetSignal().eq(reset[-1])
        m.d.sync += reset.eq(Cat(self.rst, reset))
        inputs = Cat(*ports_of(self.core, In))
        shift = Signal(len(inputs), reset_less=True)
        m.d.comb += inputs.eq(shift)
        m.d.sync += shift.eq(Cat(self.si, shift))
        outputs: Value = Cat(*ports_of(self.core, Out))
        level = Signal(len(outputs), name="seen", reset_less=True)
        m.d.sync += level.eq(outputs)
        for k, width in enumerate(folded(len(level))):
            parts = [level[bit : bit + FOLD].xor() for bit in range(0, len(level), FOLD)]
            level = Signal(width, name=f"fold_{k}", reset_less=True)
            m.d.sync += level.eq(Cat(*parts))
        m.d.comb += self.so.eq(level)
        return m

    def rtlil(self, family: Family | None) -> str:
        """RTLIL of the bench for a family of parts."""
        ports = {name: (getattr(self, name), None) for name in ("clk", "rst", "si", "so")}
        text = rtlil.convert(self, name=TOP, platform=family, ports=ports, emit_src=False)
        return plain(str(text))


def folded(bits: int) -> list[int]:
    """Bits after each exclusive or, down to one.

    >>> folded(33)
    [9, 3, 1]
    """
    widths = [-(-bits // FOLD)]
    while widths[-1] > 1:
        widths.append(-(-widths[-1] // FOLD))
    return widths


def ports_of(core: wiring.Component, *flows: wiring.Flow) -> list[Value]:
    """Ports of these directions, or of both, but for those that a board leaves open."""
    return [
        Value.cast(signal)
        for path, member, signal in core.signature.flatten(core)
        if member.flow in (flows or (In, Out))
        and not isinstance(signal, Const)
        and not str(path[0]).startswith(SHOWN)
    ]


def bits_of(core: wiring.Component, flow: wiring.Flow) -> int:
    """Bits of the ports of one direction."""
    return len(Cat(*ports_of(core, flow)))


def core_rtlil(core: wiring.Component, family: Family | None) -> str:
    """RTLIL of a component with nothing around it."""
    ports = {f"port_{k}": (signal, None) for k, signal in enumerate(ports_of(core))}
    text = rtlil.convert(core, name=TOP, platform=family, ports=ports, emit_src=False)
    return plain(str(text))


def plain(text: str) -> str:
    r"""RTLIL without brackets in names: Yosys 0.70 takes a wire ``\w[0]`` for a bit of ``\w``."""
    return re.sub(r"\\\S+", lambda name: name[0].replace("[", ".").replace("]", ""), text)
