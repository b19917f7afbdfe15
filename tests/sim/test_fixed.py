# SPDX-License-Identifier: Apache-2.0
"""Formats and rounding against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat, format_for, round_half_up

formats = st.builds(
    lambda signed, width, frac: QFormat(width=min(width, 63 + signed), frac=frac, signed=signed),
    st.booleans(),
    st.integers(1, 64),
    st.integers(-8, 40),
)
shifts = st.integers(-63, 63)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


@given(formats)
def test_range_of_a_format(fmt: QFormat) -> None:
    assert fmt.hi - fmt.lo + 1 == 2**fmt.width
    assert fmt.lo == (-(2 ** (fmt.width - 1)) if fmt.signed else 0)
    assert Fraction(fmt.lsb) == Fraction(2) ** -fmt.frac


@given(formats, st.floats(-(2.0**63), 2.0**63))
def test_encode_rounds_half_up_exactly(fmt: QFormat, value: float) -> None:
    code = half_up(Fraction(value) * Fraction(2) ** fmt.frac)
    if fmt.lo <= code <= fmt.hi:
        assert fmt.encode(value).tolist() == code
    else:
        with pytest.raises(FormatError):
            fmt.encode(value)


@pytest.mark.parametrize("below", [0.5, 1.5, 2.0**52 + 1, -(2.0**52) - 1, 2.0**51 + 0.5])
def test_encode_next_to_a_tie(below: float) -> None:
    fmt = QFormat(width=64)
    for value in (np.nextafter(below, -np.inf), below, np.nextafter(below, np.inf)):
        assert fmt.encode(value).tolist() == half_up(Fraction(float(value)))


@given(formats, st.data())
def test_codes_survive_decoding(fmt: QFormat, data: st.DataObject) -> None:
    limit = 2**53
    codes = st.integers(max(fmt.lo, -limit), min(fmt.hi, limit))
    given_codes = data.draw(st.lists(codes, min_size=1, max_size=5))
    values = fmt.decode(given_codes)
    assert [Fraction(value) for value in values.tolist()] == [
        Fraction(code) * Fraction(2) ** -fmt.frac for code in given_codes
    ]
    assert fmt.encode(values).tolist() == given_codes


@given(formats, st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_saturation_clips_and_holds_says_when(fmt: QFormat, codes: list[int]) -> None:
    clipped = fmt.saturate(np.array(codes, np.int64))
    assert clipped.dtype == np.int64
    assert clipped.tolist() == [max(fmt.lo, min(fmt.hi, code)) for code in codes]
    assert fmt.holds(codes) == (clipped.tolist() == codes)
    assert fmt.holds([])


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 63)), min_size=1))
def test_round_half_up_is_exact_over_all_codes(pairs: list[tuple[int, int]]) -> None:
    codes, bits = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    expected = [half_up(Fraction(code, 2**shift)) for code, shift in pairs]
    assert round_half_up(codes, bits).tolist() == expected


@given(st.integers(0, 63), st.data())
def test_negative_shifts_multiply(shift: int, data: st.DataObject) -> None:
    limit = 2 ** (63 - shift)
    code = data.draw(st.integers(-limit, limit - 1))
    assert round_half_up(np.array([code]), -shift).tolist() == [code << shift]


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(-9, 9))
def test_format_for_is_the_narrowest(one: int, other: int, frac: int) -> None:
    lo, hi = sorted((one, other))
    fmt = format_for(lo, hi, frac)
    assert fmt.signed
    assert fmt.frac == frac
    assert fmt.lo <= lo <= hi <= fmt.hi
    if fmt.width > 1:
        narrower = QFormat(width=fmt.width - 1)
        assert not narrower.lo <= lo <= hi <= narrower.hi


def test_names_of_formats() -> None:
    assert str(QFormat(width=8, frac=4)) == "s8.4"
    assert str(QFormat(width=63, frac=-2, signed=False)) == "u63.-2"


@pytest.mark.parametrize("width", [0, -3, 65])
def test_width_must_be_in_range(width: int) -> None:
    with pytest.raises(
        FormatError, match=rf"^Format width must be between 1 and 64 bits, not {width}$"
    ):
        QFormat(width=width)


def test_unsigned_codes_must_fit_in_64_bit_integers() -> None:
    with pytest.raises(
        FormatError, match=r"^Unsigned format width must be between 1 and 63 bits, not 64$"
    ):
        QFormat(width=64, signed=False)


@pytest.mark.parametrize(
    ("fmt", "values", "message"),
    [
        (QFormat(width=8, frac=4), [1.0, 7.97, -9.0], "s8.4 holds -8 to 7.9375, not 7.97"),
        (QFormat(width=8, frac=4), -8.04, "s8.4 holds -8 to 7.9375, not -8.04"),
        (QFormat(width=4, signed=False), [[-0.6]], "u4.0 holds 0 to 15, not -0.6"),
        (QFormat(width=4), math.nan, "s4.0 holds -8 to 7, not nan"),
        (QFormat(width=4, frac=2), 1e308, "s4.2 holds -2 to 1.75, not 1e+308"),
        (QFormat(width=4), -math.inf, "s4.0 holds -8 to 7, not -inf"),
        (
            QFormat(width=64),
            2.0**63,
            "s64.0 holds -9.22337e+18 to 9.22337e+18, not 9.22337e+18",
        ),
    ],
)
def test_encode_refuses_what_the_format_does_not_hold(
    fmt: QFormat, values: object, message: str
) -> None:
    with pytest.raises(FormatError) as caught:
        fmt.encode(values)
    assert str(caught.value) == message


def test_encode_at_the_ends_of_a_format() -> None:
    fmt = QFormat(width=4, frac=1)
    assert fmt.encode([-4.25, 3.74]).tolist() == [-8, 7]
    assert QFormat(width=64).encode([-(2.0**63)]).tolist() == [-(2**63)]


def test_accumulator_must_fit_in_64_bits() -> None:
    for lo, hi in ((0, 2**63), (-(2**63) - 1, 0)):
        with pytest.raises(
            FormatError,
            match=r"^Accumulator would need 65 bits, and 64 is the limit: "
            r"use narrower weights or activations$",
        ):
            format_for(lo, hi)
