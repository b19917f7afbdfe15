# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.ops import neurons
from spikewright.learn.ops.quantizing import (
    charging,
    quantized_linear,
    quantized_weights,
    requantize,
    widened,
)
from spikewright.learn.ops.rounding import Grid, Rounded
from spikewright.learn.tape import Tape
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat, round_half_up


def grid(width, frac, *, signed=True, gain=1.0):
    fmt = QFormat(width=width, frac=frac, signed=signed)
    return Grid(gain * 2.0**frac, fmt.lsb, fmt.lo, fmt.hi)


def gradients(result, weights, *values):
    """Gradients of the weighted sum of a result, after a second replay."""
    tape = result.tape
    loss = ops.total(ops.mul(result, tape.constant(weights)))
    for _ in range(2):
        tape.replay()
        tape.backward(loss)
    return [value.gradient().copy() for value in values]


def test_rounding_is_half_up_and_saturates():
    tape = Tape()
    x = tape.parameter(np.array([-0.5, -0.25, -0.24, 0.24, 0.25, 0.75, 1.24, 1.25, 9.0, -9.0]))
    y = requantize(x, lambda: grid(3, 1))
    assert y.data.tolist() == [-0.5, 0, 0, 0, 0.5, 1, 1, 1.5, 1.5, -2]
    assert y.data.dtype == np.float32


def test_requantize_is_that_of_the_golden_model():
    rng = np.random.default_rng(0)
    given, wanted = QFormat(width=30, frac=17), QFormat(width=7, frac=3, signed=False)
    codes = rng.integers(-(1 << 24), 1 << 24, (5, 40))
    # Ties and their neighbours are where roundings differ.
    codes[0] = (np.arange(40) - 20) * (1 << 13)
    codes[1], codes[2] = codes[0] - 1, codes[0] + 1
    golden = sim.Requantize(size=40, input=given, output=wanted)
    _, (expected,) = golden.step({}, {}, codes)
    x = Tape().constant(given.decode(codes))
    y = requantize(x, lambda: grid(7, 3, signed=False))
    assert np.array_equal(y.data, wanted.decode(expected))


def test_gradient_of_a_rectifier_stops_at_zero_and_at_its_limit():
    tape = Tape()
    x = tape.parameter(np.array([-1.0, 0.0, 0.1, 3.0, 3.5, 3.6, 9.0]))
    y = requantize(x, lambda: grid(3, 1, signed=False))
    weights = np.arange(1.0, 8)
    assert gradients(y, weights, x)[0].tolist() == [0, 0, 3, 4, 5, 0, 0]


def test_gradient_of_a_rectifiers_range_is_that_of_trained_thresholds():
    tape = Tape()
    values = np.array([-1.0, 0.3, 1.1, 3.4, 3.6, 9.0])
    x, threshold = tape.parameter(values), tape.parameter(np.array([1.5], np.float32))
    y = requantize(x, lambda: grid(3, 1, signed=False), threshold=threshold)
    weights = np.array([7.0, 2, 3, 5, 11, 13])
    (slope,) = gradients(y, weights, threshold)
    # s ln 2 (round(x/s) - x/s) inside, s ln 2 hi above and 0 below.
    parts = [0, 0.5 - 0.3, 1.0 - 1.1, 3.5 - 3.4, 3.5, 3.5]
    assert slope == pytest.approx(math.log(2) * float(weights @ parts), rel=1e-5)


