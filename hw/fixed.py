# SPDX-License-Identifier: Apache-2.0
"""The rounding and overflow rules of :mod:`spikewright.sim.fixed`, as gateware expressions."""

from amaranth import C, Cat, Module, Mux, Shape, Signal, Value, ValueLike, signed

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


def split(value: ValueLike) -> tuple[Value, Value | None, int]:
    """A value as ``high * 2**below + low``, ``high`` for one multiplier; no ``low`` if it fits."""
    code = as_signed(value)
    below = max(0, len(code) - MULTIPLIER_BITS)
    if not below:
        return Value.cast(value), None, 0
    return code[below:].as_signed(), code[:below], below


def as_signed(value: ValueLike) -> Value:
    """The value with a sign bit."""
    code = Value.cast(value)
    return code if code.shape().signed else Cat(code, C(0, 1)).as_signed()


def plus_shifted(low: ValueLike, high: ValueLike, shift: int) -> Value:
    """``low + high * 2**shift``, in an addition without the bits below the shift."""
    code = as_signed(low)
    wide = Cat(code, code[-1].replicate(max(0, shift + 1 - len(code))))
    return Cat(wide[:shift], wide[shift:].as_signed() + Value.cast(high)).as_signed()


def minus_rounded(value: ValueLike, amount: ValueLike, shift: int) -> Value:
    """``value - ((amount + 2**(shift - 1)) >> shift)``, in one subtraction."""
    return ((Value.cast(value) << 1) - halved(amount, shift)) >> 1
