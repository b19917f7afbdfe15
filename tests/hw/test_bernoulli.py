# SPDX-License-Identifier: Apache-2.0
"""Random spikes in gateware equal the golden ones, whatever the lanes."""

import numpy as np
import pytest
from bench.streams import read_back, simulate
from bench.vectors import compare_with_golden, dense_beats, event_beats
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.bernoulli import Bernoulli
from spikewright.sim import bernoulli
from spikewright.sim.fixed import QFormat
from spikewright.sim.lfsr import seed_of

BYTE = QFormat(width=8, frac=8, signed=False)


def component(size: int, lanes: int, fmt: QFormat = BYTE) -> Bernoulli:
    return Bernoulli(bernoulli.Bernoulli(size=size, input=fmt, seed="seed"), lanes=lanes)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("lanes", range(1, 9))
@pytest.mark.parametrize("size", [8, 13, 16])
def test_a_draw_belongs_to_its_element(size: int, lanes: int, seed: int | None) -> None:
    compare_with_golden(component(size, lanes), seed=seed or 0, stalls=seed is not None)


@settings(max_examples=30)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 15),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([0, 1, 2**31 - 1, seed_of(3)]),
    st.integers(0, 99),
)
def test_any_format(
    size: int, lanes: int, frac: int, whole: int, signed: bool, code: int, seed: int
) -> None:
    dut = component(size, min(lanes, size), QFormat(width=frac + whole, frac=frac, signed=signed))
    compare_with_golden(dut, seed=seed, tensors={"seed": np.array([code])}, steps=4)


def test_a_stream_runs_on() -> None:
    """Without an end the generator never starts anew."""
    dut, p = component(5, 2), np.full((1, 20, 5), 100)
    tensors = {"seed": np.array([seed_of(9)])}
    state, found = dut.primitive.init_state(1), []
    for t in range(20):
        state, (spikes,) = dut.primitive.step(tensors, state, p[:, t])
        found.append(spikes)
    want = event_beats(np.stack(found, axis=1))
    beats = [{**beat, "end": 0} for beat in dense_beats(p, 2)]
    got = simulate(
        dut, {"i_p": beats}, {"o_s": len(want)}, tensors={"host_0": [seed_of(9)]}, stall_seed=1
    )
    assert [(e["index"], e["end_step"]) for e in got["o_s"]] == [
        (e["index"], e["end_step"]) for e in want
    ]
    assert not any(e["end_frame"] for e in got["o_s"])


def test_the_seed_reads_back() -> None:
    assert read_back(component(3, 1), "host_0", 1, tensors={"host_0": [seed_of(5)]}) == [seed_of(5)]