@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_linear_is_straight_through(gain):
    rng = np.random.default_rng(1)
    w, b = rng.normal(0, 0.3, (4, 6)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    w[0, 0], w[1, 1], w[2, 2], w[3, 3] = 5, 5, -5, -5
    data = rng.integers(0, 8, (7, 6)) / np.float32(8)
    tape = Tape()
    x, weight, bias = tape.variable(data), tape.parameter(w), tape.parameter(b)
    steps, shift = grid(4, 3, gain=gain), grid(20, 6)
    y = quantized_linear(
        x, weight, bias, weights=lambda: steps, biases=lambda: shift, gain=gain, largest=7
    )
    q = np.clip(np.floor(w.astype(np.float64) * gain * 8 + 0.5), -8, 7) / 8
    shifts = np.floor(b.astype(np.float64) * 64 + 0.5) / 64
    assert np.array_equal(y.data, data @ q.T + shifts)
    weights = rng.normal(size=y.data.shape)
    dx, dw, db = gradients(y, weights, x, weight, bias)
    np.testing.assert_allclose(dx, weights @ q, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(db, weights.sum(axis=0), rtol=1e-5, atol=1e-6)
    wanted = gain * weights.T @ data
    codes = np.floor(w.astype(np.float64) * gain * 8 + 0.5)
    outward = ((codes > 7) & (wanted < 0)) | ((codes < -8) & (wanted > 0))
    assert 0 < outward.sum() < ((codes > 7) | (codes < -8)).sum()
    np.testing.assert_allclose(dw, np.where(outward, 0, wanted), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ranges", [1, 3])
@pytest.mark.parametrize("fused", [True, False])
def test_gradient_of_weight_ranges_is_that_of_trained_thresholds(fused, ranges):
    rng = np.random.default_rng(2)
    w = rng.normal(0, 0.5, (3, 5)).astype(np.float32)
    data = rng.integers(0, 8, (7, 5)) / np.float32(8)
    tape, gain = Tape(), 2.0
    weight, threshold = tape.parameter(w), tape.parameter(np.zeros(ranges, np.float32))
    bias = tape.constant(np.zeros(3, np.float32))
    steps, shift = grid(4, 3, gain=gain), grid(20, 6)
    if fused:
        y = quantized_linear(
            tape.constant(data),
            weight,
            bias,
            weights=lambda: steps,
            biases=lambda: shift,
            gain=gain,
            largest=7,
            threshold=threshold,
        )
    else:
        q = quantized_weights(weight, lambda: steps, gain=gain, wide=False, threshold=threshold)
        y = ops.linear(tape.constant(data), q, bias)
    weights = rng.normal(size=y.data.shape)
    (slope,) = gradients(y, weights, threshold)
    scaled = w.astype(np.float64) * gain
    codes = np.floor(scaled * 8 + 0.5)
    rounded = np.clip(codes, -8, 7)
    inside = codes == rounded
    assert 0 < inside.sum() < inside.size
    parts = (weights.T @ data) * (rounded / 8 - scaled * inside) * math.log(2)
    wanted = parts.sum(axis=1) if ranges == 3 else parts.sum()
    np.testing.assert_allclose(slope, wanted, rtol=1e-4)


def test_weights_by_themselves_have_the_same_gradients():
    rng = np.random.default_rng(5)
    w = rng.normal(0, 0.5, (3, 2, 2, 2)).astype(np.float32)
    tape = Tape()
    weight = tape.parameter(w)
    q = quantized_weights(weight, lambda: grid(3, 2, gain=2.0), gain=2.0, wide=True)
    codes = np.floor(w.astype(np.float64) * 8 + 0.5)
    assert np.array_equal(q.data, np.clip(codes, -4, 3) / 4)
    weights = rng.normal(size=w.shape)
    outward = ((codes > 3) & (weights < 0)) | ((codes < -4) & (weights > 0))
    assert outward.any()
    wanted = np.where(outward, 0, 2 * weights)
    np.testing.assert_allclose(gradients(q, weights, weight)[0], wanted, rtol=1e-6)


def test_products_are_short_only_while_float32_holds_them():
    few, many = np.full((2, 1000), 1, np.float32), np.full((2, 1000), 100, np.float32)
    for weight, largest, short in ((few, 255, True), (many, 255, False), (many, 127, True)):
        rounded = Rounded(weight, lambda: grid(8, 0), largest)
        rounded.refresh()
        assert rounded.short() is short


def test_widened_passes_values_and_gradients():
    tape = Tape()
    x = tape.parameter(np.array([0.1, 0.2], np.float32))
    y = widened(x)
    assert y.data.dtype == np.float64
    assert gradients(y, np.array([2.0, 3.0]), x)[0].tolist() == [2, 3]


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("width", [8, 14])
def test_neurons_are_those_of_the_golden_model(width, reset):
    rng = np.random.default_rng(3)
    fmt, code = QFormat(width=width, frac=5), 411
    currents = rng.integers(fmt.lo // 2, fmt.hi // 2, (30, 4, 6))
    golden = sim.Lif(
        size=6,
        input=fmt,
        membrane=fmt,
        leak="leak",
        leak_frac=12,
        threshold="threshold",
        reset="value" if reset == "zero" else "subtract",
        reset_tensor="zero" if reset == "zero" else None,
    )
    tensors = {
        "leak": np.array([code]),
        "threshold": fmt.encode([1.5]),
        "zero": np.zeros(1, np.int64),
    }
    state, wanted = golden.init_state(4), []
    for current in currents:
        state, (spikes,) = golden.step(tensors, state, current)
        wanted.append(spikes)
    steps = Grid(2.0**5, 2.0**-5, fmt.lo, fmt.hi)
    made = neurons.lif(
        Tape().constant(fmt.decode(currents)),
        steps=30,
        leak=code / 4096,
        threshold=1.5,
        reset=reset,
        slope=1.0,
        charge=charging(leak=code / 4096, grid=steps),
    )
    assert 0 < np.mean(wanted) < 1
    assert np.array_equal(made.data, wanted)


def test_charge_rounds_the_leak_half_up():
    v = np.array([[-2.0, -1.0, 1.0, 2.0, 3.0]])
    out = np.empty_like(v)
    charging(leak=0.5, grid=grid(8, 0))(v, np.zeros_like(v), out)
    lost = round_half_up(v.astype(np.int64), 1)
    assert np.array_equal(out, v - lost)
    charging(leak=0.5, grid=grid(3, 0))(v, np.full_like(v, 9), out)
    assert (out == 3).all()
