# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.layers import BatchNorm, Dropout
from spikewright.learn.ops.normalise import batch_norm, drop
from spikewright.learn.tape import Tape, Value

CALL = {"dt": 1e-3, "steps": 1}


def test_dropped_values_are_zero_and_the_others_grow() -> None:
    tape, x = Tape(training=True), np.ones((100, 200))
    value = tape.parameter(x)
    y = drop(value, 0.3)
    tape.seed(4)
    tape.replay()
    kept = y.data != 0
    assert kept.mean() == pytest.approx(0.7, abs=0.01)
    np.testing.assert_allclose(y.data[kept], 1 / 0.7)
    assert y.data.mean() == pytest.approx(1, abs=0.015)
    tape.backward(ops.total(y))
    np.testing.assert_array_equal(value.gradient(), y.data)


def test_the_key_decides_what_is_dropped() -> None:
    draws = []
    for key in ((1, 2), (1, 2), (1, 3)):
        tape = Tape(training=True)
        y = drop(tape.constant(np.ones((4, 50))), 0.5)
        tape.replay()
        tape.seed(*key)
        tape.replay()
        draws.append(y.data.copy())
        before = y.data.copy()
        tape.replay()
        assert (y.data != before).any()
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_dropout_is_off_in_evaluation() -> None:
    x = Tape().constant(np.ones((3, 4)))
    assert Dropout(0.9).record(x, **CALL) is x
    training = Tape(training=True).constant(np.ones((3, 4)))
    assert Dropout(0.0).record(training, **CALL) is training


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_gradients(check_gradients: Callable[..., None], training: bool) -> None:
    rng = np.random.default_rng(0)
    layer = BatchNorm(2)
    layer.mean[...], layer.variance[...] = [0.5, -1], [2, 0.25]

    def record(x: Value, gamma: Value, beta: Value) -> Value:
        x.tape.training = training
        own = type("Float64", (), {**vars(layer), "gamma": gamma.data, "beta": beta.data})
        return batch_norm(x, own)

    check_gradients(record, rng.normal(size=(4, 2, 3)), rng.normal(size=2), rng.normal(size=2))


def test_batches_are_normalised_and_move_the_running_statistics() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([3.0, -1.0], [2.0, 0.5], (400, 2)).astype(np.float32)
    layer = BatchNorm(2, momentum=0.25)
    tape = Tape(training=True)
    given = tape.constant(np.zeros_like(x))
    y = layer.record(given, **CALL)
    np.testing.assert_array_equal(layer.mean, 0)
    np.testing.assert_array_equal(layer.variance, 1)
    given.data[...] = x
    tape.replay()
    np.testing.assert_allclose(y.data.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(y.data.std(0), 1, rtol=1e-4)
    np.testing.assert_allclose(layer.mean, 0.25 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.variance, 0.75 + 0.25 * x.var(0, ddof=1), rtol=1e-5)
    before = layer.mean.copy()
    still = Tape()
    quiet = layer.record(still.constant(x), **CALL)
    still.replay()
    np.testing.assert_array_equal(layer.mean, before)
    factor, offset = layer.affine()
    np.testing.assert_allclose(quiet.data, x * factor + offset, rtol=1e-5, atol=1e-6)


def test_one_value_has_no_variance_and_moves_nothing() -> None:
    layer, tape = BatchNorm(2), Tape(training=True)
    layer.beta[...] = [3, -2]
    y = layer.record(tape.constant(np.array([[5.0, 7.0]], np.float32)), **CALL)
    tape.replay()
    np.testing.assert_array_equal(y.data, [[3, -2]])
    np.testing.assert_array_equal(layer.mean, 0)
    np.testing.assert_array_equal(layer.variance, 1)


def test_values_per_step_are_normalised_over_steps_and_frames() -> None:
    x = np.random.default_rng(0).normal(2, 3, (6, 5, 4)).astype(np.float32)
    y = BatchNorm(4).record(Tape(training=True).constant(x), **CALL)
    np.testing.assert_allclose(y.data.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(y.data.std((0, 1)), 1, rtol=1e-4)


def test_channels_of_images_are_normalised_over_rows_and_columns() -> None:
    x = np.random.default_rng(0).normal(2, 3, (5, 2, 4, 3)).astype(np.float32)
    for lead in ((5,), (1, 5)):
        y = BatchNorm(2).record(Tape(training=True).constant(x.reshape(*lead, 2, 4, 3)), **CALL)
        flat = y.data.reshape(5, 2, 12).swapaxes(0, 1).reshape(2, -1)
        np.testing.assert_allclose(flat.mean(1), 0, atol=1e-5)
        np.testing.assert_allclose(flat.std(1), 1, rtol=1e-4)
