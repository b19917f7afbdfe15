# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.ops import cells
from spikewright.learn.tape import Tape, Value

STEPS, BATCH, SIZE = 4, 3, 2
MASK = (np.arange(STEPS)[:, None] < [4, 1, 3]).astype(np.float64)[..., None]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def run_rnn(drive: np.ndarray, u: np.ndarray) -> np.ndarray:
    h, states = np.zeros(SIZE), []
    for x in drive:
        h = np.tanh(x + u @ h)
        states.append(h)
    return np.array(states)


def run_lstm(drive: np.ndarray, u: np.ndarray) -> np.ndarray:
    h, c, states = np.zeros(SIZE), np.zeros(SIZE), []
    for x in drive:
        i, f, g, o = np.split(x + u @ h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def run_gru(drive: np.ndarray, u: np.ndarray) -> np.ndarray:
    h, states = np.zeros(SIZE), []
    for x in drive:
        (xr, xz, xn), (ur, uz, un) = np.split(x, 3), np.split(u @ h, 3)
        r, z = sigmoid(xr + ur), sigmoid(xz + uz)
        h = (1 - z) * np.tanh(xn + r * un) + z * h
        states.append(h)
    return np.array(states)


CELLS = [(cells.rnn, run_rnn, 1), (cells.lstm, run_lstm, 4), (cells.gru, run_gru, 3)]


@pytest.mark.parametrize(("cell", "run", "gates"), CELLS)
def test_states_follow_the_equations(
    cell: Callable[..., Value], run: Callable[..., np.ndarray], gates: int
) -> None:
    drive, u = normal(STEPS, BATCH, gates * SIZE), normal(gates * SIZE, SIZE)
    tape = Tape()
    given, weight, mask = (tape.constant(array) for array in (drive, u, MASK))
    whole, masked = cell(given, weight), cell(given, weight, mask)
    for k in range(BATCH):
        wanted = run(drive[:, k], u)
        np.testing.assert_allclose(whole.data[:, k], wanted, rtol=1e-12)
        length = int(MASK[:, k].sum())
        np.testing.assert_allclose(masked.data[:length, k], wanted[:length], rtol=1e-12)
        for state in masked.data[length:, k]:
            np.testing.assert_allclose(state, wanted[length - 1], rtol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("cell", "_run", "gates"), CELLS)
def test_gradients_through_time(
    check_gradients: Callable[..., None],
    cell: Callable[..., Value],
    _run: object,
    gates: int,
    masked: bool,
) -> None:
    def record(drive: Value, weight: Value) -> Value:
        return cell(drive, weight, drive.tape.constant(MASK) if masked else None)

    check_gradients(record, normal(STEPS, BATCH, gates * SIZE), normal(gates * SIZE, SIZE))


@pytest.mark.parametrize(("cell", "_run", "gates"), CELLS)
def test_what_follows_the_end_changes_nothing(
    cell: Callable[..., Value], _run: object, gates: int
) -> None:
    tape, drive = Tape(), normal(STEPS, BATCH, gates * SIZE)
    weight, given = tape.constant(normal(gates * SIZE, SIZE)), tape.parameter(drive)
    y = ops.last(cell(given, weight, tape.constant(MASK)))
    before = y.data.copy()
    tape.backward(ops.total(y))
    assert not given.gradient()[MASK[..., 0] == 0].any()
    drive[MASK[..., 0] == 0] = 7
    tape.replay()
    np.testing.assert_array_equal(y.data, before)
