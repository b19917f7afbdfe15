# SPDX-License-Identifier: Apache-2.0
import re
from typing import Any

import numpy as np
import pytest

from spikewright.learn.checking import finite_differences
from spikewright.learn.fit import fit
from spikewright.learn.optimise.regularisers import Regularisers
from spikewright.network import Network
from spikewright.sim.errors import ProgramError

X = np.random.default_rng(0).random((60, 6), np.float32)
Y = (X @ np.random.default_rng(1).normal(size=(6, 3))).argmax(1)


def parameters() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=(2, 2, 1, 3))]


def test_penalties_have_the_gradients_of_their_values() -> None:
    regularisers, weights = Regularisers(l1=0.3, l2=0.5), parameters()
    gradients = [np.ones_like(weight) for weight in weights]
    regularisers.gradients(weights, gradients)
    for weight, gradient in zip(weights, gradients, strict=True):
        slopes = finite_differences(lambda: regularisers.penalty(weights), weight)
        np.testing.assert_allclose(gradient - 1, slopes, rtol=1e-6, atol=1e-8)
    assert (gradients[1] == 1).all()


def test_penalties_by_hand() -> None:
    weight, gradient = np.array([[2.0, -3.0]]), np.zeros((1, 2))
    assert Regularisers(l2=0.5).penalty([weight]) == 0.5 / 2 * 13
    assert Regularisers(l1=0.5).penalty([weight]) == 2.5
    Regularisers(l2=0.5).gradients([weight], [gradient])
    np.testing.assert_array_equal(gradient, [[1.0, -1.5]])
    gradient.fill(0)
    Regularisers(l1=0.5).gradients([weight], [gradient])
    np.testing.assert_array_equal(gradient, [[0.5, -0.5]])


def test_clipping_by_hand() -> None:
    gradients = [np.array([[3.0, 0.0]]), np.array([-4.0])]
    Regularisers(clip_norm=2.5).gradients(gradients, gradients)
    np.testing.assert_allclose(gradients[0], [[1.5, 0.0]])
    np.testing.assert_allclose(gradients[1], [-2.0])
    Regularisers(clip_norm=2.6).gradients(gradients, gradients)
    np.testing.assert_allclose(gradients[1], [-2.0])
    Regularisers(clip_value=1.75).gradients(gradients, gradients)
    np.testing.assert_allclose(gradients[0], [[1.5, 0.0]])
    np.testing.assert_allclose(gradients[1], [-1.75])


def test_rows_are_shortened_to_the_norm_and_short_ones_left() -> None:
    weight, bias = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]), np.array([9.0])
    Regularisers(max_norm=2.0).constrain([weight, bias])
    np.testing.assert_allclose(weight, [[1.2, 1.6], [0.3, 0.4], [0, 0]])
    assert bias[0] == 9
    kernels = np.ones((2, 3, 2, 2))
    Regularisers(max_norm=1.0).constrain([kernels])
    np.testing.assert_allclose(np.square(kernels).sum(axis=(1, 2, 3)), 1)


def test_noise_disturbs_weights_and_leaves_what_they_were() -> None:
    weights = [np.zeros((200, 300)), np.zeros(5)]
    kept = Regularisers(weight_noise=0.1).disturb(weights, np.random.default_rng(0))
    assert weights[0].std() == pytest.approx(0.1, rel=0.02)
    assert not weights[1].any()
    assert not kept[0].any()
    assert Regularisers().disturb(weights, np.random.default_rng(0)) == []


def train(**options: Any) -> list[np.ndarray]:
    network = Network.from_spec("6-16-3", seed=1)
    fit(network, X, Y, epochs=20, learning_rate=0.02, seed=2, **options)
    return network.parameters()


def test_fit_applies_them() -> None:
    plain = train()
    size = np.abs(plain[0]).sum()
    assert np.square(train(l2=0.1)[0]).sum() < 0.8 * np.square(plain[0]).sum()
    assert np.abs(train(l1=0.05)[0]).sum() < 0.7 * size
    assert np.sqrt(np.square(train(max_norm=0.4)[0]).sum(axis=1)).max() <= 0.4 + 1e-6
    for options in ({"clip_norm": 0.05}, {"clip_value": 0.01}, {"weight_noise": 0.2}):
        changed = train(**options)
        assert (changed[0] != plain[0]).any()
        np.testing.assert_array_equal(changed[0], train(**options)[0])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"l1": -1.0}, "Option l1 must be at least 0 and finite, not -1.0"),
        ({"weight_noise": np.inf}, "Option weight_noise must be at least 0 and finite, not inf"),
        ({"max_norm": 0.0}, "Option max_norm must be positive and finite, not 0.0"),
        ({"clip_norm": -2}, "Option clip_norm must be positive and finite, not -2"),
        ({"clip_value": np.nan}, "Option clip_value must be positive and finite, not nan"),
    ],
)
def test_numbers_are_checked(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        train(**options)
