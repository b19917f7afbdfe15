# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from spikewright.learn.initialisers import INITIALISERS, coherent
from spikewright.learn.layers import Dense, Gru, Relu
from spikewright.network import Network

N_IN, N_OUT = 300, 500


def draw(name: str, gain: float = 1.0) -> np.ndarray:
    return INITIALISERS[name](np.random.default_rng(0), (N_OUT, N_IN), N_IN, N_OUT, gain)


@pytest.mark.parametrize("gain", [1.0, 0.25])
@pytest.mark.parametrize(
    ("name", "variance", "limit"),
    [
        ("he", 2 / N_IN, math.inf),
        ("glorot", 2 / (N_IN + N_OUT), math.sqrt(6 / (N_IN + N_OUT))),
        ("uniform", 1 / (3 * N_IN), 1 / math.sqrt(N_IN)),
    ],
)
def test_variance_and_range_are_the_stated_ones(
    name: str, variance: float, limit: float, gain: float
) -> None:
    weights = draw(name, gain)
    assert weights.var() == pytest.approx(gain * variance, rel=0.02)
    assert abs(weights.mean()) < 3 * math.sqrt(variance / weights.size)
    largest = np.abs(weights).max()
    assert largest <= limit * math.sqrt(gain)
    assert limit == math.inf or largest > 0.99 * limit * math.sqrt(gain)


def test_coherent_weights_have_their_node_s_sign_and_mean_gain_one() -> None:
    signs = np.where(np.arange(N_OUT) % 3 == 0, -1.0, 1.0)
    rng = np.random.default_rng(0)
    weights = coherent(rng, (N_OUT, N_IN), N_IN, N_OUT, 1.0, signs=signs)
    assert (weights * signs[:, None] >= 0).all()
    gains = np.abs(weights).sum(axis=1)
    assert gains.mean() == pytest.approx(1, rel=0.01)
    # Half-normal: the deviation of a sum of n is sqrt(pi / 2 - 1) / sqrt(n).
    assert gains.std() == pytest.approx(math.sqrt((math.pi / 2 - 1) / N_IN), rel=0.1)


def test_coherent_kernels_have_their_channel_s_sign() -> None:
    signs = np.array([1.0, -1.0, -1.0])
    rng = np.random.default_rng(0)
    kernels = coherent(rng, (3, 2, 4, 5), 40, 60, 1.0, signs=signs)
    assert (kernels * signs[:, None, None, None] > 0).all()


class Signed(Relu):
    """A layer that states the signs of its nodes."""

    signs = np.array([1.0, -1.0, 1.0, -1.0, -1.0])


def test_networks_begin_coherent_but_for_their_first_layer() -> None:
    layers = [Dense(6, 5), Signed(), Dense(5, 5), Signed(), Dense(5, 1)]
    weights = Network(layers, initialiser="coherent", seed=1).parameters()[::2]
    assert (weights[0] > 0).any(axis=1).all()
    assert (weights[0] < 0).any(axis=1).all()
    assert (weights[1] * Signed.signs[:, None] > 0).all()
    assert (weights[2] > 0).all()


def test_networks_take_an_initialiser_by_name() -> None:
    for name in ("glorot", "uniform"):
        weight = Network([Dense(6, 5)], initialiser=name, seed=3).parameters()[0]
        wanted = INITIALISERS[name](np.random.default_rng(3), (5, 6), 6, 5, 1.0)
        np.testing.assert_array_equal(weight, wanted.astype(np.float32))


def test_recurrent_layers_begin_uniform_by_themselves() -> None:
    weights = Network([Gru(4, 9)], shape=(5, 4)).parameters()
    assert 0.45 < np.abs(weights[0]).max() <= 1 / math.sqrt(4)
    assert 0.3 < np.abs(weights[1]).max() <= 1 / math.sqrt(9)
