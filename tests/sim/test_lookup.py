# SPDX-License-Identifier: Apache-2.0
"""Tables of curves against the curves: off by an LSB at most, for every input code."""

import math

import numpy as np
import pytest
from bench.codes import golden_run, random_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.lookup import PLAIN_WORDS, Lookup

FUNCTIONS = ("sigmoid", "tanh")


def curve(function: str, x: np.ndarray) -> np.ndarray:
    if function == "tanh":
        return np.tanh(x)
    falling = np.exp(-abs(x))
    return np.where(x >= 0, 1, falling) / (1 + falling)


def errors(primitive: Lookup, codes: np.ndarray) -> np.ndarray:
    """How far results are from the saturated curve, in LSBs of the output."""
    (found,) = golden_run(primitive, {}, [codes[:, None, None]])
    output = primitive.output
    exact = np.ldexp(curve(primitive.function, primitive.input.decode(codes)), output.frac)
    return abs(found[:, 0, 0] - np.clip(exact, output.lo, output.hi))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("width", range(1, 13))
def test_every_code_of_narrow_inputs(function: str, width: int) -> None:
    for signed in (False, True):
        for frac in (-1, *range(2, 14, 3)):
            given_format = QFormat(width=width, frac=frac, signed=signed)
            codes = np.arange(given_format.lo, given_format.hi + 1)
            for frac_out in (0, 3, 8, 16):
                output = QFormat(width=frac_out + 2, frac=frac_out)
                primitive = Lookup(size=1, input=given_format, output=output, function=function)
                assert errors(primitive, codes).max() <= 1, primitive


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("frac_out", range(17))
def test_every_code_of_sixteen_bits(function: str, frac_out: int) -> None:
    given_format = QFormat(width=16, frac=12)
    output = QFormat(width=frac_out + 1 + (frac_out == 0), frac=frac_out)
    primitive = Lookup(size=1, input=given_format, output=output, function=function)
    assert errors(primitive, np.arange(given_format.lo, given_format.hi + 1)).max() <= 1


@settings(max_examples=200)
@given(
    st.sampled_from(FUNCTIONS),
    st.integers(1, 62),
    st.integers(-10, 60),
    st.booleans(),
    st.integers(1, 32),
    st.integers(0, 16),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_any_format(
    function: str,
    width: int,
    frac: int,
    signed: bool,
    width_out: int,
    frac_out: int,
    signed_out: bool,
    seed: int,
) -> None:
    given_format = QFormat(width=width, frac=frac, signed=signed)
    output = QFormat(width=width_out, frac=frac_out, signed=signed_out)
    primitive = Lookup(size=1, input=given_format, output=output, function=function)
    rng = np.random.default_rng(seed)
    # Codes where the curve bends, besides those of the whole range.
    near = np.ldexp(rng.uniform(-12, 12, 500), min(frac, 58)).astype(np.int64)
    codes = np.concatenate([random_codes(rng, given_format, (200,)), given_format.saturate(near)])
    assert errors(primitive, codes).max() <= 1 + 1e-6
    assert len(primitive.table.values) <= 1024


@pytest.mark.parametrize("function", FUNCTIONS)
def test_eight_bits_give_the_nearest(function: str) -> None:
    given_format = QFormat(width=8, frac=4)
    primitive = Lookup(
        size=1, input=given_format, output=QFormat(width=10, frac=8), function=function
    )
    codes = np.arange(-128, 128)
    (found,) = golden_run(primitive, {}, [codes[:, None, None]])
    for code, result in zip(codes.tolist(), found[:, 0, 0].tolist(), strict=True):
        exact = float(curve(function, np.array(code / 16))) * 256
        nearest = math.floor(abs(exact) + 0.5)
        assert result == (nearest if exact >= 0 else -nearest)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("frac_out", [4, 8, 15])
def test_symmetric_and_rising(function: str, frac_out: int) -> None:
    primitive = Lookup(
        size=1,
        input=QFormat(width=15, frac=9),
        output=QFormat(width=frac_out + 2, frac=frac_out),
        function=function,
    )
    codes = np.arange(-(2**14) + 1, 2**14)
    (found,) = golden_run(primitive, {}, [codes[:, None, None]])
    values = found[:, 0, 0]
    assert (np.diff(values) >= 0).all()
    whole = 1 << frac_out if function == "sigmoid" else 0
    off_zero = codes != 0
    assert (values + values[::-1] == whole)[off_zero].all()
    assert (values[0], values[-1]) == ((0 if whole else -(1 << frac_out)), 1 << frac_out)


@pytest.mark.parametrize(
    ("given_format", "output", "words", "interpolates"),
    [
        (QFormat(width=8, frac=4), QFormat(width=8, frac=7), 52, False),
        (QFormat(width=24, frac=14), QFormat(width=8, frac=7), 401, False),
        (QFormat(width=24, frac=14), QFormat(width=10, frac=9), 85, True),
        (QFormat(width=24, frac=14), QFormat(width=17, frac=16), 977, True),
    ],
)
def test_tables_stay_small(
    given_format: QFormat, output: QFormat, words: int, interpolates: bool
) -> None:
    table = Lookup(size=1, input=given_format, output=output, function="tanh").table
    assert len(table.values) == words <= (1024 if interpolates else PLAIN_WORDS)
    assert bool(table.rises) == interpolates


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"function": "relu"},
            "Lookup function must be 'sigmoid' or 'tanh', not 'relu'",
        ),
        (
            {"input": QFormat(width=64)},
            "Lookup input width must be between 1 and 63, not 64",
        ),
        (
            {"output": QFormat(width=8, frac=-1)},
            "Lookup output fraction bits must be between 0 and 16, not -1",
        ),
        (
            {"output": QFormat(width=22, frac=17)},
            "Lookup output fraction bits must be between 0 and 16, not 17",
        ),
    ],
)
def test_refusals(fields: dict[str, object], message: str) -> None:
    given_fields = {
        "size": 1,
        "input": QFormat(width=24, frac=14),
        "output": QFormat(width=8, frac=7),
        "function": "tanh",
        **fields,
    }
    with pytest.raises(FormatError) as caught:
        Lookup(**given_fields)
    assert str(caught.value) == message
