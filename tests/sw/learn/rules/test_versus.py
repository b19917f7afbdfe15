# SPDX-License-Identifier: Apache-2.0
"""Several classes, each against the rest."""

import re

import numpy as np
import pytest

from spikewright.data import digits
from spikewright.learn.layers import Dense, SignedRelu
from spikewright.learn.rules.online import OnlineKickback
from spikewright.learn.rules.versus import OneVersusRest
from spikewright.learn.tape import Array
from spikewright.network import Network
from spikewright.sim.errors import DataError, ProgramError


def make(k: int) -> Network:
    layers = [Dense(64, 12), SignedRelu.alternating(12), Dense(12, 8)]
    layers += [SignedRelu.alternating(8), Dense(8, 1)]
    return Network(layers, seed=k, initialiser="coherent")


def some(classes: int) -> tuple[Array, Array, Array, Array]:
    data = digits(seed=0)
    train, test = data.y_train < classes, data.y_test < classes
    return data.x_train[train], data.y_train[train], data.x_test[test], data.y_test[test]


@pytest.mark.parametrize("loss", ["bernoulli", "mse"])
def test_kickback_learns_several_classes(loss: str) -> None:
    x, y, x_test, y_test = some(5)
    versus = OneVersusRest(make, 5)
    histories = versus.fit(x, y, epochs=12, batch=16, learning_rate=3e-3, loss=loss)
    assert len(histories) == 5
    assert all("coherence" in entry for history in histories for entry in history)
    assert versus.accuracy(x_test, y_test) > 0.95
    outputs = versus.forward(x_test)
    assert outputs.shape == (len(x_test), 5)
    for k, network in enumerate(versus.members):
        assert (network.forward(x_test)[:, 0] == outputs[:, k]).all()
    assert (versus.predict(x_test) == outputs.argmax(axis=1)).all()


@pytest.mark.parametrize("loss", ["mse", "squared-hinge"])
def test_so_does_its_integer_form(loss: str) -> None:
    x, y, x_test, y_test = some(3)
    versus = OneVersusRest(lambda k: OnlineKickback(make(k), calibrate=x, loss=loss, seed=k), 3)
    versus.fit(x, y, rates=[5, 6, 7])
    assert versus.accuracy(x_test, y_test) > 0.95


def test_each_member_learns_its_own_class() -> None:
    x, y, *_ = some(3)
    versus = OneVersusRest(make, 3)
    versus.fit(x, y, epochs=8, batch=16, learning_rate=3e-3)
    for k, network in enumerate(versus.members):
        assert np.mean((network.forward(x)[:, 0] > 0) == (y == k)) > 0.95


def test_other_rules_serve_too() -> None:
    x, y, *_ = some(3)
    versus = OneVersusRest(make, 3)
    histories = versus.fit(x, y, epochs=2, rule="backprop")
    assert "coherence" not in histories[0][0]


def test_refused() -> None:
    with pytest.raises(ProgramError, match=r"^Classes must be an integer from 2, not 1$"):
        OneVersusRest(make, 1)
    message = "Network of class 0 must have one output, not 2: the class against the rest"
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        OneVersusRest(lambda k: Network([Dense(3, 2)]), 3)
    versus = OneVersusRest(make, 3)
    x = np.zeros((4, 64))
    message = "y must hold labels from 0 to 2, one per output of the network, not 3"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        versus.fit(x, [0, 1, 2, 3])
    message = (
        "Option checkpoint must be left out: it names one file, and there is a network for each "
        "class"
    )
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        versus.fit(x, [0, 1, 2, 2], checkpoint="c.npz")
    with pytest.raises(DataError, match=r"^y must hold 4 labels, not 3$"):
        versus.accuracy(x, [0, 1, 2])
