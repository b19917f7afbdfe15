# SPDX-License-Identifier: Apache-2.0
"""Number formats of an ensemble and of what reaches it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import check_count, within
from spikewright.sim.errors import FormatError, ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import MAX_MEMBRANE, leak_format

LEAK_ERROR = 1e-3
"""Largest relative error of a leak as a code, where its bits allow."""
LEAK_FRACS = range(16, 25)
"""Fraction bits that leaks may have, fewest first."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Widths of an ensemble's numbers, in bits, and the room that they leave.

    Parameters
    ----------
    value, encoder, membrane, decoder : int
        Of represented vectors, of encoders times gains, of voltages, and of decoders.
    learned : int
        Of decoders that learn on the hardware: a small error must still move them.
    headroom : float
        Vectors reach so many radii before they saturate, at least 1.
    learned_range : float
        Decoders that learn may grow to so many times the largest that would decode the identity.
    decoder_frac : int, optional
        Fraction bits of decoders as weights, where they are to have a certain format; as many as
        the largest allows if not given.

    Raises
    ------
    ProgramError
        If a width or a factor is out of range.
    """

    value: int = 16
    encoder: int = 16
    membrane: int = 18
    decoder: int = 16
    learned: int = 24
    headroom: float = 2.0
    learned_range: float = 8.0
    decoder_frac: int | None = None

    def __post_init__(self) -> None:
        for name, least, most in (
            ("value", 4, 24),
            ("encoder", 4, 24),
            ("membrane", 8, 32),
            ("decoder", 4, 24),
            ("learned", 8, 32),
        ):
            bits = getattr(self, name)
            check_count(f"Precision {name}", bits, least)
            if bits > most:
                raise ProgramError(f"Precision {name} must be at most {most} bits, not {bits!r}")
        for name in ("headroom", "learned_range"):
            if not within(getattr(self, name), 1, math.inf):
                raise ProgramError(
                    f"Precision {name} must be at least 1 and finite, not {getattr(self, name)!r}"
                )

        if self.decoder_frac is not None and not isinstance(self.decoder_frac, int):
            raise ProgramError(
                f"Precision decoder_frac must be an integer or None, not {self.decoder_frac!r}"
            )

    def values(self, radius: float) -> QFormat:
        """Format of vectors that an ensemble of a radius represents."""
        return fitting(self.value, self.headroom * radius)


def fitting(width: int, largest: float) -> QFormat:
    """Signed format of a width with as many fraction bits as hold a magnitude.

    >>> str(fitting(16, 2.0)), str(fitting(16, 0.3))
    ('s16.14', 's16.16')
    """
    whole = 0 if largest <= 0 else math.ceil(math.log2(largest))
    return QFormat(width=width, frac=width - 1 - whole)


def fractions(width: int, largest: float) -> QFormat:
    """As :func:`fitting`, for codes that must hold the magnitude itself and not only less."""
    found = fitting(width, largest)
    return (
        found if round(math.ldexp(largest, found.frac)) <= found.hi else fitting(width, 2 * largest)
    )


def encoded(what: str, values: NDArray[np.float64], fmt: QFormat) -> NDArray[np.int64]:
    """Codes of values.

    Raises
    ------
    FormatError
        If they overflow the format; with the fraction bits that would hold them.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if not fmt.holds(np.floor(np.ldexp(values, fmt.frac) + 0.5)):
        frac = fractions(fmt.width, largest).frac
        raise FormatError(
            f"{what} reach {largest:.3g}, and {fmt} holds {fmt.lo * fmt.lsb:.3g} to "
            f"{fmt.hi * fmt.lsb:.3g}: use at most {frac} fraction bits"
        )
    return fmt.encode(values)


@dataclass(frozen=True)
class LeakCode:
    """A leak λ as an unsigned code."""

    code: int
    frac: int

    @property
    def value(self) -> float:
        """What λ is."""
        return math.ldexp(self.code, -self.frac)

    @classmethod
    def of(cls, leak: float) -> "LeakCode":
        """Code of a leak from 0 to 1, with the fewest fraction bits that are near enough.

        >>> LeakCode.of(0.0198), LeakCode.of(0.0)
        (LeakCode(code=1298, frac=16), LeakCode(code=0, frac=16))
        """
        found = [cls(int(leak_format(frac).encode(leak)), frac) for frac in LEAK_FRACS]
        near = (c for c in found if abs(c.value - leak) <= LEAK_ERROR * leak)
        return next(near, found[-1])

    @property
    def bits(self) -> float:
        """By how many bits a filter's input is smaller than what the filter holds."""
        return math.log2(1 / self.value)


def states_of(value: QFormat, leak: LeakCode, order: int) -> tuple[QFormat, ...]:
    """Formats of a filter's states: a value's, with guard bits where 32 bits leave room.

    The voltage a leak forgets is rounded, which without guard bits would let small values stand
    still. The first of two stages holds λ times what the second does, and has as many more
    fraction bits but one, which leaves it twice the range. A constant settles within an LSB of the
    value where its width and the guard bits, ``log2(1/λ)`` and 2 (4 of two stages), are at most 32
    together.

    >>> [str(f) for f in states_of(QFormat(width=16, frac=14), LeakCode.of(0.02), 2)]
    ['s32.28', 's26.24']
    """
    guard = min(math.ceil(leak.bits) + 2 * order, MAX_MEMBRANE - value.width)
    last = QFormat(width=value.width + guard, frac=value.frac + guard)
    if order == 1:
        return (last,)
    finer = max(math.floor(leak.bits) - 1, 0)
    return QFormat(width=MAX_MEMBRANE, frac=last.frac + finer), last
