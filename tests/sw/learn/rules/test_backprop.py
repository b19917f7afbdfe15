# SPDX-License-Identifier: Apache-2.0
import math
import re
from typing import Any

import numpy as np
import pytest

from spikewright.data import digits
from spikewright.learn.fit import fit
from spikewright.learn.layers import Dense, Leaky, Lif, Relu
from spikewright.learn.rules.backprop import Backprop
from spikewright.learn.training.loop import History
from spikewright.network import Network
from spikewright.sim.errors import DataError, ProgramError

X = np.random.default_rng(0).random((150, 6), np.float32)
Y = (X @ np.random.default_rng(1).normal(size=(6, 3))).argmax(1)


def weights(network: Network) -> list[np.ndarray]:
    return [parameter.copy() for parameter in network.parameters()]


def test_gradients_equal_backpropagation_by_hand() -> None:
    network = Network([Dense(6, 5), Relu(), Dense(5, 3)])
    rows = np.array([7, 3, 99, 4])
    step = Backprop(network, "cross-entropy").step(X, Y, rows, seed=0)
    w1, b1, w2, b2 = (array.astype(np.float64) for array in network.parameters())
    x, labels = X[rows].astype(np.float64), Y[rows]
    h = np.maximum(x @ w1.T + b1, 0)
    z = h @ w2.T + b2
    shares = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    dz = (shares - np.eye(3)[labels]) / 4
    dh = dz @ w2 * (h > 0)
    expected = [dh.T @ x, dh.sum(0), dz.T @ h, dz.sum(0)]
    for gradient, wanted in zip(step.gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, atol=1e-6)
    assert step.loss == pytest.approx(-np.log(shares[range(4), labels]).mean(), rel=1e-5)


