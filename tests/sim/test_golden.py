# SPDX-License-Identifier: Apache-2.0
"""Whole programs against the same network written out in plain Python."""

from typing import Any

import numpy as np
import programs
import pytest

from spikewright.sim import golden
from spikewright.sim.errors import DataError
from spikewright.sim.program import Program


def clip(value: int, lo: int, hi: int) -> int:
    return max(lo, min(hi, value))


def half_up(code: int, shift: int) -> int:
    return (code + (1 << (shift - 1))) >> shift


def product(weights: np.ndarray, biases: np.ndarray, x: list[int]) -> list[int]:
    return [
        int(b) + sum(int(w) * v for w, v in zip(row, x, strict=True))
        for row, b in zip(weights, biases, strict=True)
    ]


def test_mlp() -> None:
    program = programs.mlp()
    inputs = programs.random_inputs(program, 4)
    streams = golden.run(program, inputs)
    t = program.tensors
    for frame, x in enumerate(inputs["x"].tolist()):
        hidden = product(t["fc1.weight"], t["fc1.bias"], x)
        # 8 + 7 fraction bits to 5, unsigned.
        hidden = [clip(half_up(h, 10), 0, 255) for h in hidden]
        logits = product(t["fc2.weight"], t["fc2.bias"], hidden)
        assert streams["relu.y"][frame].tolist() == hidden
        assert streams["fc2.y"][frame].tolist() == logits
        assert streams["argmax.index"][frame].tolist() == [logits.index(max(logits))]


def test_a_delay_gives_what_was_before() -> None:
    program = programs.route_recurrence()
    inputs = programs.random_inputs(program, 3)
    streams = golden.run(program, inputs)
    t = program.tensors
    for frame, steps in enumerate(inputs["x"].tolist()):
        history = [[0] * 6, [0] * 6]
        for step, x in enumerate(steps):
            total = product(t["fc.weight"], t["fc.bias"], x + history[-2])
            history.append([clip(half_up(v, 8), -128, 127) for v in total])
            assert streams["h.y"][frame, step].tolist() == history[-1]
            assert streams["before.y"][frame, step].tolist() == history[-3]


def test_a_spike_arrives_in_the_same_step_and_comes_back_in_the_next() -> None:
    program = programs.spike_recurrence()
    inputs = programs.random_inputs(program, 2)
    streams = golden.run(program, inputs)
    t = program.tensors
    for frame, steps in enumerate(inputs["x"].tolist()):
        before = [0] * 7
        v, a = [0] * 7, [0] * 7
        for step, x in enumerate(steps):
            # 15 and 7 fraction bits to 14.
            fed = [
                clip(half_up(c, 1), -(2**17), 2**17 - 1)
                for c in product(t["fc.weight"], t["fc.bias"], x)
            ]
            back = [c << 7 for c in product(t["back.weight"], t["back.bias"], before)]
            for k in range(7):
                total = v[k] + clip(fed[k] + back[k], -(2**17), 2**17 - 1)
                total -= half_up(3196 * total, 16)
                v[k] = clip(total, -(2**19), 2**19 - 1)
                before[k] = int(v[k] >= int(t["threshold"][k]) + a[k])
                v[k] -= int(t["threshold"][k]) if before[k] else 0
                a[k] += 700 * before[k] - half_up(3196 * a[k], 16)
            assert streams["lif.spike"][frame, step].tolist() == before


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_frames_do_not_know_each_other(name: str) -> None:
    program = programs.PROGRAMS[name]()
    inputs = programs.random_inputs(program, 3, steps=4 if program.steps is None else None)
    together = golden.run(program, inputs)
    for frame in range(3):
        alone = golden.run(program, {k: x[frame : frame + 1] for k, x in inputs.items()})
        for reference, stream in together.items():
            assert np.array_equal(stream[frame], alone[reference][0])


