# SPDX-License-Identifier: Apache-2.0
"""A multiplier with its registers inside the part's own block."""

from collections.abc import Callable

from amaranth import C, ClockSignal, Instance, Module, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.family import ECP5, ICE40, XC7, Family, family_of


class Multiplier(wiring.Component):
    """``product = a * b``, three cycles later; one product a cycle, without pause.

    Three registers: operands, product, and the product once more in the fabric, since a block
    answers late in the cycle. On ECP5 and iCE40 the first two are those inside a MULT18X18D or an
    SB_MAC16, which synthesis does not infer well; elsewhere the description is plain.

    Parameters
    ----------
    a, b : Shape

    Members
    -------
    a, b : In
    product : Out
    early : Out
        The product, a cycle before.
    """

    a: Signal
    b: Signal
    product: Signal
    early: Signal
    latency = 3
    """Cycles from operands to product."""

    def __init__(self, a: Shape, b: Shape):
        product = (Signal(a) * Signal(b)).shape()
        super().__init__({"a": In(a), "b": In(b), "product": Out(product), "early": Out(product)})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        inner = Signal.like(self.product, reset_less=True)
        product = Signal.like(self.product, reset_less=True)
        m.d.sync += product.eq(inner)
        m.d.comb += [self.product.eq(product), self.early.eq(inner)]
        operands = [Value.cast(self.a), Value.cast(self.b)]
        block = _BLOCKS.get(family_of(platform) or XC7)
        if block is not None and max(map(len, operands)) <= block[0]:
            m.submodules.block = block[1](m, operands, inner)
            return m
        a = Signal.like(self.a, name="a_held", reset_less=True)
        b = Signal.like(self.b, name="b_held", reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b), inner.eq(a * b)]
        return m


def _mult18x18d(m: Module, operands: list[Value], product: Signal) -> Instance:
    """ECP5's multiplier with operand and output registers."""
    width = 18
    ports: dict[str, Value] = {}
    parameters: dict[str, str] = {"p_REG_OUTPUT_CLK": "CLK0"}
    for name, operand in zip("AB", _extended(m, operands, width), strict=True):
        ports |= {f"i_{name}{k}": operand[k] for k in range(width)}
        ports |= {f"i_SIGNED{name}": C(operand.shape().signed, 1), f"i_SOURCE{name}": C(0, 1)}
        parameters[f"p_REG_INPUT{name}_CLK"] = "CLK0"
    bits = Signal(2 * width)
    m.d.comb += product.eq(bits)
    ports |= {f"i_C{k}": C(0, 1) for k in range(width)}
    ports |= {f"o_P{k}": bits[k] for k in range(2 * width)}
    return Instance(
        "MULT18X18D",
        p_GSR="DISABLED",
        i_CLK0=ClockSignal(),
        i_CE0=C(1, 1),
        i_RST0=C(0, 1),
        **parameters,
        **ports,
    )


def _sb_mac16(m: Module, operands: list[Value], product: Signal) -> Instance:
    """iCE40's multiplier with operand and output registers; its accumulator is left alone."""
    a, b = _extended(m, operands, 16)
    bits = Signal(32)
    m.d.comb += product.eq(bits)
    hold = {f"i_{name}HOLD": C(0, 1) for name in "ABCD"}
    unused = (
        *("IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT", "ADDSUBTOP"),
        *("ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN"),
    )
    return Instance(
        "SB_MAC16",
        p_A_REG=C(1, 1),
        p_B_REG=C(1, 1),
        p_PIPELINE_16x16_MULT_REG2=C(1, 1),
        p_TOPOUTPUT_SELECT=C(3, 2),
        p_BOTOUTPUT_SELECT=C(3, 2),
        p_A_SIGNED=C(a.shape().signed, 1),
        p_B_SIGNED=C(b.shape().signed, 1),
        i_CLK=ClockSignal(),
        i_CE=C(1, 1),
        i_A=a,
        i_B=b,
        i_C=C(0, 16),
        i_D=C(0, 16),
        o_O=bits,
        **hold,
        **{f"i_{name}": C(0, 1) for name in unused},
    )


def _extended(m: Module, operands: list[Value], width: int) -> list[Signal]:
    """Operands as wide as a block's."""
    found = []
    for name, operand in zip("ab", operands, strict=True):
        extended = Signal(Shape(width, operand.shape().signed), name=f"extended_{name}")
        m.d.comb += extended.eq(operand)
        found.append(extended)
    return found


_BLOCKS: dict[Family, tuple[int, Callable[[Module, list[Value], Signal], Instance]]] = {
    ECP5: (18, _mult18x18d),
    ICE40: (16, _sb_mac16),
}
"""Widest operands of a family's block, and what makes one."""
