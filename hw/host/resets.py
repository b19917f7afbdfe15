# SPDX-License-Identifier: Apache-2.0
"""Reset that reaches one part of a design after another."""

from amaranth import Cat, Module, Signal
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Resets(wiring.Component):
    """Hands a reset from part to part, one a cycle, so that none of its nets goes everywhere.

    For some cycles all parts are in reset at once. They leave it one after the other, so nothing
    may come in, and no part may send by itself, while ``busy``. After power-up it resets, too.

    Parameters
    ----------
    parts : int
    grace : int
        Cycles for which a soft reset waits, so that what was begun before it comes to its end.

    Members
    -------
    request : In(1)
        Reset; as long as it lasts and about twice as many cycles as there are parts.
    soft : In(1)
        Reset, too, but only after ``grace`` cycles.
    busy : Out(1)
        From the cycle after ``request`` or ``soft`` until every part has left.
    o : Out(parts)
        Reset of each part, registered.
    """

    request: Signal
    soft: Signal
    busy: Signal
    o: Signal

    def __init__(self, parts: int, *, grace: int = 0):
        self.parts = parts
        self.grace = grace
        super().__init__({"request": In(1), "soft": In(1), "busy": Out(1), "o": Out(parts)})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        # The last part follows `parts` cycles after the first one, in and out.
        apart = self.parts + 1
        left = Signal(range(2 * apart + self.grace + 1), init=2 * apart)
        chain = Signal(self.parts, init=-1)
        busy = Signal(init=1)
        m.d.comb += [self.busy.eq(busy), self.o.eq(chain)]
        m.d.sync += chain.eq(Cat((left > apart) & (left <= 2 * apart), chain))
        with m.If(self.request):
            m.d.sync += [left.eq(2 * apart), busy.eq(1)]
        with m.Elif(self.soft):
            m.d.sync += [left.eq(2 * apart + self.grace), busy.eq(1)]
        with m.Elif(busy):
            m.d.sync += [left.eq(left - 1), busy.eq(left != 1)]
        return m
