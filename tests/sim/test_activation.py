# SPDX-License-Identifier: Apache-2.0
"""Straight activations against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from bench.codes import golden_run, random_inputs
from hypothesis import assume, given
from hypothesis import strategies as st

from spikewright.sim.activation import Activation
from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat

formats = st.builds(
    lambda signed, width, frac: QFormat(width=min(width, 63 + signed), frac=frac, signed=signed),
    st.booleans(),
    st.integers(1, 64),
    st.integers(-4, 44),
)
slopes = st.sets(st.integers(1, 12), min_size=1, max_size=4).map(lambda s: tuple(sorted(s)))
X, Y = QFormat(width=12, frac=6), QFormat(width=8, frac=4)


def exact(primitive: Activation, x: Fraction) -> Fraction:
    if primitive.function == "leaky_relu":
        return x if x >= 0 else x * sum(Fraction(1, 2**s) for s in primitive.slope)
    if primitive.function == "hard_tanh":
        return max(Fraction(-1), min(Fraction(1), x))
    return Fraction(1 if x >= 0 else -1)


@given(st.sampled_from(["leaky_relu", "hard_tanh", "sign"]), formats, formats, slopes, st.data())
def test_nearest_value_half_up_saturated(
    function: str, x: QFormat, y: QFormat, slope: tuple[int, ...], data: st.DataObject
) -> None:
    slope = slope if function == "leaky_relu" else ()
    try:
        primitive = Activation(size=5, input=x, output=y, function=function, slope=slope)
    except FormatError:
        assume(False)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    (codes,) = random_inputs(rng, primitive, 4, 2)
    (found,) = golden_run(primitive, {}, [codes])
    for code, result in zip(codes.ravel().tolist(), found.ravel().tolist(), strict=True):
        value = exact(primitive, code / Fraction(2) ** x.frac) * Fraction(2) ** y.frac
        assert result == max(y.lo, min(y.hi, math.floor(value + Fraction(1, 2))))


def run(function: str, codes: list[int], output: QFormat, slope: tuple[int, ...] = ()) -> list[int]:
    primitive = Activation(size=len(codes), input=X, output=output, function=function, slope=slope)
    found: list[int] = golden_run(primitive, {}, [np.array([[codes]])])[0].ravel().tolist()
    return found


def test_by_hand() -> None:
    codes = [-2048, -65, -64, -6, -1, 0, 1, 6, 64, 65, 2047]
    assert run("leaky_relu", codes, Y, (2,)) == [-128, -4, -4, 0, 0, 0, 0, 2, 16, 16, 127]
    assert run("hard_tanh", codes, Y) == [-16, -16, -16, -1, 0, 0, 0, 2, 16, 16, 16]
    assert run("sign", codes, Y) == [-16, -16, -16, -16, -16, 16, 16, 16, 16, 16, 16]
    assert run("hard_tanh", codes, QFormat(width=4, frac=3)) == [
        -8,
        -8,
        -8,
        -1,
        0,
        0,
        0,
        1,
        7,
        7,
        7,
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"function": "gelu"},
            "Activation function must be 'leaky_relu' or 'hard_tanh' or 'sign', not 'gelu'",
        ),
        (
            {"function": "leaky_relu"},
            (
                "Activation slope must be given for a leaky_relu and for nothing else, "
                "not () for a leaky_relu"
            ),
        ),
        (
            {"function": "sign", "slope": (1,)},
            (
                "Activation slope must be given for a leaky_relu and for nothing else, "
                "not (1,) for a sign"
            ),
        ),
        (
            {"function": "leaky_relu", "slope": (3, 2)},
            "Activation slope must be shifts between 1 and 31, ascending, not (3, 2)",
        ),
        (
            {"function": "leaky_relu", "slope": (0, 2)},
            "Activation slope must be shifts between 1 and 31, ascending, not (0, 2)",
        ),
        (
            {"function": "sign", "output": QFormat(width=8, frac=7)},
            "Activation sign must have an output that holds -1 and 1, not s8.7",
        ),
        (
            {"function": "sign", "output": QFormat(width=8, frac=-1)},
            "Activation sign must have an output that holds -1 and 1, not s8.-1",
        ),
        (
            {"function": "hard_tanh", "output": QFormat(width=8, frac=-1)},
            "Activation hard_tanh must have an output with at least 0 fraction bits, not s8.-1",
        ),
        (
            {"function": "leaky_relu", "slope": (1, 31), "input": QFormat(width=40, frac=20)},
            "Activation from s40.20 to s8.4 must fit in 64 bits with a shift of 47",
        ),
    ],
)
def test_refusals(fields: dict[str, object], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        Activation(**{"size": 1, "input": X, "output": Y, **fields})
    assert str(caught.value) == message
