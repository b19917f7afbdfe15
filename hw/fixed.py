# SPDX-License-Identifier: Apache-2.0
"""The rounding and overflow rules of :mod:`spikewright.sim.fixed`, as gateware expressions."""

from amaranth import C, Module, Mux, Shape, Signal, Value, ValueLike, signed

from spikewright.sim.fixed import QFormat

MULTIPLIER_BITS = 18
"""Widest signed operand that one multiplier takes on every part."""
MOST_ADDITIONS = 6
"""Most bits that are multiplied by additions and not by a multiplier."""


def shape_of(fmt: QFormat) -> Shape:
    """Shape of a signal that holds codes of a format."""
    return Shape(fmt.width, fmt.signed)


def saturate(m: Module, value: ValueLike, fmt: QFormat) -> Value:
    """Clip to a format by looking at the bits above it; the value gets a signal of its own."""
    given, width = Value.cast(value), fmt.width
    code = Signal(signed(len(given) + (not given.shape().signed)))
    m.d.comb += code.eq(given)
    sign = code[-1]
    if fmt.signed:
        if len(code) <= width:
            return code
        top = code[width - 1 :]
        clipped = Mux(sign, C(fmt.lo, width).as_signed(), C(fmt.hi, width).as_signed())
        return Mux(top.all() | ~top.any(), code[:width].as_signed(), clipped)
    over = code[width:-1].any() if len(code) - 1 > width else C(0, 1)
    return Mux(sign, C(0, width), Mux(over, C(fmt.hi, width), code[:width]))


def halved(value: ValueLike, shift: int) -> Value:
    """``value * 2 >> shift``: codes with one bit below the binary point, for :func:`rounded`."""
    code = Value.cast(value)
    if shift <= 0:
        return code << (1 - shift)
    return code >> (shift - 1)


def rounded(value: ValueLike) -> Value:
    """Drop the one bit below the binary point, rounding half up."""
    return (Value.cast(value) + 1) >> 1


def partial_products(value: ValueLike, factor: ValueLike) -> tuple[Value, Value]:
    """Two addends of ``value * factor``, to be registered before they are added.

    The first takes one multiplier, the second what a wide signed value has below that: few bits in
    additions, more in a multiplier of their own. Synthesis would add them in the same cycle.
    """
    code = Value.cast(value)
    below = max(0, len(code) - MULTIPLIER_BITS)
    high = (code[below:].as_signed() * factor) << below if below else code * factor
    if below > MOST_ADDITIONS:
        return high, code[:below] * factor
    low: Value = C(0)
    for k in range(below):
        low = low + Mux(code[k], Value.cast(factor) << k, 0)
    return high, low


def minus_rounded(value: ValueLike, amount: ValueLike, shift: int) -> Value:
    """``value - ((amount + 2**(shift - 1)) >> shift)``, in one subtraction."""
    return ((Value.cast(value) << 1) - halved(amount, shift)) >> 1
