# SPDX-License-Identifier: Apache-2.0
"""Products of the weights of several lanes with one operand that they share."""

from collections.abc import Sequence

from amaranth import C, Cat, Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.family import Family, family_of
from spikewright.hw.cells.multiplier import Multiplier
from spikewright.hw.glue.flow import delayed

NARROW = 2
"""Widest weight or operand, in bits, that takes no multiplier."""


def product_shape(weight: Shape, x: Shape) -> Shape:
    """Shape of one product."""
    return (Signal(weight) * Signal(x)).shape()


def latency(weight: Shape, x: Shape) -> int:
    """Cycles from operands to products."""
    return 1 if min(weight.width, x.width) <= NARROW else Multiplier.latency + 1


def packing(weight: Shape, x: Shape, family: Family | None) -> int:
    """Products that one multiplier of a family makes: 2 where the weights of two lanes fit in one.

    Both are operands of the same ``x``: ``(w1 * 2**s + u0) * x``, with ``s`` bits for ``u0 * x``;
    ``u0`` is ``w0`` without its sign, so that the operand is no wider than its parts.
    """
    if family is None or min(weight.width, x.width) <= NARROW:
        return 1
    narrow, wide = sorted(family.multiplier)
    fits = x.width + 2 * weight.width <= wide and x.width + (not x.signed) <= narrow
    return 2 if fits and weight.signed else 1


class Products(wiring.Component):
    """``product_k = weight_k * x`` for each lane, :func:`latency` cycles later, without pause.

    Operands of at most two bits take no multiplier. Two lanes share one where the part's is wide
    enough (:func:`packing`).

    Parameters
    ----------
    weight, x : Shape
    lanes : int

    Members
    -------
    weight_K : In
    x : In
    product_K : Out
    """

    x: Signal

    def __init__(self, weight: Shape, x: Shape, *, lanes: int):
        self.weight = weight
        self.shape = product_shape(weight, x)
        self.lanes = lanes
        super().__init__(
            {
                "x": In(x),
                **{f"weight_{k}": In(weight) for k in range(lanes)},
                **{f"product_{k}": Out(self.shape) for k in range(lanes)},
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        weights = [getattr(self, f"weight_{k}") for k in range(self.lanes)]
        if min(self.weight.width, len(self.x)) <= NARROW:
            for k, weight in enumerate(weights):
                self._give(m, k, _narrow(weight, self.x))
            return m
        x = Signal.like(self.x, reset_less=True)
        m.d.sync += x.eq(self.x)
        packed = packing(self.weight, x.shape(), family_of(platform))
        for start in range(0, self.lanes, packed):
            self._share(m, start, weights[start : start + packed], x)
        return m

    def _share(self, m: Module, start: int, weights: Sequence[Signal], x: Signal) -> None:
        """One multiplier for the weights of one lane or two."""
        operand: Value = weights[0]
        if len(weights) > 1:
            low, high = weights
            space = C(0, len(x))
            operand = Cat(low[:-1], ~low[-1], space, high).as_signed()
        held = Signal(operand.shape(), name=f"operand_{start}", reset_less=True)
        m.d.sync += held.eq(operand)
        m.submodules[f"multiplier_{start}"] = multiplier = Multiplier(held.shape(), x.shape())
        m.d.comb += [multiplier.a.eq(held), multiplier.b.eq(x)]
        if len(weights) == 1:
            m.d.comb += getattr(self, f"product_{start}").eq(multiplier.product)
            return
        shift = len(x) + self.weight.width
        both = multiplier.early
        part = both[:shift].as_signed() if x.shape().signed else both[:shift]
        late = delayed(m, x, Multiplier.latency - 1)
        borrowed = both[shift - 1] if x.shape().signed else C(0, 1)
        self._give(m, start, part - (late << (self.weight.width - 1)))
        self._give(m, start + 1, (both >> shift) + borrowed)

    def _give(self, m: Module, k: int, product: Value) -> None:
        held = Signal(self.shape, name=f"held_{k}", reset_less=True)
        m.d.sync += held.eq(product)
        m.d.comb += getattr(self, f"product_{k}").eq(held)


def _narrow(weight: Signal, x: Signal) -> Value:
    """A product of which one operand has at most two bits, by at most one addition."""
    few, other = sorted((weight, x), key=len)
    parts = [Mux(bit, other << place, 0) for place, bit in enumerate(few)]
    total = parts[0]
    if few.shape().signed:
        parts[-1], total = -parts[-1], -parts[0] if len(parts) == 1 else total
    return total if len(parts) == 1 else total + parts[1]
