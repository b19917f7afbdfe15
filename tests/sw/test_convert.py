# SPDX-License-Identifier: Apache-2.0
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from spikewright.aware import quantization_aware
from spikewright.convert import to_spiking
from spikewright.data import Dataset, digits
from spikewright.encoding import input_codes
from spikewright.learn.fit import fit
from spikewright.learn.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Leaky,
    Lif,
    MaxPool2d,
    Relu,
    Tanh,
)
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import ProgramError

RNG = np.random.default_rng(0)
X = RNG.random((50, 6), np.float32)


@cache
def learned(images: bool) -> tuple[Network, Dataset]:
    data = digits()
    if images:
        layers = [
            *(Conv2d(1, 8, 3), BatchNorm(8), Relu(), AvgPool2d(2), Conv2d(8, 16, 2), Relu()),
            *(Flatten(), Dropout(0.2), Dense(64, 10)),
        ]
        network = Network(layers, shape=(1, 8, 8))
    else:
        network = Network([Dense(64, 48), Relu(), Dense(48, 32), Relu(), Dense(32, 10)])
    fit(network, data.x_train, data.y_train, epochs=12, batch=16, learning_rate=0.01)
    return network, data


def one_hidden(seed: int = 0) -> Network:
    network = Network([Dense(6, 9), Relu(), Dense(9, 3)], seed=seed)
    for layer in network.layers[::2]:
        layer.bias[...] = np.random.default_rng(2).normal(0, 0.3, layer.bias.shape)
    return network


@pytest.mark.parametrize("centred", [False, True])
def test_spike_counts_are_rounded_activations(centred: bool) -> None:
    """A held current ``a`` fires ``floor(T a)`` times, or ``floor(T a + 1/2)``; at most ``T``."""
    network, steps = one_hidden(), 40
    spiking = to_spiking(network, X, steps=steps, percentile=90, centred=centred)
    activation = network.trace(X)[1].astype(np.float64)
    scaled = steps * activation / np.percentile(activation, 90)
    assert (scaled > steps).any()
    counts = spiking.trace(X)[1].sum(axis=1)
    wanted = np.clip(np.floor(scaled + 0.5 * centred), 0, steps)
    # Within float32 rounding of a whole number, the count may be the next.
    exact = scaled + 0.5 * centred
    clear = (np.abs(exact - np.round(exact)) > 1e-3) | (scaled == 0)
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(counts[clear], wanted[clear])


def test_logits_approach_those_of_the_network() -> None:
    network = one_hidden(3)
    wanted = network.forward(X)
    errors = []
    for steps in (16, 256):
        spiking = to_spiking(network, X, steps=steps, percentile=100)
        errors.append(np.abs(spiking.forward(X) - wanted).max())
    # Counts are off by half a spike at most, and a spike is worth s_1 / T of an activation.
    largest = network.trace(X)[1].max()
    reach = np.abs(network.layers[2].weight).sum(axis=1).max()
    assert errors[1] < 0.51 * reach * largest / 256 + 1e-4
    assert errors[1] < errors[0] / 4


@pytest.mark.parametrize("images", [False, True])
def test_digits_lose_less_than_a_point(images: bool) -> None:
    network, data = learned(images)
    accuracy = network.accuracy(data.x_test, data.y_test)
    assert accuracy > 0.95
    spiking = to_spiking(network, data.x_train[:300], steps=64)
    assert spiking.accuracy(data.x_test, data.y_test) > accuracy - 0.01
    few = to_spiking(network, data.x_train[:300], steps=2)
    assert few.accuracy(data.x_test, data.y_test) < accuracy - 0.01


def test_rates_of_all_layers_are_activations() -> None:
    network, data = learned(images=False)
    x = data.x_test[:60]
    spiking = to_spiking(network, data.x_train[:300], steps=512)
    trace, measured = network.trace(x), network.trace(data.x_train[:300])
    for position in (1, 3):
        scale = np.percentile(measured[position], 99.9)
        rates = spiking.trace(x)[position].mean(axis=1) * scale
        away = np.abs(rates - np.minimum(trace[position], scale))
        assert away.mean() < 0.01 * scale


