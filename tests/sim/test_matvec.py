# SPDX-License-Identifier: Apache-2.0
"""Matrix-vector products against sums over Python integers."""

import numpy as np
import pytest
from bench.codes import golden_run, random_inputs, random_tensors
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.errors import FormatError
from spikewright.sim.event_matvec import EventMatVec
from spikewright.sim.fixed import QFormat
from spikewright.sim.matvec import MatVec
from spikewright.sim.ports import SPIKE, Kind

formats = st.builds(
    QFormat, width=st.integers(1, 16), frac=st.integers(-2, 12), signed=st.booleans()
)
sizes = st.integers(1, 7)


def product(
    weights: list[list[int]], biases: list[int] | None, vector: list[int]
) -> tuple[list[int], list[int]]:
    """Result, and every sum on the way to it."""
    result, sums = [], []
    for row, weight in enumerate(weights):
        total = biases[row] if biases else 0
        sums.append(total)
        for w, x in zip(weight, vector, strict=True):
            total += w * x
            sums.append(total)
        result.append(total)
    return result, sums


@given(sizes, sizes, formats, formats, st.none() | st.integers(1, 32), st.integers(0, 2**32))
def test_sums_of_products(
    rows: int, columns: int, x: QFormat, w: QFormat, bias: int | None, seed: int
) -> None:
    primitive = MatVec(
        rows=rows,
        columns=columns,
        input=x,
        weight_format=w,
        weight="w",
        bias=None if bias is None else "b",
        bias_width=bias or 32,
    )
    rng = np.random.default_rng(seed)
    tensors = random_tensors(rng, primitive)
    (vectors,) = random_inputs(rng, primitive, 3, 2)
    (got,) = golden_run(primitive, tensors, [vectors])
    biases = None if bias is None else tensors["b"].tolist()
    assert primitive.accumulator.frac == x.frac + w.frac
    for frame, results in zip(vectors.tolist(), got.tolist(), strict=True):
        for vector, result in zip(frame, results, strict=True):
            expected, sums = product(tensors["w"].tolist(), biases, vector)
            assert result == expected
            assert primitive.accumulator.holds(sums)


@given(sizes, formats, formats, st.none() | st.integers(1, 32))
def test_accumulator_is_as_narrow_as_the_formats_allow(
    columns: int, x: QFormat, w: QFormat, bias: int | None
) -> None:
    primitive = MatVec(
        rows=1,
        columns=columns,
        input=x,
        weight_format=w,
        weight="w",
        bias=None if bias is None else "b",
        bias_width=bias or 32,
    )
    ends = [a * b for a in (w.lo, w.hi) for b in (x.lo, x.hi)]
    lo, hi = columns * min(0, *ends), columns * max(0, *ends)
    if bias is not None:
        lo, hi = lo - 2 ** (bias - 1), hi + 2 ** (bias - 1) - 1
    fmt = primitive.accumulator
    assert fmt.holds([lo, hi])
    assert fmt.width == 1 or not QFormat(width=fmt.width - 1).holds([lo, hi])


@given(sizes, sizes, formats, st.booleans(), st.integers(0, 2**32))
def test_events_and_dense_spikes_are_one_function(
    rows: int, columns: int, w: QFormat, bias: bool, seed: int
) -> None:
    fields = {
        "rows": rows,
        "columns": columns,
        "weight_format": w,
        "weight": "w",
        "bias": "b" if bias else None,
    }
    dense, event = MatVec(input=SPIKE, **fields), EventMatVec(**fields)
    rng = np.random.default_rng(seed)
    tensors = random_tensors(rng, dense)
    inputs = random_inputs(rng, dense, 2, 3)
    assert np.array_equal(golden_run(dense, tensors, inputs), golden_run(event, tensors, inputs))
    assert event.ports().inputs["x"].kind is Kind.EVENT
    assert event.ports().outputs == dense.ports().outputs
    assert event.tensors() == dense.tensors()


GOOD = {
    "rows": 2,
    "columns": 3,
    "input": QFormat(width=8),
    "weight_format": QFormat(width=8),
    "weight": "w",
    "bias": "b",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "MatVec rows must be a positive integer, not 0"),
        ({"columns": -1}, "MatVec columns must be a positive integer, not -1"),
        (
            {"weight_format": QFormat(width=33)},
            "Weight width must be between 1 and 32, not 33",
        ),
        ({"bias_width": 40}, "Bias width must be between 1 and 32, not 40"),
        (
            {"input": QFormat(width=32), "weight_format": QFormat(width=32)},
            (
                "Accumulator would need 65 bits, and 64 is the limit: "
                "use narrower weights or activations"
            ),
        ),
        (
            {"bias": "w"},
            "MatVec tensor w must have one shape and format, not (2, 3) of s8.0 and (2,) of s32.0",
        ),
    ],
)
def test_what_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        MatVec(**{**GOOD, **change})
    assert str(caught.value) == message


def test_events_are_spikes() -> None:
    with pytest.raises(
        FormatError, match=r"^EventMatVec input must be a spike \(u1\.0\), not s8\.0$"
    ):
        EventMatVec(**GOOD)
    with pytest.raises(FormatError, match=r"^EventMatVec rows must be a positive integer, not 0$"):
        EventMatVec(**{**GOOD, "input": SPIKE, "rows": 0})
