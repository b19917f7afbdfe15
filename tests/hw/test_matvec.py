# SPDX-License-Identifier: Apache-2.0
"""Gateware products equal the golden ones."""

import numpy as np
import pytest
from bench.codes import random_tensors
from bench.refusals import refusal
from bench.streams import read_back, simulate
from bench.vectors import compare_with_golden, dense_beats
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.event_matvec import EventMatVec
from spikewright.hw.matvec import MatVec
from spikewright.hw.product.mac_row import NEAR
from spikewright.sim import event_matvec, matvec
from spikewright.sim.fixed import QFormat

WEIGHT = QFormat(width=5, frac=3)


def dense(rows: int, columns: int, *, bias: bool = True, **formats: QFormat) -> matvec.MatVec:
    fields = {"input": QFormat(width=6, frac=2), "weight_format": WEIGHT, **formats}
    return matvec.MatVec(
        rows=rows,
        columns=columns,
        weight="w",
        bias="b" if bias else None,
        bias_width=9,
        **fields,
    )


def event(rows: int, columns: int, *, bias: bool = True) -> event_matvec.EventMatVec:
    return event_matvec.EventMatVec(
        rows=rows,
        columns=columns,
        weight_format=WEIGHT,
        weight="w",
        bias="b" if bias else None,
        bias_width=9,
    )


SHAPES = [
    *((1, 1, 1, 1), (1, 7, 1, 1), (6, 1, 1, 1), (6, 1, 6, 1), (6, 1, 6, 6), (7, 5, 1, 1)),
    *((7, 5, 3, 1), (7, 5, 3, 3), (7, 5, 7, 1), (8, 3, 4, 2), (11, 4, 8, 2), (11, 3, 6, 1)),
    *((20, 2, 20, 1), (20, 3, 20, 5), (13, 2, 13, 13), (2 * NEAR + 5, 3, NEAR + 8, 4)),
]
"""Rows, columns, lanes, lanes out."""


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("rows", "columns", "lanes", "lanes_out"), SHAPES)
def test_dense(rows: int, columns: int, lanes: int, lanes_out: int, seed: int | None) -> None:
    component = MatVec(dense(rows, columns), lanes=lanes, lanes_out=lanes_out)
    compare_with_golden(component, seed=seed or 0, stalls=seed is not None)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("rows", "columns", "lanes", "lanes_out"), SHAPES)
def test_events(rows: int, columns: int, lanes: int, lanes_out: int, seed: int | None) -> None:
    component = EventMatVec(event(rows, columns), lanes=lanes, lanes_out=lanes_out)
    compare_with_golden(component, seed=seed or 0, stalls=seed is not None)


formats = st.builds(QFormat, width=st.integers(1, 9), frac=st.integers(-1, 9), signed=st.booleans())


@settings(max_examples=25)
@given(
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 9),
    formats,
    formats,
    st.booleans(),
    st.integers(0, 99),
)
def test_any_dense_shape_and_format(
    rows: int, columns: int, lanes: int, x: QFormat, w: QFormat, bias: bool, seed: int
) -> None:
    primitive = dense(rows, columns, bias=bias, input=x, weight_format=w)
    compare_with_golden(MatVec(primitive, lanes=min(lanes, rows)), seed=seed, frames=2, steps=2)


@settings(max_examples=15)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_any_event_shape(rows: int, columns: int, lanes: int, bias: bool, seed: int) -> None:
    primitive = event(rows, columns, bias=bias)
    compare_with_golden(EventMatVec(primitive, lanes=min(lanes, rows)), seed=seed, frames=2)


def test_accumulators_of_more_than_32_bits() -> None:
    wide = dense(3, 5, input=QFormat(width=32), weight_format=QFormat(width=16))
    assert wide.accumulator.width > 48
    compare_with_golden(MatVec(wide, lanes=2), seed=4)


def test_a_vector_of_spikes_twice_the_same_row_of_sums() -> None:
    # One word of sums: every spike adds to the word that the one before is being written to.
    component = EventMatVec(event(2, 6, bias=False), lanes=2, lanes_out=2)
    spikes = [{"index": k, "end_step": 0, "end_frame": 0} for k in range(6)]
    marker = {"index": 0, "end_step": 1, "end_frame": 1}
    weights = [*range(6), *range(-6, 0)]
    got = simulate(component, {"i_x": [*spikes, marker]}, {"o_y": 1}, tensors={"host_0": weights})
    assert got["o_y"] == [{"data": [15, -21], "first": 1, "last": 1, "end": 1}]


def test_throughput_without_stalls() -> None:
    """A vector takes columns * tiles cycles once the pipeline is full."""
    primitive = dense(6, 8, bias=False)
    vectors = np.zeros((1, 12, 8), np.int64)
    stimuli = {"i_x": dense_beats(vectors, 1, np.random.default_rng(0))}
    zeros = {"host_0": [0] * 48}
    # Loading takes seven cycles a code and some to rewind; 60 cycles are for latency and end.
    limit = 7 * 48 + 20 + 12 * 8 * 3 + 60
    component = MatVec(primitive, lanes=2)
    simulate(component, stimuli, {"o_y": 72}, tensors=zeros, max_cycles=limit)


@pytest.mark.parametrize(
    ("rows", "columns", "lanes"), [*((7, 5, n) for n in (1, 2, 3, 5, 7)), (NEAR + 6, 1, NEAR + 1)]
)
@pytest.mark.parametrize("kind", ["dense", "event"])
def test_parameters_read_back_row_major(kind: str, rows: int, columns: int, lanes: int) -> None:
    primitive = (dense if kind == "dense" else event)(rows, columns)
    component = (MatVec if kind == "dense" else EventMatVec)(primitive, lanes=lanes)
    tensors = random_tensors(np.random.default_rng(lanes), primitive)
    codes = {f"host_{k}": tensors[name].ravel().tolist() for k, name in enumerate(("w", "b"))}
    for host, size in (("host_0", rows * columns), ("host_1", rows)):
        assert read_back(component, host, size, tensors=codes, stall_seed=lanes) == codes[host]


@pytest.mark.parametrize("lanes", [0, -1, 8])
def test_lanes_must_be_in_range(lanes: int) -> None:
    assert refusal(MatVec, dense(7, 5), lanes=lanes) == (
        f"MatVec lanes must be between 1 and its 7 outputs, not {lanes}"
    )
