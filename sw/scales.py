# SPDX-License-Identifier: Apache-2.0
"""Power-of-two scales, chosen on data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat

MIN_BITS, MAX_BITS = 2, 16
"""Widths the quantizer takes for weights and for activations."""
MARGIN = 1.5
"""How far beyond what calibration saw a current or membrane may go before it saturates."""


def check_bits(what: str, bits: int) -> None:
    """Refuse a width that is not between 2 and 16 bits.

    Raises
    ------
    FormatError
    """
    if not isinstance(bits, int | np.integer) or not MIN_BITS <= bits <= MAX_BITS:
        raise FormatError(
            f"{what} width must be between {MIN_BITS} and {MAX_BITS} bits, not {bits!r}"
        )


def quantized(values: NDArray[Any], fmt: QFormat) -> NDArray[np.int64]:
    """Codes of values: rounded half up, then saturated to the format."""
    return fmt.saturate(np.floor(np.ldexp(values, fmt.frac) + 0.5)).astype(np.int64)


def best_frac(values: NDArray[Any], width: int, *, signed: bool) -> int:
    """Fraction bits whose codes are nearest to the values, in the mean of squares.

    The scale that holds the largest value is compared with the three next finer ones, which
    saturate a few values to round all others better.
    """
    values = np.asarray(values, np.float64).ravel()
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return width - signed
    whole = width - signed - int(np.ceil(np.log2(largest)))
    errors = {}
    for frac in range(whole - 1, whole + 4):
        fmt = QFormat(width=width, frac=frac, signed=signed)
        errors[frac] = float(np.square(fmt.decode(quantized(values, fmt)) - values).sum())
    return min(errors, key=lambda frac: (errors[frac], frac))


def width_for(largest: float, frac: int) -> int:
    """Bits of the narrowest signed format that holds ``MARGIN`` times a magnitude."""
    return max(2, int(np.ceil(np.ldexp(MARGIN * largest, frac))).bit_length() + 1)
