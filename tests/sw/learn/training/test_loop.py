# SPDX-License-Identifier: Apache-2.0
"""What ``fit`` does beyond plain batches: options by name, divergence, random layers."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikewright.learn.fit import RULES, Backprop, fit
from spikewright.learn.layers import BatchNorm, Dense, Dropout, Lif, Relu
from spikewright.learn.optimise.optimisers import OPTIMISERS
from spikewright.learn.optimise.schedules import SCHEDULES
from spikewright.learn.training.loop import Step
from spikewright.learn.training.losses import LOSSES
from spikewright.network import Network
from spikewright.sim.errors import DataError, ProgramError

X = np.random.default_rng(0).random((150, 6), np.float32)
Y = (X @ np.random.default_rng(1).normal(size=(6, 3))).argmax(1)


def weights(network: Network) -> list[np.ndarray]:
    return [array.copy() for array in network.parameters() + network.buffers()]


def random_network() -> Network:
    return Network([Dense(6, 16), BatchNorm(16), Relu(), Dropout(0.3), Dense(16, 3)], seed=1)


def test_random_layers_are_seeded_to_the_bit() -> None:
    runs = []
    for seed in (1, 1, 2):
        network = random_network()
        history = fit(network, X, Y, epochs=3, seed=seed, batch=40)
        runs.append((weights(network), [entry["validation_loss"] for entry in history]))
    for a, b, c in zip(runs[0][0], runs[1][0], runs[2][0], strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()
    assert runs[0][1] == runs[1][1]


def test_dropout_draws_anew_for_every_batch() -> None:
    network = Network([Dense(6, 50), Dropout(0.5), Dense(50, 3)], seed=1)
    rule, kept = Backprop(network, "cross-entropy"), []
    for seed, rows in ((1, [3, 4]), (1, [3, 4]), (1, [4, 3]), (2, [3, 4])):
        step = rule.step(X, Y, np.array(rows), seed=seed)
        kept.append(step.layers[1] != 0)
    np.testing.assert_array_equal(kept[0], kept[1])
    assert (kept[0] != kept[2]).any()
    assert (kept[0] != kept[3]).any()


def test_random_layers_learn_and_are_still_in_evaluation() -> None:
    network = random_network()
    fit(network, X, Y, epochs=60, learning_rate=0.01)
    assert network.accuracy(X, Y) > 0.9
    before = weights(network)
    np.testing.assert_array_equal(network.forward(X), network.forward(X))
    for a, b in zip(before, weights(network), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_optimiser_learns(optimiser: str) -> None:
    network = Network.from_spec("6-16-3")
    batch = 135 if optimiser == "rprop" else 16
    fit(network, X, Y, epochs=60, optimiser=optimiser, batch=batch)
    assert network.accuracy(X, Y) > 0.8


@pytest.mark.parametrize("decay", SCHEDULES)
def test_every_schedule_learns(decay: str) -> None:
    network = Network.from_spec("6-16-3")
    fit(network, X, Y, epochs=30, decay=decay, learning_rate=0.01)
    assert network.accuracy(X, Y) > 0.8


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns(loss: str) -> None:
    network = Network.from_spec("6-16-3")
    fit(network, X, Y, epochs=60, loss=loss, learning_rate=0.01)
    assert network.accuracy(X, Y) > 0.8


@pytest.mark.parametrize("loss", ["bernoulli", "hinge"])
def test_one_output_tells_two_classes_apart(loss: str) -> None:
    network, labels = Network.from_spec("6-8-1"), (Y == 0).astype(np.int64)
    history = fit(network, X, labels, epochs=60, loss=loss, learning_rate=0.02)
    right = (network.forward(X)[:, 0] > 0) == (labels == 1)
    assert right.mean() > 0.9
    assert history[-1]["train_accuracy"] == pytest.approx(right.mean(), abs=0.1)
    assert history[-1]["validation_accuracy"] is not None


def test_one_output_regresses() -> None:
    network, targets = Network.from_spec("6-16-1"), np.sin(3 * X[:, 0]) + X[:, 1]
    for loss in ("mse", "l1"):
        fit(network, X, targets, epochs=200, batch=16, loss=loss, learning_rate=0.01)
        assert np.abs(network.forward(X)[:, 0] - targets).mean() < 0.1


def test_options_reach_their_functions() -> None:
    def first(**options: Any) -> np.ndarray:
        network = Network.from_spec("6-8-3", seed=1)
        fit(network, X, Y, epochs=2, **options)
        return network.parameters()[0]

    plain = first()
    for options in (
        {"optimiser_options": {"beta1": 0.5}},
        {"decay": "step", "decay_options": {"every": 0.25}},
        {"loss_options": {"smoothing": 0.2}},
    ):
        assert (first(**options) != plain).any()
    np.testing.assert_array_equal(
        first(optimiser="sgd", momentum=0.5),
        first(optimiser="sgd", optimiser_options={"momentum": 0.5}),
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"optimiser_options": {"beta3": 1}},
            "Option of optimiser adam must be beta1, beta2 or epsilon, not 'beta3'",
        ),
        (
            {"decay": "linear", "decay_options": {"every": 1}},
            "Option of decay linear must be final, not 'every'",
        ),
        (
            {"decay_options": {"final": 1}},
            "Decay cosine takes no options, and 'final' was given",
        ),
        ({"loss": "l1", "loss_options": {"k": 1}}, "Loss l1 takes no options, and 'k' was given"),
        (
            {"decay": "linear", "decay_options": {"final": 2}},
            "Decay option final must be above 0 and at most 1, not 2",
        ),
        (
            {"loss_options": {"smoothing": 2}},
            "Label smoothing must be at least 0 and below 1, not 2",
        ),
        (
            {"loss": "hinge", "loss_options": {"margin": 0}},
            "Margin must be positive and finite, not 0",
        ),
        ({"learning_rate": "a"}, "Learning rate must be positive and finite, not 'a'"),
        ({"batch": "8"}, "Batch must be an integer from 1, not '8'"),
        (
            {"validation": "0.1"},
            "Validation share must be at least 0 and below 1, not '0.1'",
        ),
        (
            {"optimiser": ["adam"]},
            "Optimiser must be adam, sgd, nesterov, adagrad, rmsprop or rprop, not ['adam']",
        ),
    ],
)
def test_options_are_checked(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        fit(Network.from_spec("6-3"), X, Y, **options)


class Bursting:
    """Backprop whose loss, gradient or layer is no number from some batch on."""

    def __init__(self, network: Network, what: str, batch: int):
        self.rule, self.network = Backprop(network, "cross-entropy"), network
        self.what, self.batch, self.done = what, batch, 0

    def step(self, x: Any, targets: Any, rows: Any, *, seed: int) -> Step:
        step = self.rule.step(x, targets, rows, seed=seed)
        self.done += 1
        if self.done == self.batch and self.what == "gradient":
            step.gradients[2][0, 0] = np.nan
        if self.done >= self.batch and self.what == "output":
            step.layers[1][0, 0] = np.inf
            return Step(np.nan, step.outputs, step.gradients, step.layers)
        if self.done >= self.batch and self.what == "loss":
            return Step(np.inf, step.outputs, step.gradients, step.layers)
        return step


@pytest.mark.parametrize(
    ("what", "place"),
    [
        ("gradient", "layer 2, Dense(8, 3)"),
        ("output", "layer 1, Relu()"),
        ("loss", "the loss"),
    ],
)
@pytest.mark.parametrize("patience", [None, 5])
def test_divergence_names_its_layer_and_keeps_the_last_good_parameters(
    what: str, place: str, patience: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"batch": 45, "decay": "none", "seed": 3, "patience": patience}
    good = Network.from_spec("6-8-3", seed=1)
    fit(good, X, Y, epochs=2, **options)
    network = Network.from_spec("6-8-3", seed=1)
    monkeypatch.setitem(RULES, "burst", lambda net, loss: Bursting(net, what, batch=8))
    sentence = (
        f"Training diverged in epoch 3, beginning in {place}: lower the learning rate of 0.003 or "
        "scale the samples"
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        fit(network, X, Y, rule="burst", epochs=9, **options)
    assert len(network.history) == 2
    for a, b in zip(weights(network), weights(good), strict=True):
        np.testing.assert_array_equal(a, b)


def test_parameters_that_burst_with_the_last_batch_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network.from_spec("6-8-3", seed=1)
    before = weights(network)
    monkeypatch.setitem(RULES, "burst", lambda net, loss: Bursting(net, "gradient", batch=3))
    with pytest.raises(DataError, match=r"^Training diverged in epoch 1, beginning in layer 2, "):
        fit(network, X, Y, rule="burst", epochs=1, batch=45)
    for a, b in zip(weights(network), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_validation_loss_that_is_no_number_is_divergence_too() -> None:
    x, network = X.copy(), Network.from_spec("6-8-3", seed=1)
    x[np.random.default_rng(0).permutation(150)[:15]] = 1e30
    sentence = (
        "Training diverged in epoch 1, beginning in the loss: lower the learning rate of 0.003 or "
        "scale the samples"
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        fit(network, x, Y, loss="mse", epochs=1)


@pytest.mark.parametrize("surrogate", ["fast-sigmoid", "arctan", "triangular"])
def test_every_surrogate_learns(surrogate: str) -> None:
    slope = 1.0 if surrogate == "triangular" else 5.0
    layers = [Dense(6, 32), Lif(32, surrogate=surrogate, slope=slope), Dense(32, 3), Lif(3)]
    network = Network(layers, readout="count", steps=15)
    fit(network, X, Y, epochs=60, learning_rate=0.01)
    assert network.accuracy(X, Y) > 0.8


CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
XOR = np.array([0, 1, 1, 0])


def test_xor_by_the_book() -> None:
    """Goodfellow, Bengio and Courville, 6.1: W = [[1, 1], [1, 1]], c = [0, -1], w = [1, -2]."""
    network = Network(
        [
            Dense(2, 2, weight=np.ones((2, 2)), bias=np.array([0, -1])),
            Relu(),
            Dense(2, 1, weight=np.array([[1, -2]])),
        ]
    )
    np.testing.assert_array_equal(network.forward(CORNERS)[:, 0], XOR)


@pytest.mark.parametrize(
    "make", [lambda: Network.from_spec("2-8-1", seed=0), lambda: Network.from_spec("2-8-2", seed=0)]
)
def test_xor_is_learned(make: Callable[[], Network]) -> None:
    network = make()
    loss = "cross-entropy" if network.n_out == 2 else "bernoulli"
    history = fit(
        network, CORNERS, XOR, loss=loss, epochs=200, batch=4, validation=0, learning_rate=0.05
    )
    assert history[-1]["train_accuracy"] == 1
    assert (history[-1]["train_loss"] or 1) < 0.05


def test_a_line_cannot_tell_xor() -> None:
    """Least squares gives w = 0 and b = 1/2."""
    network = Network([Dense(2, 1)], seed=3)
    options: dict[str, Any] = {
        "optimiser": "sgd",
        "batch": 4,
        "learning_rate": 0.2,
        "decay": "none",
    }
    fit(network, CORNERS, XOR, loss="mse", epochs=400, validation=0, momentum=0.0, **options)
    np.testing.assert_allclose(network.parameters()[0], 0, atol=1e-3)
    np.testing.assert_allclose(network.parameters()[1], 0.5, atol=1e-3)


def test_worked_parameter_count() -> None:
    """The notes: 10-10-5-1 has 110 + 55 + 6 = 171 parameters."""
    counts = [array.size for array in Network.from_spec("10-10-5-1").parameters()]
    assert [sum(counts[k : k + 2]) for k in (0, 2, 4)] == [110, 55, 6]
    assert sum(counts) == 171


def test_a_loss_that_diverges_in_validation_names_the_layer() -> None:
    """The only huge sample is among those that are not trained on."""
    order = np.random.default_rng(0).permutation(20)
    x = np.full((20, 2), 0.1)
    x[order[0]] = 3e38
    network = Network([Dense(2, 3, weight=np.full((3, 2), 2.0)), Relu(), Dense(3, 2)])
    with pytest.raises(
        DataError, match=r"^Training diverged in epoch 1, beginning in layer 0, Dense\(2, 3\): "
    ):
        fit(network, x, [0, 1] * 10, epochs=2, validation=0.05, seed=0)