def test_a_converted_network_becomes_a_program() -> None:
    network, data = learned(images=True)
    spiking = to_spiking(network, data.x_train[:300], steps=48)
    program = quantize(spiking, calibrate=data.x_train[:200], weight_bits=8, per_channel=True)
    x, y = data.x_test[:120], data.y_test[:120]
    classes = Emulator(program).run({"x": input_codes(program, x)})["class"][:, 0]
    assert np.mean(classes == y) > network.accuracy(x, y) - 0.03


def test_spikes_may_enter() -> None:
    network, data = learned(images=False)
    spiking = to_spiking(network, data.x_train[:300], steps=100, encoding="rate")
    assert spiking.spike_input
    accuracy = network.accuracy(data.x_test, data.y_test)
    assert spiking.accuracy(data.x_test, data.y_test) > accuracy - 0.03


def test_what_is_made() -> None:
    network = Network(
        [Conv2d(1, 2, 3), BatchNorm(2), Relu(), Dropout(), AvgPool2d(2), Flatten(), Dense(2, 3)],
        shape=(1, 4, 4),
        seed=5,
    )
    network.history.append({"seconds": 1.0})
    kept = [array.copy() for array in network.parameters()]
    x = RNG.random((20, 16), np.float32)
    spiking = to_spiking(network, x, steps=7, tau=0.05, dt=2e-3)
    assert [type(layer) for layer in spiking.layers] == [
        *(Conv2d, Lif, AvgPool2d, Flatten, Dense, Leaky)
    ]
    assert spiking.layers[1] == Lif(8, 0.05, 1.0, "subtract")
    assert (spiking.steps, spiking.dt, spiking.seed) == (7, 2e-3, 5)
    assert spiking.history == network.history
    for array, before in zip(network.parameters(), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_a_layer_that_never_fires_stays_silent() -> None:
    network = one_hidden()
    network.layers[0].weight[...], network.layers[0].bias[...] = 0, -1
    spiking = to_spiking(network, X, steps=9)
    assert spiking.trace(X)[1].sum() == 0
    np.testing.assert_allclose(spiking.forward(X), network.forward(X), atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "options", "sentence"),
    [
        (
            [Dense(6, 5), Tanh(), Dense(5, 3)],
            {},
            "Layer 1, Tanh(), has no spiking form: use Relu in its place",
        ),
        (
            [Conv2d(1, 2, 2), Relu(), MaxPool2d(1), Flatten(), Dense(4, 3)],
            {},
            (
                "Layer 2, MaxPool2d((1, 1), stride=(1, 1)), has no spiking form: use AvgPool2d or "
                "a stride in its place"
            ),
        ),
        (
            [Dense(6, 5), Relu(), Relu(), Dense(5, 3)],
            {},
            (
                "Layer 2, Relu(), must have a Dense or Conv2d between it and the nonlinearity "
                "before it to become neurons"
            ),
        ),
        (
            [Dense(6, 3), Relu()],
            {},
            "Layers must end in Dense to become a read-out, not Dense, Relu",
        ),
        (
            [Dense(6, 5), Lif(5), Dense(5, 3), Leaky(3)],
            {},
            "Network spikes already: convert one of Dense or Conv2d and Relu",
        ),
        (
            [Dense(6, 3)],
            {"percentile": 0},
            "Percentile must be above 0, at most 100, not 0",
        ),
        (
            [Dense(6, 3)],
            {"encoding": "latency"},
            "Encoding must be current or rate, not 'latency'",
        ),
        (
            [Dense(6, 5), Dense(5, 3)],
            {},
            (
                "Layer 1, Dense(5, 3), must have a Relu between it and the product before it to "
                "have a spiking form"
            ),
        ),
        ([Dense(6, 3)], {"steps": 0}, "Steps must be an integer from 1, not 0"),
    ],
)
def test_what_has_no_spiking_form_is_refused(
    layers: list[Any], options: dict[str, Any], sentence: str
) -> None:
    shape = (1, 3, 2) if isinstance(layers[0], Conv2d) else None
    network = Network(layers, shape=shape)
    make: Callable[..., Network] = to_spiking
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        make(network, X, **{"steps": 4, **options})


def test_a_network_that_rounds_is_refused() -> None:
    aware = quantization_aware(one_hidden(), X)
    sentence = (
        "Network made by quantization_aware has no spiking form: convert the network that it "
        "shares its weights with"
    )
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        to_spiking(aware, X, steps=4)
