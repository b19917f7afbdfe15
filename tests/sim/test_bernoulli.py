# SPDX-License-Identifier: Apache-2.0
"""Random spikes: which draw is whose, how often they come, and what they share."""

import numpy as np
import pytest
from bench.codes import golden_run
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.bernoulli import Bernoulli
from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.lfsr import advance, seed_of

BYTE = QFormat(width=8, frac=8, signed=False)


def spikes(p: np.ndarray, fmt: QFormat = BYTE, seed: int = seed_of(0)) -> np.ndarray:
    primitive = Bernoulli(size=p.shape[-1], input=fmt, seed="seed")
    (found,) = golden_run(primitive, {"seed": np.array([seed])}, [p])
    return found


@given(st.integers(1, 7), st.integers(1, 4), st.integers(1, 15), st.integers(1, 2**31 - 1))
def test_draw_k_of_step_t_belongs_to_element_k(size: int, steps: int, frac: int, seed: int) -> None:
    fmt = QFormat(width=frac + 2, frac=frac)
    p = np.random.default_rng(seed).integers(fmt.lo, fmt.hi, (2, steps, size), endpoint=True)
    found = spikes(p, fmt, seed)
    state = seed
    for t in range(steps):
        for k in range(size):
            u = state & ((1 << frac) - 1)
            for frame in range(2):
                assert found[frame, t, k] == (u < p[frame, t, k])
            state = advance(state, frac)


def test_never_and_always() -> None:
    fmt = QFormat(width=6, frac=4)
    p = np.tile([-32, -1, 0, 16, 31], (1, 200, 1))
    found = spikes(p, fmt)
    assert found.any(axis=1).tolist() == [[0, 0, 0, 1, 1]]
    assert found.all(axis=1).tolist() == [[0, 0, 0, 1, 1]]


def test_means_are_the_probabilities() -> None:
    p = np.tile(np.arange(256), (1, 2000, 1))
    means = spikes(p).mean(axis=(0, 1))
    wanted = np.arange(256) / 256
    error = np.sqrt(wanted * (1 - wanted) / 2000)
    assert (abs(means - wanted) <= 5 * error).all()
    # All together: the mean of squared errors in units of the expected one is 1.
    z = (means - wanted)[1:] / error[1:]
    assert 0.7 < np.square(z).mean() < 1.3


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 8, 16, 31, 64])
def test_elements_do_not_correlate(distance: int) -> None:
    """Nor steps: the elements of one step follow those of the last in the sequence."""
    found = spikes(np.full((1, 400, 128), 128)).reshape(-1) * 2 - 1
    count = len(found) - distance
    correlation = (found[:count] * found[distance:]).mean()
    assert abs(correlation) < 5 / np.sqrt(count)


def test_zero_counts_as_one() -> None:
    p = np.full((1, 3, 9), 100)
    assert spikes(p, seed=0).tolist() == spikes(p, seed=1).tolist()
    assert spikes(p, seed=0).tolist() != spikes(p, seed=2).tolist()


def test_frames_start_anew_and_a_stream_runs_on() -> None:
    p = np.full((1, 6, 5), 77)
    primitive = Bernoulli(size=5, input=BYTE, seed="seed")
    tensors = {"seed": np.array([seed_of(4)])}
    whole = golden_run(primitive, tensors, [p])[0]
    state, parts = primitive.init_state(1), []
    for t in range(6):
        state, (found,) = primitive.step(tensors, state, p[:, t])
        parts.append(found)
    assert np.array_equal(np.stack(parts, axis=1), whole)
    assert np.array_equal(golden_run(primitive, tensors, [p[:, :2]])[0], whole[:, :2])


@pytest.mark.parametrize("frac", [0, 16])
def test_fraction_bits(frac: int) -> None:
    with pytest.raises(
        FormatError, match=rf"^Bernoulli input fraction bits must be between 1 and 15, not {frac}$"
    ):
        Bernoulli(size=1, input=QFormat(width=8, frac=frac), seed="seed")
