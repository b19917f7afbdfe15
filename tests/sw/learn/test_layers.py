# SPDX-License-Identifier: Apache-2.0
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikewright.learn.layers import (
    LAYERS,
    Alif,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Gru,
    HardTanh,
    Layer,
    Leaky,
    LeakyRelu,
    Lif,
    Lstm,
    Maxout,
    MaxPool2d,
    RecurrentLif,
    Relu,
    Rnn,
    Sigmoid,
    SignedRelu,
    Tanh,
)
from spikewright.learn.tape import Tape, Value
from spikewright.sim.errors import FormatError, ProgramError

EVERY: list[Layer] = [
    Dense(3, 2),
    Maxout(3, 2, 4),
    Conv2d(2, 4, (3, 2), stride=(1, 2), padding=1),
    MaxPool2d(2),
    AvgPool2d((2, 3), stride=1),
    Flatten(),
    Relu(),
    SignedRelu([1, -1, -1]),
    LeakyRelu(0.25),
    HardTanh(2.0),
    Sigmoid(),
    Tanh(),
    Dropout(0.3),
    BatchNorm(3, 0.2, 1e-3),
    Leaky(4, 0.05),
    Lif(4, 0.01, 0.5, "zero", 25.0, "arctan"),
    Alif(4, adaptation=0.3, tau_adaptation=0.1),
    RecurrentLif(4, 0.01, 0.5, "zero", adaptation=0.2),
    Rnn(3, 2),
    Lstm(3, 2, masked=True),
    Gru(3, 2, masked=True, sequence=True),
]


@pytest.mark.parametrize("layer", EVERY, ids=repr)
def test_options_rebuild_the_layer(layer: Layer) -> None:
    again = LAYERS[type(layer).__name__](**json.loads(json.dumps(layer.options())))
    assert again.options() == layer.options()
    assert repr(again) == repr(layer)
    assert [a.shape for a in again.parameters()] == [a.shape for a in layer.parameters()]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Dense(3, 2), (3,)),
        (Maxout(3, 2, 3), (3,)),
        (Conv2d(2, 3, 2, stride=2, padding=1), (2, 3, 5)),
        (BatchNorm(2), (2, 3, 2)),
        (Rnn(3, 2), (4, 3)),
        (Lstm(3, 2, sequence=True), (4, 3)),
        (Gru(3, 2), (4, 3)),
    ],
    ids=repr,
)
def test_every_trained_array_has_its_gradient(
    check_gradients: Callable[..., None], layer: Any, shape: tuple[int, ...], training: bool
) -> None:
    """The tape takes the layer's arrays for those that are checked: they are the same objects."""
    rng = np.random.default_rng(2)
    for name, array in list(vars(layer).items()):
        if isinstance(array, np.ndarray):
            setattr(layer, name, rng.uniform(0.2, 1.0, array.shape) * rng.choice([-1, 1]))
    if isinstance(layer, BatchNorm):
        layer.variance = np.abs(layer.variance)

    def record(x: Value, *_: Value) -> Value:
        x.tape.training = training
        return layer.record(x, dt=1e-3, steps=1)

    check_gradients(record, rng.normal(size=(4, *shape)), *layer.parameters())


def test_every_layer_is_tried_here() -> None:
    assert {type(layer) for layer in EVERY} == set(LAYERS.values())


