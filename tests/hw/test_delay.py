# SPDX-License-Identifier: Apache-2.0
"""What was so many steps ago, zero before; and never ahead of the host."""

import numpy as np
import pytest
from bench.streams import first_divergence, simulate
from bench.vectors import compare_with_golden, dense_beats

from spikewright.hw.delay import Delay
from spikewright.sim import delay
from spikewright.sim.fixed import QFormat

FORMAT = QFormat(width=6)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize(("size", "ago"), [(1, 1), (5, 1), (1, 3), (4, 2), (3, 6)])
def test_frames(size: int, ago: int, steps: int, seed: int | None) -> None:
    component = Delay(delay.Delay(size=size, format=FORMAT, steps=ago), steps=steps)
    compare_with_golden(
        component,
        seed=seed or 0,
        frames=4,
        steps=steps,
        stalls=seed is not None,
        plain_inputs={"frames": 4},
    )


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("ago", [1, 3])
def test_a_stream_does_not_end(ago: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-32, 32, (1, 9, 3))
    beats = [{**beat, "end": 0} for beat in dense_beats(x, 1)]
    y = np.concatenate([np.zeros((1, ago, 3), np.int64), x[:, :-ago]], axis=1)
    want = [{**beat, "end": 0} for beat in dense_beats(y, 1)]
    got = simulate(
        Delay(delay.Delay(size=3, format=FORMAT, steps=ago), steps=None),
        {"i_x": beats},
        {"o_y": 27},
        inputs={"frames": 9},
        stall_seed=seed,
    )
    assert first_divergence(want, got["o_y"]) is None


@pytest.mark.parametrize(("steps", "begun", "vectors"), [(3, 0, 0), (3, 1, 3), (None, 2, 2)])
def test_it_does_not_speak_of_a_frame_that_has_not_begun(
    steps: int | None, begun: int, vectors: int
) -> None:
    """A beat more than expected would be an error of the bench."""
    x = np.zeros((1, vectors, 2), np.int64)
    beats = [{**beat, "end": beat.get("end", 0) if steps else 0} for beat in dense_beats(x, 1)]
    component = Delay(delay.Delay(size=2, format=FORMAT), steps=steps)
    simulate(component, {"i_x": beats}, {"o_y": 2 * vectors}, inputs={"frames": begun})


def test_the_first_vector_comes_before_any_input() -> None:
    component = Delay(delay.Delay(size=4, format=FORMAT), steps=3)
    got = simulate(component, {}, {"o_y": 4}, inputs={"frames": 1})
    assert [beat["data"] for beat in got["o_y"]] == [[0]] * 4


def test_it_takes_each_element_once_that_of_before_was_sent() -> None:
    """In a cycle of few registers the output cannot move on until the input is taken."""
    component = Delay(delay.Delay(size=6, format=FORMAT), steps=2)
    beats = dense_beats(np.arange(12).reshape(1, 2, 6), 1)
    got = simulate(component, {"i_x": beats}, {"o_y": 12}, inputs={"frames": 1}, max_cycles=80)
    assert [beat["data"][0] for beat in got["o_y"]] == [0] * 6 + list(range(6))
