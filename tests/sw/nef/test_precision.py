# SPDX-License-Identifier: Apache-2.0
"""Formats that hold what they must, and no more bits than that."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.nef import Precision
from spikewright.nef.precision import LeakCode, encoded, fitting, fractions, states_of
from spikewright.sim.errors import FormatError, ProgramError
from spikewright.sim.fixed import QFormat


@given(width=st.integers(4, 24), largest=st.floats(1e-9, 1e9))
def test_fractions_hold_the_largest_and_waste_no_bit(width: int, largest: float) -> None:
    fmt = fractions(width, largest)
    assert fmt.holds(np.round(np.ldexp(np.array([largest, -largest]), fmt.frac)))
    assert math.ldexp(largest, fmt.frac) >= (1 << (width - 2)) * (1 - 2.0**-width)


@given(leak=st.floats(1e-4, 1))
def test_leak_codes_are_near(leak: float) -> None:
    code = LeakCode.of(leak)
    assert code.value == pytest.approx(leak, rel=1.01e-3)
    assert 16 <= code.frac <= 24


def test_a_state_has_guard_bits_while_32_leave_room() -> None:
    def states(value: QFormat, order: int) -> str:
        return " ".join(map(str, states_of(value, LeakCode.of(0.02), order)))

    assert states(QFormat(width=16, frac=14), 1) == "s24.22"
    assert states(QFormat(width=16, frac=14), 2) == "s32.28 s26.24"
    assert states(QFormat(width=24, frac=22), 2) == "s32.34 s32.30"


def test_values_that_overflow_are_refused_with_the_fraction_that_fits() -> None:
    with pytest.raises(
        FormatError,
        match=r"^Gains reach 3\.2, and s8\.6 holds -2 to 1\.98: use at most 5 fraction bits$",
    ):
        encoded("Gains", np.array([0.1, -3.2]), QFormat(width=8, frac=6))
    assert encoded("Gains", np.array([0.1, -3.2]), fitting(8, 3.2)).tolist() == [3, -102]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"value": 3}, "Precision value must be an integer from 4, not 3"),
        ({"value": 25}, "Precision value must be at most 24 bits, not 25"),
        ({"membrane": 33}, "Precision membrane must be at most 32 bits, not 33"),
        ({"decoder": "16"}, "Precision decoder must be an integer from 4, not '16'"),
        ({"headroom": 0.5}, "Precision headroom must be at least 1 and finite, not 0.5"),
        ({"headroom": "2"}, "Precision headroom must be at least 1 and finite, not '2'"),
        (
            {"learned_range": math.inf},
            "Precision learned_range must be at least 1 and finite, not inf",
        ),
        ({"decoder_frac": 1.5}, "Precision decoder_frac must be an integer or None, not 1.5"),
    ],
)
def test_refused(wrong: Any, sentence: str) -> None:
    with pytest.raises(ProgramError) as caught:
        Precision(**wrong)
    assert str(caught.value) == sentence
