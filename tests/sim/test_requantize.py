# SPDX-License-Identifier: Apache-2.0
"""Scaling, rounding and saturation against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from bench.codes import golden_run, random_inputs, random_tensors
from hypothesis import assume, given
from hypothesis import strategies as st

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.requantize import Requantize

formats = st.builds(
    lambda signed, width, frac: QFormat(width=min(width, 63 + signed), frac=frac, signed=signed),
    st.booleans(),
    st.integers(1, 64),
    st.integers(-4, 44),
)


def build(size: int, x: QFormat, y: QFormat, own: bool) -> Requantize | None:
    try:
        return Requantize(size=size, input=x, output=y, shift="s" if own else None)
    except FormatError:
        return None


@given(st.integers(1, 5), formats, formats, st.booleans(), st.integers(0, 2**32))
def test_nearest_value_half_up_saturated(
    size: int, x: QFormat, y: QFormat, own: bool, seed: int
) -> None:
    primitive = build(size, x, y, own)
    assume(primitive is not None)
    rng = np.random.default_rng(seed)
    tensors = random_tensors(rng, primitive)
    (vectors,) = random_inputs(rng, primitive, 4, 2)
    (got,) = golden_run(primitive, tensors, [vectors])
    shifts = tensors["s"].tolist() if own else [0] * size
    for vector, result in zip(
        vectors.reshape(-1, size).tolist(), got.reshape(-1, size).tolist(), strict=True
    ):
        for code, found, shift in zip(vector, result, shifts, strict=True):
            value = Fraction(code) * Fraction(2) ** (y.frac - x.frac - shift)
            nearest = math.floor(value + Fraction(1, 2))
            assert found == max(y.lo, min(y.hi, nearest))


def test_an_unsigned_output_is_relu() -> None:
    primitive = Requantize(
        size=4, input=QFormat(width=12, frac=6), output=QFormat(width=4, frac=2, signed=False)
    )
    (got,) = golden_run(primitive, {}, [np.array([[[-2048, -9, 40, 2047]]])])
    assert got.tolist() == [[[0, 0, 3, 15]]]


@pytest.mark.parametrize(
    ("x", "y", "shift", "message"),
    [
        (
            QFormat(width=60),
            QFormat(width=8, frac=5),
            None,
            "Requantize from s60.0 to s8.5 must fit in 64 bits with shifts of -5 to -5",
        ),
        (
            QFormat(width=63, signed=False),
            QFormat(width=3, frac=1),
            None,
            "Requantize from u63.0 to s3.1 must fit in 64 bits with shifts of -1 to -1",
        ),
        (
            QFormat(width=8, frac=64),
            QFormat(width=8),
            None,
            "Requantize from s8.64 to s8.0 must fit in 64 bits with shifts of 64 to 64",
        ),
        (
            QFormat(width=8, frac=49),
            QFormat(width=8),
            "s",
            "Requantize from s8.49 to s8.0 must fit in 64 bits with shifts of 49 to 64",
        ),
    ],
)
def test_shifts_beyond_64_bits(x: QFormat, y: QFormat, shift: str | None, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        Requantize(size=1, input=x, output=y, shift=shift)
    assert str(caught.value) == message


def test_size_must_be_positive() -> None:
    with pytest.raises(FormatError, match=r"^Port size must be a positive integer, not 0$"):
        Requantize(size=0, input=QFormat(width=8), output=QFormat(width=8)).ports()
