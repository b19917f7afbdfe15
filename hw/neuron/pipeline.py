# SPDX-License-Identifier: Apache-2.0
"""Pipelines that never wait, whose operands are brought to the same cycle by themselves."""

from collections.abc import Callable

from amaranth import Module, Mux, Signal, Value

from spikewright.hw.cells.multiplier import Multiplier
from spikewright.hw.fixed import MOST_ADDITIONS, plus_shifted, split


class Timed:
    """A value and the cycle in which it is there, counted from the entry of its beat.

    Parameters
    ----------
    value : Value
    cycle : int or None
        ``None`` for a value that holds still.
    """

    def __init__(self, value: Value, cycle: int | None):
        self.value = value
        self._cycle = cycle

    @property
    def cycle(self) -> int | None:
        """Cycle in which it is there."""
        return self._cycle

    def settle(self, cycle: int) -> None:
        """Be told of a cycle in which it is used."""


class Fetch:
    """What is read by an address, for the cycle in which it is first used.

    Registers that hold the address until then are few beside those that would hold the word.

    Parameters
    ----------
    earliest : int
        First cycle in which it can be there.
    """

    def __init__(self, earliest: int):
        self.cycle = earliest
        self._settled = False

    def settle(self, cycle: int) -> None:
        """Be there in a cycle; the first call decides."""
        if not self._settled:
            self.cycle, self._settled = cycle, True


class Fetched(Timed):
    """A part of a word that is fetched."""

    def __init__(self, value: Value, fetch: Fetch):
        super().__init__(value, None)
        self._fetch = fetch

    @property
    def cycle(self) -> int:
        return self._fetch.cycle

    def settle(self, cycle: int) -> None:
        self._fetch.settle(cycle)


class Pipeline:
    """Registers without enables between stages: one beat a cycle, each stage one cycle.

    Parameters
    ----------
    m : Module
    """

    def __init__(self, m: Module):
        self.m = m
        self._delayed: dict[int, tuple[Timed, list[Value]]] = {}

    def at(self, timed: Timed, cycle: int) -> Value:
        """A value, kept in registers until a cycle."""
        timed.settle(cycle)
        if timed.cycle is None:
            return timed.value
        _, chain = self._delayed.setdefault(id(timed), (timed, [timed.value]))
        while len(chain) <= cycle - timed.cycle:
            register = Signal(timed.value.shape(), name=f"after_{len(chain)}", reset_less=True)
            self.m.d.sync += register.eq(chain[-1])
            chain.append(register)
        return chain[cycle - timed.cycle]

    def stage(
        self, function: Callable[..., Value], *operands: Timed, name: str, after: int = 0
    ) -> Timed:
        """What a function makes of operands, registered one cycle after the last of them.

        Parameters
        ----------
        function : callable
            Of the operands' values.
        *operands : Timed
        name : str
            Of the register.
        after : int
            Cycle before which it is not needed: what is fetched may come as late.
        """
        cycle = max(after, latest(*operands))
        value = function(*(self.at(operand, cycle) for operand in operands))
        register = Signal(value.shape(), name=name, reset_less=True)
        self.m.d.sync += register.eq(value)
        return Timed(register, cycle + 1)

    def product(self, a: Timed, b: Timed) -> Timed:
        """Product, in one multiplier if that is wide enough for ``a``.

        What is below takes additions if it is few bits, else a multiplier of its own.
        """
        cycle = latest(a, b)
        high, low, below = split(self.at(a, cycle))
        product = self._multiplied(Timed(high, cycle), b)
        if low is None:
            return product
        rest = Timed(low, cycle)
        rest = self._multiplied(rest, b) if below > MOST_ADDITIONS else self._added(rest, b)
        return self.stage(
            lambda rest, high: plus_shifted(rest, high, below), rest, product, name="product"
        )

    def _multiplied(self, a: Timed, b: Timed) -> Timed:
        cycle = latest(a, b)
        operands = [self.at(a, cycle), self.at(b, cycle)]
        multiplier = Multiplier(*(operand.shape() for operand in operands))
        self.m.submodules += multiplier
        self.m.d.comb += [multiplier.a.eq(operands[0]), multiplier.b.eq(operands[1])]
        return Timed(multiplier.product, cycle + Multiplier.latency)

    def _added(self, a: Timed, b: Timed) -> Timed:
        """Product by an addition for each bit of an unsigned ``a``, one a stage."""
        total = self.stage(lambda a, b: Mux(a[0], b, 0), a, b, name="rest")
        for k in range(1, len(a.value)):
            total = self.stage(
                lambda total, a, b, k=k: plus_shifted(total, Mux(a[k], b, 0), k),
                total,
                a,
                b,
                name="rest",
            )
        return total


def latest(*values: Timed) -> int:
    """Cycle in which all of these are there."""
    return max(value.cycle or 0 for value in values)
