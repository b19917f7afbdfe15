# SPDX-License-Identifier: Apache-2.0
"""A register that sums what comes, from the start of each pass."""

from amaranth import C, Cat, Instance, Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.family import ECP5, family_of

_ADD_UNLESS = 0b1010_0110_1010_1010
"""CCU2C tables for ``A + (B & ~C)`` with D high; the lowest four bits carry A."""


class Accumulator(wiring.Component):
    """``total <- (0 if start else total) + addend`` in cycles with ``valid``.

    On ECP5 the choice is made inside the carry chain's own lookup tables, which synthesis does not
    infer; elsewhere the description is plain.

    Parameters
    ----------
    addend, total : Shape
        The user guarantees that the total cannot overflow.

    Members
    -------
    addend : In
    valid, start : In(1)
    total : Out
    """

    addend: Signal
    valid: Signal
    start: Signal
    total: Signal

    def __init__(self, addend: Shape, total: Shape):
        super().__init__(
            {"addend": In(addend), "valid": In(1), "start": In(1), "total": Out(total)}
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        total = Signal.like(self.total, name="held", reset_less=True)
        m.d.comb += self.total.eq(total)
        following: Value = Mux(self.start, 0, total) + self.addend
        if family_of(platform) is ECP5:
            following = self._carry_chain(m, total)
        with m.If(self.valid):
            m.d.sync += total.eq(following)
        return m

    def _carry_chain(self, m: Module, total: Signal) -> Value:
        """ECP5's adders, two bits each."""
        width = len(total) + len(total) % 2
        addend = Signal(Shape(width, self.addend.shape().signed), name="extended_addend")
        before = Signal(Shape(width, total.shape().signed), name="extended_total")
        m.d.comb += [addend.eq(self.addend), before.eq(total)]
        carry: Value = C(0, 1)
        sums = []
        for k in range(0, width, 2):
            two, out = Signal(2, name=f"sum_{k}"), Signal(name=f"carry_{k}")
            ports: dict[str, Value] = {}
            for half in range(2):
                ports |= {
                    f"i_A{half}": addend[k + half],
                    f"i_B{half}": before[k + half],
                    f"i_C{half}": self.start,
                    f"i_D{half}": C(1, 1),
                    f"o_S{half}": two[half],
                }
            m.submodules[f"adder_{k}"] = Instance(
                "CCU2C",
                p_INIT0=C(_ADD_UNLESS, 16),
                p_INIT1=C(_ADD_UNLESS, 16),
                p_INJECT1_0="NO",
                p_INJECT1_1="NO",
                i_CIN=carry,
                o_COUT=out,
                **ports,
            )
            carry = out
            sums.append(two)
        return Cat(*sums)[: len(total)]
