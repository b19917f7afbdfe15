# SPDX-License-Identifier: Apache-2.0
"""Fixed-point formats and the one rounding and one overflow rule of the project."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.sim.errors import FormatError

MAX_WIDTH = 64
"""Widest format, in bits: codes travel as 64-bit integers."""


@dataclass(frozen=True, kw_only=True)
class QFormat:
    """Fixed-point format: ``value = code * 2**-frac``.

    Parameters
    ----------
    width : int
        Total bits, the sign included, 1 to 64 (63 if unsigned).
    frac : int
        Fraction bits; one LSB is worth ``2**-frac``. May be negative or above ``width``.
    signed : bool
        Two's complement if true, else unsigned.

    Raises
    ------
    FormatError
        If the width is out of range.

    Examples
    --------
    >>> QFormat(width=8, frac=4).encode([1.5, -0.03125])
    array([24,  0])
    """

    width: int
    frac: int = 0
    signed: bool = True

    def __post_init__(self) -> None:
        most = MAX_WIDTH if self.signed else MAX_WIDTH - 1
        if not 1 <= self.width <= most:
            what = "Format" if self.signed else "Unsigned format"
            raise FormatError(f"{what} width must be between 1 and {most} bits, not {self.width!r}")

    @property
    def lo(self) -> int:
        """Smallest code."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest code."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def lsb(self) -> float:
        """Value of one LSB."""
        return 2.0**-self.frac

    def encode(self, values: ArrayLike) -> NDArray[np.int64]:
        """Round values half up to codes.

        Raises
        ------
        FormatError
            If a value rounds to a code outside the format; clip first where that is meant.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.ldexp(np.asarray(values, np.float64), self.frac)
            # Not floor(x + 0.5), whose sum is rounded just below a tie and above 2**52.
            codes = np.floor(scaled)
            codes += scaled - codes >= 0.5
        # Compared below hi + 1: a float holds that power of two, but not hi itself at 64 bits.
        outside = ~((codes >= self.lo) & (codes < self.hi + 1))
        if outside.any():
            worst = np.asarray(values, np.float64)[outside].ravel()[0]
            raise FormatError(
                f"{self} holds {self.lo * self.lsb:g} to {self.hi * self.lsb:g}, not {worst:g}"
            )
        encoded: NDArray[np.int64] = codes.astype(np.int64)
        return encoded

    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """Values of codes: ``codes * 2**-frac``."""
        values: NDArray[np.float64] = np.ldexp(np.asarray(codes, np.float64), -self.frac)
        return values

    def holds(self, codes: ArrayLike) -> bool:
        """Whether every code lies in the format."""
        codes = np.asarray(codes)
        return bool(codes.size == 0 or (codes.min() >= self.lo and codes.max() <= self.hi))

    def saturate(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Clip codes to the format: the one overflow rule where a format narrows."""
        clipped: NDArray[Any] = np.clip(codes, self.lo, self.hi)
        return clipped

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.width}.{self.frac}"


def round_half_up(codes: NDArray[np.int64], shift: ArrayLike) -> NDArray[np.int64]:
    """Drop ``shift`` bits, rounding half up: ``(x + 2**(shift - 1)) >> shift``.

    A negative shift multiplies by a power of two.

    Parameters
    ----------
    codes : (...) ndarray of int64
    shift : int or broadcastable array of int
        Bits to drop, -63 to 63.

    Examples
    --------
    >>> round_half_up(np.array([5, 6, -6, -7]), 2).tolist()
    [1, 2, -1, -2]
    """
    shift = np.asarray(shift, np.int64)
    right, left = np.maximum(shift, 0), np.maximum(-shift, 0)
    # The bit below the new LSB is the half: adding it after the shift cannot overflow.
    half = np.where(right > 0, codes >> np.maximum(right - 1, 0) & 1, 0)
    rounded: NDArray[np.int64] = ((codes << left) >> right) + half
    return rounded


def format_for(lo: int, hi: int, frac: int = 0) -> QFormat:
    """Narrowest signed format that holds every integer from ``lo`` to ``hi``.

    Raises
    ------
    FormatError
        If that takes more than 64 bits.

    Examples
    --------
    >>> format_for(-128, 127)
    QFormat(width=8, frac=0, signed=True)
    """
    width = max((code if code >= 0 else ~code).bit_length() for code in (int(lo), int(hi))) + 1
    if width > MAX_WIDTH:
        raise FormatError(
            f"Accumulator would need {width} bits, and {MAX_WIDTH} is the limit: "
            "use narrower weights or activations"
        )
    return QFormat(width=width, frac=frac)
