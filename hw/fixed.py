# SPDX-License-Identifier: Apache-2.0
"""The rounding and overflow rules of :mod:`spikewright.sim.fixed`, as gateware expressions."""

from amaranth import C, Module, Mux, Shape, Signal, Value, ValueLike, signed

from spikewright.sim.fixed import QFormat


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


def minus_rounded(value: ValueLike, amount: ValueLike, shift: int) -> Value:
    """``value - ((amount + 2**(shift - 1)) >> shift)``, in one subtraction."""
    return ((Value.cast(value) << 1) - halved(amount, shift)) >> 1