@pytest.mark.parametrize("encoding", ["current", "rate"])
def test_same_seed_gives_the_same_bits_and_another_seed_others(encoding: str) -> None:
    runs = []
    for seed in (1, 1, 2):
        network = Network.from_spec("6-8-3", neuron="lif", steps=5, encoding=encoding)
        history = fit(network, X, Y, epochs=2, seed=seed)
        runs.append((weights(network), [entry["train_loss"] for entry in history]))
    for a, b, c in zip(runs[0][0], runs[1][0], runs[2][0], strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()
    assert runs[0][1] == runs[1][1]


def test_history_and_progress_tell_every_epoch() -> None:
    network, calls = Network.from_spec("6-8-3"), []

    def progress(done: int, total: int, history: History) -> None:
        calls.append((done, total, len(history)))

    history = fit(network, X, Y, epochs=2, batch=50, validation=0.2, progress=progress)
    assert calls == [(1, 6, 0), (2, 6, 0), (3, 6, 0), (4, 6, 1), (5, 6, 1), (6, 6, 1)]
    assert [set(entry) for entry in history] == [
        {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds"}
    ] * 2
    assert history[1]["train_loss"] < history[0]["train_loss"]
    assert all(0 < entry["seconds"] < 60 for entry in history)
    assert all(0 < entry["validation_accuracy"] <= 1 for entry in history)
    more = fit(network, X, Y, epochs=1, validation=0.0)
    assert network.history == history + more
    assert more[0]["validation_loss"] is more[0]["validation_accuracy"] is None


def test_epochs_default_to_enough_updates() -> None:
    batches = 3
    history = fit(Network.from_spec("6-3"), X, Y, batch=50)
    assert len(history) == math.ceil(4000 / batches)


def test_early_stopping_restores_the_best_parameters() -> None:
    def train(epochs: int, patience: int | None) -> tuple[Network, History]:
        network = Network.from_spec("6-32-3")
        options: dict[str, Any] = {"learning_rate": 0.2, "decay": "none", "validation": 0.3}
        labels = np.random.default_rng(5).integers(0, 3, len(X))
        history = fit(network, X, labels, epochs=epochs, patience=patience, **options)
        return network, history

    stopped, history = train(50, patience=3)
    losses = [entry["validation_loss"] for entry in history]
    best = int(np.argmin(losses))
    assert len(history) == best + 4 < 50
    shorter, _ = train(best + 1, patience=None)
    for a, b in zip(stopped.parameters(), shorter.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_mse_learns_targets_and_labels() -> None:
    targets = X @ np.random.default_rng(2).normal(size=(6, 2))
    network = Network([Dense(6, 2)])
    history = fit(network, X, targets, loss="mse", optimiser="sgd", epochs=150, learning_rate=0.2)
    assert history[-1]["validation_loss"] < 0.01 * targets.var()
    assert history[-1]["train_accuracy"] is None
    classifier = Network.from_spec("6-16-3")
    fit(classifier, X, Y, loss="mse", epochs=60, learning_rate=0.02)
    assert classifier.accuracy(X, Y) > 0.9


@pytest.mark.parametrize("readout", ["membrane", "count"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("encoding", ["current", "rate"])
def test_every_spiking_variant_learns(readout: str, reset: str, encoding: str) -> None:
    network = Network.from_spec(
        "6-32-3", neuron="lif", readout=readout, reset=reset, encoding=encoding, steps=15
    )
    fit(network, X, Y, epochs=60, learning_rate=0.01)
    assert network.accuracy(X, Y) > 0.8


def test_defaults_learn_the_digits() -> None:
    pytest.importorskip("sklearn")
    data = digits(seed=3)
    relu = Network.from_spec("64-32-10")
    fit(relu, data.x_train, data.y_train)
    assert relu.accuracy(data.x_test, data.y_test) >= 0.975
    spiking = Network([Dense(64, 64), Lif(64), Dense(64, 10), Leaky(10)])
    fit(spiking, data.x_train, data.y_train, epochs=60)
    assert spiking.accuracy(data.x_test, data.y_test) >= 0.97


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"rule": "magic"},
            "Rule must be backprop, kickback, broadcast, frozen or feedback, not 'magic'",
        ),
        (
            {"optimiser": "lbfgs"},
            "Optimiser must be adam, sgd, nesterov, adagrad, rmsprop or rprop, not 'lbfgs'",
        ),
        ({"loss": "nll"}, "Loss must be cross-entropy, mse, bernoulli, hinge or l1, not 'nll'"),
        ({"decay": "slow"}, "Decay must be cosine, none, step, exponential or linear, not 'slow'"),
        ({"epochs": 0}, "Epochs must be an integer from 1, not 0"),
        ({"batch": 2.5}, "Batch must be an integer from 1, not 2.5"),
        ({"seed": -1}, "Seed must be an integer from 0, not -1"),
        ({"patience": 0}, "Patience must be an integer from 1, not 0"),
        ({"learning_rate": 0}, "Learning rate must be positive and finite, not 0"),
        ({"validation": 1.0}, "Validation share must be at least 0 and below 1, not 1.0"),
        (
            {"validation": 0, "patience": 2},
            "Early stopping needs a validation share above 0, not 0",
        ),
    ],
)
def test_options_are_checked(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        fit(Network.from_spec("6-3"), X, Y, **options)


@pytest.mark.parametrize(
    ("x", "y", "options", "sentence"),
    [
        (X[:, :5], Y, {}, "x must have 6 features, one per input of the network, not 5"),
        (X, Y[:-1], {}, "y must hold 150 labels, not 149"),
        (X, Y[:, None] * 1.0, {"loss": "mse"}, "y must have shape (150, 3), not (150, 1)"),
        (X, np.full((150, 3), np.nan), {"loss": "mse"}, "y must hold finite real numbers"),
        (
            X[:1],
            Y[:1],
            {},
            (
                "Validation share 0.1 of 1 samples leaves none to train on: "
                "give more samples or a smaller share"
            ),
        ),
        (
            X,
            Y,
            {"optimiser": "sgd", "learning_rate": 1e38},
            (
                "Training diverged in epoch 1, beginning in layer 2, Dense(8, 3): "
                "lower the learning rate of 1e+38 or scale the samples"
            ),
        ),
    ],
)
def test_data_are_checked(x: Any, y: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        fit(Network.from_spec("6-8-3"), x, y, **options)