@pytest.mark.parametrize(
    ("layer", "shape", "wanted"),
    [
        (Dense(3, 2), (3,), (2,)),
        (Maxout(3, 2), (3,), (2,)),
        (Conv2d(2, 4, 3), (2, 5, 6), (4, 3, 4)),
        (Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0)), (2, 5, 6), (4, 3, 5)),
        (MaxPool2d(2), (3, 5, 6), (3, 2, 3)),
        (AvgPool2d((2, 3), stride=1), (3, 5, 6), (3, 4, 4)),
        (Flatten(), (3, 5, 6), (90,)),
        (Tanh(), (3, 5, 6), (3, 5, 6)),
        (BatchNorm(3), (3,), (3,)),
        (BatchNorm(3), (3, 5, 6), (3, 5, 6)),
        (Lif(90), (3, 5, 6), (3, 5, 6)),
        (Leaky(9), (9,), (9,)),
        (RecurrentLif(9), (9,), (9,)),
        (Lstm(3, 2), (7, 3), (2,)),
        (Lstm(3, 2, masked=True), (7, 4), (2,)),
        (Gru(3, 2, sequence=True), (7, 3), (7, 2)),
        (Rnn(3, 2, masked=True, sequence=True), (7, 4), (7, 3)),
    ],
)
def test_shapes_follow(layer: Layer, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    assert layer.out_shape(shape) == wanted
    tape = Tape()
    lead = (5,)
    y = layer.record(tape.constant(np.zeros((*lead, *shape), np.float32)), dt=1e-3, steps=4)
    steps = (4,) if isinstance(layer, Leaky | RecurrentLif) else ()
    assert y.data.shape == (*steps, *lead, *wanted)


@pytest.mark.parametrize(
    ("layer", "shape", "sentence"),
    [
        (Dense(3, 2), (4,), "Dense(3, 2) takes 3 values, not 4"),
        (
            Dense(3, 2),
            (1, 3, 1),
            "Dense(3, 2) takes 3 values, not images of (1, 3, 1): put Flatten before it",
        ),
        (
            Dense(3, 2),
            (5, 3),
            "Dense(3, 2) takes 3 values, not sequences of (5, 3): let it follow the last state",
        ),
        (
            Conv2d(1, 2, 3),
            (9,),
            (
                "Conv2d(1, 2, (3, 3)) takes images (channels, rows, columns), not (9,): give the "
                "network their shape, such as shape=(1, 28, 28)"
            ),
        ),
        (Conv2d(1, 2, 3), (2, 9, 9), "Conv2d(1, 2, (3, 3)) takes 1 channels, not 2"),
        (
            MaxPool2d(4),
            (1, 3, 9),
            "Window of (4, 4) must fit the padded image of (3, 9): make it smaller",
        ),
        (BatchNorm(3), (4,), "BatchNorm(3) takes 3 values or channels, not (4,)"),
        (
            Dropout(),
            (4, 3),
            "Dropout(rate=0.5) takes values or images, not sequences of (4, 3)",
        ),
        (
            Gru(3, 2, masked=True),
            (7, 3),
            (
                "Gru(3, 2) takes sequences (steps, 4), not (7, 3): give the network their shape, "
                "such as shape=(20, 4)"
            ),
        ),
    ],
)
def test_misfits_are_refused(layer: Layer, shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(FormatError, match=f"^{re.escape(sentence)}$"):
        layer.out_shape(shape)


def test_maxout_is_the_largest_of_its_pieces() -> None:
    layer, x = Maxout(3, 2, 4), np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    layer.draw(np.random.default_rng(0))
    layer.bias[...] = np.random.default_rng(2).normal(size=8)
    y = layer.record(Tape().constant(x), dt=1e-3, steps=1).data
    pieces = (x @ layer.weight.T + layer.bias).reshape(5, 2, 4)
    np.testing.assert_allclose(y, pieces.max(2), rtol=1e-6)


def test_leak_is_the_exact_discretisation() -> None:
    assert Leaky(1, 0.02).leak(1e-3) == pytest.approx(1 - math.exp(-0.05), rel=1e-15)


def test_neurons_without_a_leak_integrate() -> None:
    assert Leaky(3, math.inf).leak(1e-3) == 0
    tape = Tape()
    current = tape.constant(np.array([[0.25, 0.4, -1.0]]))
    voltages = Leaky(3, math.inf).record(current, dt=1e-3, steps=5)
    np.testing.assert_allclose(voltages.data[-1], 5 * current.data)
    spikes = Lif(3, math.inf).record(current, dt=1e-3, steps=8)
    np.testing.assert_array_equal(spikes.data.sum(0), [[2, 3, 0]])
    options = json.loads(json.dumps(Lif(3, math.inf).options()))
    assert Lif(**options) == Lif(3, math.inf)


def test_given_weights_are_not_drawn_again() -> None:
    given, free = Dense(2, 1, weight=[[1.0, 2.0]]), Dense(2, 1)
    for layer in (given, free):
        layer.draw(np.random.default_rng(0))
    np.testing.assert_array_equal(given.weight, [[1, 2]])
    assert free.weight.any()
    drawn = free.weight.copy()
    free.draw(np.random.default_rng(1))
    np.testing.assert_array_equal(free.weight, drawn)


def test_drawn_weights_have_the_stated_variance() -> None:
    layer = Dense(400, 500)
    layer.draw(np.random.default_rng(0), gain=0.25)
    assert layer.weight.var() == pytest.approx(0.25 * 2 / 400, rel=0.02)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: Dense(0, 1), FormatError, "Dense n_in must be a positive integer, not 0"),
        (lambda: Dense(1, 2.0), FormatError, "Dense n_out must be a positive integer, not 2.0"),
        (
            lambda: Dense(2, 1, weight=np.ones((2, 1))),
            FormatError,
            "Dense weight must have shape (1, 2), not (2, 1)",
        ),
        (lambda: Lif(-1), FormatError, "Lif size must be a positive integer, not -1"),
        (
            lambda: Leaky(1, 0.0),
            ProgramError,
            "Membrane time constant must be positive, not 0.0 s",
        ),
        (
            lambda: Lif(1, math.nan),
            ProgramError,
            "Membrane time constant must be positive, not nan s",
        ),
        (
            lambda: Lif(1, threshold=math.inf),
            ProgramError,
            "Threshold must be positive and finite, not inf",
        ),
        (
            lambda: Lif(1, slope=-1.0),
            ProgramError,
            "Surrogate slope must be positive and finite, not -1.0",
        ),
        (
            lambda: Lif(1, reset="none"),
            ProgramError,
            "Reset must be subtract or zero, not 'none'",
        ),
        (
            lambda: Lif(1, surrogate="step"),
            ProgramError,
            "Surrogate must be fast-sigmoid, arctan or triangular, not 'step'",
        ),
        (
            lambda: Alif(1, adaptation=-1.0),
            ProgramError,
            "Adaptation must be positive and finite, not -1.0",
        ),
        (
            lambda: Alif(1, tau_adaptation=0),
            ProgramError,
            "Adaptation time constant must be positive and finite, not 0 s",
        ),
        (
            lambda: RecurrentLif(2, weight=np.ones(2)),
            FormatError,
            "RecurrentLif weight must have shape (2, 2), not (2,)",
        ),
        (lambda: Maxout(2, 1, 0), FormatError, "Maxout pieces must be a positive integer, not 0"),
        (
            lambda: Conv2d(1, 1, (3, 0)),
            FormatError,
            "Conv2d size must be a positive integer, not 0",
        ),
        (
            lambda: Conv2d(1, 1, (1, 2, 3)),
            FormatError,
            "Conv2d size must be one integer or two, not (1, 2, 3)",
        ),
        (
            lambda: Conv2d(1, 1, 3, padding=-1),
            FormatError,
            "Conv2d padding must be an integer from 0, not -1",
        ),
        (lambda: AvgPool2d(0), FormatError, "AvgPool2d size must be a positive integer, not 0"),
        (
            lambda: LeakyRelu(1.0),
            ProgramError,
            "Slope must be at least -1 and below 1, not 1.0",
        ),
        (lambda: HardTanh(0), ProgramError, "Limit must be positive and finite, not 0"),
        (
            lambda: Dropout(1.0),
            ProgramError,
            "Dropout rate must be at least 0 and below 1, not 1.0",
        ),
        (
            lambda: BatchNorm(3, momentum=0),
            ProgramError,
            "BatchNorm momentum must be above 0, at most 1, not 0",
        ),
        (
            lambda: BatchNorm(3, epsilon=0),
            ProgramError,
            "BatchNorm epsilon must be positive and finite, not 0",
        ),
        (lambda: Lstm(0, 2), FormatError, "Lstm n_in must be a positive integer, not 0"),
    ],
)
def test_constructors_refuse(
    make: Callable[[], object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(sentence)}$"):
        make()


def test_weights_must_be_finite() -> None:
    with pytest.raises(
        FormatError, match=r"^Dense weight must be finite, and 1 of its 6 values are not$"
    ):
        Dense(3, 2, weight=np.array([[1, 2, np.nan], [0, 0, 0]]))
