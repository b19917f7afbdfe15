# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from spikewright.learn.layers import Conv2d, Dense, Dropout, Flatten, Tanh
from spikewright.learn.sensitivity import input_gradients
from spikewright.network import Network
from spikewright.sim.errors import ProgramError

X = np.random.default_rng(0).random((4, 18), np.float32)
LABELS = [0, 2, 1, 2]


def network() -> Network:
    layers = [Conv2d(2, 3, 2), Tanh(), Dropout(), Flatten(), Dense(12, 3)]
    return Network(layers, shape=(2, 3, 3), seed=2)


def test_gradients_are_those_of_each_sample_s_loss() -> None:
    net = network()

    def losses(x: np.ndarray) -> np.ndarray:
        logits = net.forward(x).astype(np.float64)
        return np.log(np.exp(logits).sum(1)) - logits[np.arange(4), LABELS]

    got, step = input_gradients(net, X, LABELS), np.float32(2**-6)
    assert got.shape == X.shape
    for k in range(X.shape[1]):
        ends = []
        for sign in (1, -1):
            moved = X.copy()
            moved[:, k] += sign * step
            ends.append(losses(moved))
        np.testing.assert_allclose(got[:, k], (ends[0] - ends[1]) / (2 * step), atol=3e-4)


def test_a_step_along_the_sign_raises_every_loss() -> None:
    net = network()
    worse = X + 0.01 * np.sign(input_gradients(net, X, np.eye(3)[LABELS], loss="mse"))
    wanted = np.eye(3)[LABELS]
    before, after = (np.square(net.forward(x) - wanted).mean(1) for x in (X, worse))
    assert (after > before).all()


def test_random_spikes_have_no_gradient() -> None:
    spiking = Network.from_spec("18-3", neuron="lif", encoding="rate")
    with pytest.raises(
        ProgramError,
        match=r"^Samples that enter as spikes have no gradient: use encoding=\"current\"$",
    ):
        input_gradients(spiking, X, LABELS)
