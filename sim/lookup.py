# SPDX-License-Identifier: Apache-2.0
"""Curved activations by table."""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np

from spikewright.sim.fixed import QFormat, round_half_up
from spikewright.sim.ports import Port
from spikewright.sim.primitive import (
    Codes,
    Ports,
    Primitive,
    State,
    Tensors,
    check_choice,
    check_range,
)

CURVATURE = {"sigmoid": Fraction(963, 10_000), "tanh": Fraction(770, 1_000)}
"""Functions, and what their second derivative never exceeds."""
PLAIN_WORDS = 512
"""Words up to which a table holds plain values, and beyond which it rather interpolates."""
MOST_BITS = 16
"""Most fraction bits of an output: as many as 1024 words, and a 15-bit position, are enough for."""
GUARD = 4
"""Bits below the output's LSB in the values between which a table interpolates."""
FACTOR_BITS = 15
"""Most bits of the position between two values."""
_DIGITS = 60
"""Decimal digits of the table's arithmetic, which is the same on every machine."""


@dataclass(frozen=True, kw_only=True)
class Lookup(Primitive):
    """``y = saturate(f(x))`` within 1 LSB of the output, for every input code.

    The table covers ``x >= 0`` up to where the function is 1; ``tanh(-x) = -tanh(x)`` and
    ``sigmoid(-x) = 1 - sigmoid(x)``. It follows from the formats: no tensor holds it. A cell of
    ``2^cell_bits`` input codes has one value, halfway between those at its ends; where that would
    be off by more, or take over 512 words, values are interpolated from one cell to the next.
    Where cells have one code, which is so up to 8-bit inputs, results are the nearest.

    Parameters
    ----------
    size : int
    input : QFormat
        Up to 63 bits.
    output : QFormat
        With 0 to 16 fraction bits.
    function : "sigmoid" or "tanh"

    Raises
    ------
    FormatError
        If the input's width or the output's fraction bits are out of range.
    """

    size: int
    input: QFormat
    output: QFormat
    function: str

    def __post_init__(self) -> None:
        check_choice("Lookup function", self.function, tuple(CURVATURE))
        check_range("Lookup input width", self.input.width, 1, 63)
        check_range("Lookup output fraction bits", self.output.frac, 0, MOST_BITS)
        _ = self.table

    @property
    def table(self) -> "Table":
        """The table, worked out from the formats."""
        return _table(self.input, self.output, self.function)

    def ports(self) -> Ports:
        return Ports(
            {"x": Port(size=self.size, format=self.input)},
            {"y": Port(size=self.size, format=self.output)},
        )

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (x,) = inputs
        value = self.table.value(np.abs(x))
        negative = self.mirror - value
        return state, (self.output.saturate(np.where(x < 0, negative, value)),)

    @property
    def mirror(self) -> int:
        """``f(x) + f(-x)``, as an output code."""
        return 1 << self.output.frac if self.function == "sigmoid" else 0


@dataclass(frozen=True, kw_only=True)
class Table:
    """Values of a function for ``x >= 0``; beyond the last cell the last value stays.

    Parameters
    ----------
    cell_bits : int
        A cell has ``2^cell_bits`` input codes.
    values : tuple of int
        Of each cell, as output codes; with ``rises``, at its start and with ``GUARD`` more bits.
    rises : tuple of int
        From each cell's value to the next one's; none in a plain table.
    """

    cell_bits: int
    values: tuple[int, ...]
    rises: tuple[int, ...] = ()

    @property
    def factor_bits(self) -> int:
        """Bits of the position in a cell that count."""
        return min(self.cell_bits, FACTOR_BITS) if self.rises else 0

    def value(self, magnitude: Codes) -> Codes:
        """``f(magnitude)`` as output codes."""
        cell = np.minimum(magnitude >> self.cell_bits, len(self.values) - 1)
        value: Codes = np.array(self.values, np.int64)[cell]
        if not self.rises:
            return value
        inside = magnitude & ((1 << self.cell_bits) - 1)
        factor = inside >> (self.cell_bits - self.factor_bits)
        risen = (value << self.factor_bits) + np.array(self.rises, np.int64)[cell] * factor
        return round_half_up(risen, GUARD + self.factor_bits)


@cache
def _table(given: QFormat, output: QFormat, function: str) -> Table:
    """The smallest table that keeps the promise.

    A plain cell is off by half its rise, at most half an LSB, and half an LSB of rounding.
    Interpolation is off by ``curvature · h² / 8``, at most 7/16 LSB, 1/32 for its rounded values,
    1/64 for a position cut to 15 bits, and half an LSB of rounding.
    """
    most = max(given.hi, -given.lo)
    curve = _Curve(function, given.frac, output.frac)
    cell_bits = max(0, (min(most, curve.reach(0)) // (PLAIN_WORDS - 2)).bit_length())
    if curve.at((1 << cell_bits) - 1) - curve.at(0) <= 1:
        return _plain(curve, most, cell_bits)
    limit = Fraction(7, 2) / (CURVATURE[function] * 2**output.frac)
    cell_bits = given.frac - 1
    while Fraction(4) ** (cell_bits - given.frac) > limit:
        cell_bits -= 1
    if cell_bits < 1:
        return _plain(curve, most, 0)
    words = min(most >> cell_bits, -(-curve.reach(GUARD) >> cell_bits)) + 1
    nodes = [curve.rounded(k << cell_bits, GUARD) for k in range(words + 1)]
    rises = tuple(b - a for a, b in pairwise(nodes))
    return Table(cell_bits=cell_bits, values=tuple(nodes[:-1]), rises=rises)


def _plain(curve: "_Curve", most: int, cell_bits: int) -> Table:
    last = min(most >> cell_bits, (curve.reach(0) >> cell_bits) + 1)
    width = (1 << cell_bits) - 1
    values = (curve.halfway(k << cell_bits, (k << cell_bits) + width) for k in range(last + 1))
    return Table(cell_bits=cell_bits, values=tuple(values))


class _Curve:
    """A function of input codes ``x >= 0`` in output codes."""

    def __init__(self, function: str, frac_in: int, frac_out: int):
        self.tanh = function == "tanh"
        self.frac_in = frac_in
        self.frac_out = frac_out

    def at(self, code: int) -> Decimal:
        """Exact, as far as the digits go."""
        with localcontext(prec=_DIGITS):
            x = Decimal(code) * Decimal(2) ** -self.frac_in
            falling = (-2 * x if self.tanh else -x).exp()
            one = Decimal(1 << self.frac_out)
            return one * ((1 - falling) if self.tanh else 1) / (1 + falling)

    def rounded(self, code: int, guard: int) -> int:
        """To ``guard`` more fraction bits, half up."""
        with localcontext(prec=_DIGITS):
            return int(self.at(code) * 2**guard + Decimal("0.5"))

    def halfway(self, first: int, last: int) -> int:
        """The output code halfway between the values at two codes."""
        with localcontext(prec=_DIGITS):
            return int((self.at(first) + self.at(last)) / 2 + Decimal("0.5"))

    def reach(self, guard: int) -> int:
        """First input code from which values round to 1."""
        with localcontext(prec=_DIGITS):
            ratio = Decimal(2 ** (self.frac_out + guard + 1 + self.tanh) - 1).ln()
            x = (ratio / 2 if self.tanh else ratio) * Decimal(2) ** self.frac_in
            return int(x) + 1
