# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from bench.codes import golden_run, random_inputs
from hypothesis import assume, given
from hypothesis import strategies as st

from spikewright.sim.elementwise import Elementwise
from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat

formats = st.builds(
    QFormat, width=st.integers(1, 32), frac=st.integers(-2, 12), signed=st.booleans()
)


@given(
    st.integers(1, 5),
    formats,
    formats,
    st.sampled_from(["add", "multiply"]),
    st.integers(0, 2**32),
)
def test_exact_results_in_the_narrowest_format(
    size: int, a: QFormat, b: QFormat, operation: str, seed: int
) -> None:
    if operation == "add":
        b = QFormat(width=b.width, frac=a.frac, signed=b.signed)
    assume(operation == "add" or a.signed or b.signed or a.width + b.width < 64)
    primitive = Elementwise(size=size, a=a, b=b, operation=operation)
    x, y = random_inputs(np.random.default_rng(seed), primitive, 2, 2)
    (got,) = golden_run(primitive, {}, [x, y])
    pairs = zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)
    expected = [p + q if operation == "add" else p * q for p, q in pairs]
    assert got.ravel().tolist() == expected
    assert primitive.output.holds(expected)
    assert primitive.output.frac == (a.frac if operation == "add" else a.frac + b.frac)
    corners = [p + q if operation == "add" else p * q for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
    width = primitive.output.width
    assert width == 1 or not QFormat(width=width - 1).holds(corners)


def test_what_is_refused() -> None:
    a, b = QFormat(width=8, frac=2), QFormat(width=8, frac=3)
    wide = QFormat(width=33)
    with pytest.raises(
        FormatError, match=r"^Elementwise operation must be 'add' or 'multiply', not 'max'$"
    ):
        Elementwise(size=1, a=a, b=a, operation="max")
    with pytest.raises(
        FormatError,
        match=r"^Elementwise sum must have equal fraction bits, not s8\.2 and s8\.3: "
        r"put a Requantize before one of them$",
    ):
        Elementwise(size=1, a=a, b=b)
    with pytest.raises(
        FormatError,
        match=r"^Accumulator would need 66 bits, and 64 is the limit: "
        r"use narrower weights or activations$",
    ):
        Elementwise(size=1, a=wide, b=wide, operation="multiply")
