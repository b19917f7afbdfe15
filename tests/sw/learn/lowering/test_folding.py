# SPDX-License-Identifier: Apache-2.0
import re
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.cost import compare
from spikewright.data import Dataset
from spikewright.learn.layers import (
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Leaky,
    Lif,
    Relu,
    Tanh,
)
from spikewright.learn.lowering.folding import fold
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.errors import ProgramError

RNG = np.random.default_rng(0)
X = RNG.random((70, 18), np.float32)
Y = X[:, :3].argmax(1)


def settled(network: Network) -> Network:
    """Give batch normalisation statistics and factors that are not those it begins with."""
    rng = np.random.default_rng(5)
    for layer in network.layers:
        if isinstance(layer, BatchNorm):
            layer.mean[...] = rng.normal(0, 0.3, layer.size)
            layer.variance[...] = rng.uniform(0.2, 3, layer.size)
            layer.gamma[...] = rng.normal(0, 1, layer.size)
            layer.beta[...] = rng.normal(0, 0.5, layer.size)
        elif isinstance(layer, Dense | Conv2d):
            layer.bias[...] = rng.normal(0, 0.5, layer.bias.shape)
    return network


NETWORKS: list[Callable[[], Network]] = [
    lambda: Network([Dense(18, 9), BatchNorm(9), Relu(), Dropout(), Dense(9, 3), BatchNorm(3)]),
    lambda: Network(
        [Conv2d(2, 4, 2), Dropout(0.1), BatchNorm(4), Tanh(), Flatten(), Dense(16, 3)],
        shape=(2, 3, 3),
    ),
    lambda: Network([Dense(18, 9), BatchNorm(9), Lif(9), Dropout(), Dense(9, 3), Leaky(3)]),
]


@pytest.mark.parametrize("make", NETWORKS)
def test_folded_network_computes_the_same(make: Callable[[], Network]) -> None:
    network = settled(make())
    kept = [array.copy() for array in network.parameters()]
    folded, positions = fold(network)
    assert not any(isinstance(layer, BatchNorm | Dropout) for layer in folded.layers)
    wanted, got = network.forward(X), folded.forward(X)
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    traces = network.trace(X)
    for output, position in zip(folded.trace(X), positions, strict=True):
        np.testing.assert_allclose(output, traces[position], rtol=1e-4, atol=1e-5)
    for array, before in zip(network.parameters(), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_a_network_with_nothing_to_fold_is_itself() -> None:
    network = Network.from_spec("18-9-3")
    assert fold(network) == (network, [0, 1, 2])


def test_options_and_history_survive() -> None:
    network = Network(
        [Dense(18, 3), Dropout(), Lif(3)], readout="count", steps=7, dt=2e-3, encoding="rate"
    )
    network.history.append({"seconds": 1.0})
    folded, _ = fold(network)
    for name in ("dt", "steps", "encoding", "readout", "seed", "history", "n_in", "n_out"):
        assert getattr(folded, name) == getattr(network, name)


def test_normalisation_with_nothing_before_it_is_refused() -> None:
    network = Network([BatchNorm(18), Dense(18, 3)])
    sentence = "Layer 0, BatchNorm(18), must follow Dense or Conv2d to be folded into it"
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        fold(network)
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        quantize(network, calibrate=X)


@pytest.mark.parametrize("spiking", [False, True])
def test_quantize_folds(spiking: bool) -> None:
    hidden: list[Layer] = [Lif(9)] if spiking else [Relu()]
    last: list[Layer] = [Leaky(3)] if spiking else []
    layers = [Dense(18, 9), BatchNorm(9), *hidden, Dropout(0.2), Dense(9, 3), *last]
    network = settled(Network(layers, steps=8, seed=3))
    program = quantize(network, calibrate=X, weight_bits=12, activation_bits=12)
    folded = quantize(fold(network)[0], calibrate=X, weight_bits=12, activation_bits=12)
    assert program.content_hash != ""
    for name, tensor in program.tensors.items():
        np.testing.assert_array_equal(tensor, folded.tensors[name])
    cost = compare(network, program, X, Y)
    assert cost.agreement > 0.9
    assert max(layer.largest_error for layer in cost.layers[-1:]) < 0.2
    Dataset(X, Y, X, Y).check_fits(network)
