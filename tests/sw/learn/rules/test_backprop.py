# SPDX-License-Identifier: Apache-2.0
import math
import re
from typing import Any

import numpy as np
import pytest

from spikewright.data import digits
from spikewright.learn.fit import fit
from spikewright.learn.layers import Dense, Leaky, Lif, Relu
from spikewright.learn.rules.backprop import Backprop, rate_penalty
from spikewright.learn.tape import Tape
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


def test_penalty_of_firing_rates_is_its_formula() -> None:
    """Two layers of 2 and 3 neurons, over 4 steps of 2 frames."""
    rng, tape = np.random.default_rng(0), Tape()
    spikes = [(rng.random((4, 2, n)) < 0.4).astype(np.float64) for n in (2, 3)]
    values = [tape.parameter(s) for s in spikes]
    penalty = rate_penalty(values, target=0.25, strength=3.0)
    rates = np.concatenate([s.mean((0, 1)) for s in spikes])
    assert penalty.data == pytest.approx(3 * np.mean((rates - 0.25) ** 2))
    tape.backward(penalty)
    wanted = 3 * 2 * (rates - 0.25) / 5 / 8
    got = np.concatenate([value.gradient()[1, 1] for value in values])
    np.testing.assert_allclose(got, wanted)


@pytest.mark.parametrize("target", [0.02, 0.3])
def test_firing_rates_are_drawn_to_their_target(target: float) -> None:
    free, bound = (Network.from_spec("6-40-3", neuron="lif", steps=10) for _ in range(2))
    options = {"epochs": 30, "batch": 10, "validation": 0.0, "learning_rate": 0.01}
    rates = []
    for network, strength in ((free, 0.0), (bound, 50.0)):
        history = fit(network, X, Y, rate_strength=strength, rate_target=target, **options)
        rates.append(network.trace(X)[1].mean((0, 1)))
        assert history[-1]["firing_rate"] == pytest.approx(rates[-1].mean(), abs=0.03)
    away = [np.mean((rate - target) ** 2) for rate in rates]
    assert away[1] < 0.2 * away[0]
    assert bound.accuracy(X, Y) > 0.8


def test_the_loss_that_is_reported_has_no_penalty() -> None:
    network = Network.from_spec("6-8-3", neuron="lif", steps=5)
    rows = np.arange(20)
    plain = Backprop(network, "cross-entropy").step(X, Y, rows, seed=0)
    gradients = [gradient.copy() for gradient in plain.gradients]
    step = Backprop(network, "cross-entropy", rate_strength=5.0).step(X, Y, rows, seed=0)
    assert (step.loss, step.notes) == (plain.loss, plain.notes)
    # The read-out is not asked to fire less.
    np.testing.assert_array_equal(step.gradients[2], gradients[2])
    assert np.abs(step.gradients[0] - gradients[0]).max() > 1e-3


def test_networks_that_do_not_fire_note_no_rate() -> None:
    history = fit(Network.from_spec("6-5-3"), X, Y, epochs=1)
    assert "firing_rate" not in history[0]
    counting = Network([Dense(6, 3), Lif(3)], readout="count", steps=3)
    assert "firing_rate" not in fit(counting, X, Y, epochs=1)[0]


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
        (
            {"rate_strength": -1.0},
            "Option rate_strength must be at least 0 and finite, not -1.0",
        ),
        (
            {"rate_target": 1.5},
            "Option rate_target must be from 0 to 1 spikes a step, not 1.5",
        ),
        (
            {"rate_strength": 1.0},
            (
                "Firing rates to penalise need a layer that fires before the last, not Dense: "
                "set rate_strength to 0"
            ),
        ),
        (
            {"rate_strength": 1.0, "rule": "kickback"},
            "Option rate_strength must be 0 with rule 'kickback', or use 'backprop'",
        ),
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