@pytest.mark.parametrize("name", [name for name in programs.PROGRAMS if name.endswith("_stream")])
def test_a_stream_runs_on(name: str) -> None:
    program = programs.PROGRAMS[name]()
    inputs = programs.random_inputs(program, 2, steps=9)
    whole = golden.run(program, inputs)
    state: dict[str, Any] = {}
    parts = [
        golden.run(program, {k: x[:, part] for k, x in inputs.items()}, state=state)
        for part in (slice(0, 1), slice(1, 5), slice(5, 9))
    ]
    for reference, stream in whole.items():
        joined = np.concatenate([part[reference] for part in parts], axis=1)
        assert np.array_equal(stream, joined)


def test_a_frame_may_end_early() -> None:
    program = programs.spike_input(steps=6)
    inputs = programs.random_inputs(program, 2)
    whole = golden.run(program, inputs)
    early = golden.run(program, {"x": inputs["x"][:, :4]})
    assert np.array_equal(early["lif.spike"], whole["lif.spike"][:, :4])
    assert np.array_equal(early["count.n"], whole["lif.spike"][:, :4].sum(1))
    assert np.array_equal(early["last.y"], whole["lif.v"][:, 3])


def test_narrow_integers_do_not_overflow() -> None:
    program = programs.many_ports()
    inputs = programs.random_inputs(program, 2)
    narrow = {name: codes.astype(np.int16) for name, codes in inputs.items()}
    expected, got = golden.run(program, inputs), golden.run(program, narrow)
    for reference, stream in expected.items():
        assert got[reference].dtype == np.int64
        assert np.array_equal(stream, got[reference])


def test_inputs_are_left_alone() -> None:
    program = programs.spike_recurrence()
    inputs = programs.random_inputs(program, 2)
    for array in (*inputs.values(), *program.tensors.values()):
        array.setflags(write=False)
    golden.run(program, inputs)


MANY = programs.many_ports()


def many(**changes: np.ndarray) -> dict[str, np.ndarray]:
    return {**programs.random_inputs(MANY, 2), **changes}


@pytest.mark.parametrize(
    ("program", "inputs", "message"),
    [
        (programs.mlp(), {}, "Input 'x' must be given: the program has ['x']"),
        (
            programs.mlp(),
            {"x": np.zeros((2, 19), np.int64)},
            "Input 'x' must have shape (frames, 20), not (2, 19)",
        ),
        (
            programs.mlp(),
            {"x": np.zeros(20, np.int64)},
            "Input 'x' must have shape (frames, 20), not (20,)",
        ),
        (
            MANY,
            many(c=np.zeros((2, 5), np.int64)),
            "Input 'c' must have shape (frames, steps, 5), not (2, 5)",
        ),
        (
            programs.mlp(),
            {"x": np.full((2, 20), 256)},
            "Input 'x' must lie in 0 to 255 (u8.8), not 256 to 256",
        ),
        (
            programs.mlp(),
            {"x": np.zeros((2, 20))},
            "Input 'x' must hold integer codes, not float64",
        ),
        (
            MANY,
            many(a=np.zeros((3, 5), np.int64)),
            "Inputs must have equal frames and steps, not {2, 3} and {4}",
        ),
        (
            MANY,
            many(d=np.zeros((2, 3, 2), np.int64)),
            "Inputs must have equal frames and steps, not {2} and {3, 4}",
        ),
        (
            programs.spike_input(),
            {"x": np.zeros((2, 7, 10), np.int64)},
            "Frame must have 1 to 6 steps, not 7",
        ),
        (
            programs.spike_input(),
            {"x": np.zeros((2, 0, 10), np.int64)},
            "Frame must have 1 to 6 steps, not 0",
        ),
        (
            programs.route_recurrence(),
            {"x": np.zeros((2, 4, 4), np.int64)},
            (
                "Frame must have 5 steps, not 4: only a program with one per-step input and "
                "without Hold or Delay can end a frame early"
            ),
        ),
    ],
)
def test_wrong_inputs(program: Program, inputs: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError) as caught:
        golden.run(program, inputs)
    assert str(caught.value) == message
