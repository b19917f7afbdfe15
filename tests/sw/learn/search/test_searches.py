# SPDX-License-Identifier: Apache-2.0
"""Searches: what is tried, how it is scored, and what cannot be searched."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikewright.learn.fit import fit
from spikewright.learn.search.distributions import choice, log_uniform, uniform
from spikewright.learn.search.searches import GridSearch, RandomSearch
from spikewright.network import Network
from spikewright.sim.errors import DataError, ProgramError, SpikewrightError

X = np.random.default_rng(0).random((150, 6), np.float32)
Y = (X @ np.random.default_rng(1).normal(size=(6, 3))).argmax(1)
LINE = X @ np.arange(6)


def make(hidden: int = 8, *, outputs: int = 3, seed: int = 0) -> Network:
    return Network.from_spec(f"6-{hidden}-{outputs}", seed=seed)


def test_a_grid_tries_every_combination_and_sorts() -> None:
    told = []
    search = GridSearch(
        make,
        {"hidden": [4, 16], "learning_rate": np.array([1e-6, 0.02])},
        epochs=20,
        progress=lambda *args: told.append(args),
    )
    outcome = search.run(X, Y)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    params = [trial.params for trial in outcome.trials]
    assert {(p["hidden"], p["learning_rate"]) for p in params} == {
        (hidden, rate) for hidden in (4, 16) for rate in (1e-6, 0.02)
    }
    scores = [trial.score for trial in outcome.trials]
    assert scores == sorted(scores, reverse=True)
    assert [p["learning_rate"] for p in params] == [0.02, 0.02, 1e-6, 1e-6]
    assert outcome.best is outcome.trials[0]
    assert list(outcome.table()[0]) == ["hidden", "learning_rate", "score", "seconds"]
    assert outcome.best.score > 0.8
    assert outcome.best.seconds > 0


def test_the_best_is_trained_on_all_samples() -> None:
    search = GridSearch(make, {"hidden": [4], "batch": [16, 32]}, epochs=5, seed=3)
    outcome = search.run(X, Y)
    network = make(4, seed=3)
    history = fit(network, X, Y, batch=outcome.best.params["batch"], epochs=5, seed=3, validation=0)
    for a, b in zip(network.parameters(), outcome.network.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [e["train_loss"] for e in outcome.history] == [e["train_loss"] for e in history]


@pytest.mark.parametrize("score", ["accuracy", "loss"])
def test_scores_are_those_of_what_was_held_out(score: str) -> None:
    """Three folds: each sample scores once, with a network trained on the others."""
    search = GridSearch(make, {"hidden": [4]}, folds=3, score=score, epochs=5)
    (trial,) = search.run(X, Y).trials
    rows = np.array_split(np.random.default_rng([0, 1]).permutation(150), 3)
    expected = []
    for held in rows:
        network, order = make(4), np.concatenate(rows)
        order = order[~np.isin(order, held)]
        fit(network, X[order], Y[order], epochs=5, validation=0)
        if score == "accuracy":
            expected.append(network.accuracy(X[held], Y[held]))
        else:
            logits = network.forward(X[held]).astype(np.float64)
            shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            expected.append(np.log(shares[np.arange(50), Y[held]]).mean())
    np.testing.assert_allclose(trial.scores, expected, rtol=1e-5)
    assert trial.score == pytest.approx(np.mean(expected))


def test_random_search_is_seeded() -> None:
    space = {
        "learning_rate": log_uniform(1e-6, 0.1),
        "hidden": log_uniform(2, 16, integer=True),
        "momentum": uniform(0.5, 0.9),
        "optimiser": ["sgd", "nesterov"],
    }
    runs = [
        RandomSearch(make, space, trials=trials, seed=seed, epochs=3)
        for trials, seed in ((6, 1), (6, 1), (3, 1), (6, 2))
    ]
    points = [search.points() for search in runs]
    assert points[0] == points[1]
    assert points[2] == points[0][:3]
    assert points[3] != points[0]
    first, second = ([(t.params, t.score) for t in search.run(X, Y).trials] for search in runs[:2])
    assert first == second
    assert all(isinstance(params["hidden"], int) for params, _ in first)


def test_other_targets_are_scored_by_their_loss() -> None:
    search = GridSearch(
        make, {"learning_rate": [1e-6, 0.02]}, outputs=1, loss="mse", epochs=20, share=0.1
    )
    outcome = search.run(X, LINE)
    assert outcome.best.params == {"learning_rate": 0.02}
    held = np.random.default_rng([0, 1]).permutation(150)[:15]
    rest = np.setdiff1d(np.random.default_rng([0, 1]).permutation(150), held, assume_unique=True)
    network = make(outputs=1)
    fit(network, X[rest], LINE[rest], learning_rate=0.02, loss="mse", epochs=20, validation=0)
    loss = np.square(network.forward(X[held])[:, 0] - LINE[held]).mean()
    assert outcome.best.score == pytest.approx(-loss, rel=1e-5)
    with pytest.raises(
        DataError, match=r"^Score accuracy needs labels as y, and these are other targets$"
    ):
        GridSearch(make, {"batch": [32]}, outputs=1, loss="mse", epochs=1, score="accuracy").run(
            X, LINE
        )


def test_losses_are_compared_by_accuracy() -> None:
    outcome = GridSearch(make, {"loss": ["mse", "hinge", "cross-entropy"]}, epochs=40).run(X, Y)
    assert all(0.5 < trial.score <= 1 for trial in outcome.trials)
    with pytest.raises(DataError, match=r"^Score accuracy needs labels as y, "):
        GridSearch(make, {"loss": ["mse", "l1"]}, outputs=1, epochs=1).run(X, LINE)


def test_trials_that_diverge_come_last() -> None:
    grid = {"learning_rate": [1e30, 0.01, 1e25]}
    outcome = GridSearch(make, grid, epochs=3, optimiser="sgd").run(X, Y)
    assert [t.params["learning_rate"] for t in outcome.trials] == [0.01, 1e30, 1e25]
    assert outcome.trials[1].score == -math.inf
    assert re.match(r"^Training diverged in epoch 1, ", outcome.trials[1].error or "")
    with pytest.raises(
        DataError, match=r"^Every trial diverged, the first so: Training diverged in epoch 1, "
    ):
        GridSearch(make, {"learning_rate": [1e30]}, epochs=3, optimiser="sgd").run(X, Y)


def test_log_uniform_is_even_in_orders_of_magnitude() -> None:
    rng = np.random.default_rng(0)
    draw = log_uniform(1e-4, 1e-1)
    values = np.array([draw(rng) for _ in range(6000)])
    assert values.min() >= 1e-4
    assert values.max() <= 1e-1
    counts = np.histogram(np.log10(values), bins=[-4, -3, -2, -1])[0]
    np.testing.assert_allclose(counts, 2000, atol=120)


def test_integers_have_both_ends() -> None:
    rng = np.random.default_rng(0)
    for make_it, shares in (
        (uniform, [1 / 3] * 3),
        (log_uniform, np.diff(np.log([1, 2, 3, 4])) / np.log(4)),
    ):
        draw = make_it(1, 3, integer=True)
        values = [draw(rng) for _ in range(6000)]
        assert all(isinstance(value, int) for value in values)
        np.testing.assert_allclose(np.bincount(values)[1:] / 6000, shares, atol=0.02)
    assert {choice("ab")(rng) for _ in range(50)} == {"a", "b"}


KNOWN = "hidden, outputs, seed, rule, epochs, batch, "


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: GridSearch(make, {}), "Grid must name at least one option, and it is empty"),
        (
            lambda: GridSearch(make, {"hidden": []}),
            "Grid must have at least one value of hidden",
        ),
        (
            lambda: GridSearch(make, {"optimiser": "sgd"}),
            "Grid must have a list of values of optimiser, not 'sgd'",
        ),
        (
            lambda: GridSearch(make, {"hidden": [2]}, hidden=4),
            "Option hidden must be either searched or fixed, not both",
        ),
        (lambda: RandomSearch(make, {}), "Space must name at least one option, and it is empty"),
        (
            lambda: RandomSearch(make, {"hidden": [2]}, trials=0),
            "Trials must be an integer from 1, not 0",
        ),
        (
            lambda: RandomSearch(make, {"hidden": 3}),
            "Space of hidden must be log_uniform, uniform, choice or a list, not 3",
        ),
        (
            lambda: GridSearch(make, {"loss": ["mse"]}, score="loss"),
            "Different losses cannot be compared: search by accuracy",
        ),
        (
            lambda: GridSearch(make, {"hidden": [2]}, score="f1"),
            "Score must be accuracy or loss, not 'f1'",
        ),
        (
            lambda: GridSearch(make, {"hidden": [2]}, folds=1),
            "Folds must be an integer from 2, not 1",
        ),
        (
            lambda: GridSearch(make, {"hidden": [2]}, share=1.0),
            "Share of the samples must be between 0 and 1, not 1.0",
        ),
        (
            lambda: GridSearch(make, {"hidden": [2]}, folds=151).run(X, Y),
            "150 samples are too few for 151 parts that score",
        ),
        (
            lambda: GridSearch(make, {"hidden": [2]}).run(X, Y[:9]),
            "x and y must be of one length, not 150 and 9",
        ),
        (
            lambda: GridSearch(make, {"batch": [0]}).run(X, Y),
            "Batch must be an integer from 1, not 0",
        ),
        (
            lambda: GridSearch(Network.from_spec, {"learning_rate": [1.0]}),
            "Option spec of the network must be searched or fixed",
        ),
        (
            lambda: log_uniform(0, 1),
            "Limits of log_uniform must be positive and ascend, not 0 and 1",
        ),
        (
            lambda: uniform(2, 1),
            "Limits of uniform must be finite and ascend, not 2 and 1",
        ),
        (
            lambda: uniform(0.5, 2, integer=True),
            "Limits of uniform must be integers, not 0.5 and 2",
        ),
        (lambda: choice([]), "There must be at least one value to choose from, and there is none"),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(SpikewrightError, match=f"^{re.escape(sentence)}$"):
        call()


@pytest.mark.parametrize("name", ["learning_rat", "checkpoint", "resume"])
def test_unknown_options_are_refused_with_those_known(name: str) -> None:
    for arguments in (({name: [1]}, {}), ({"hidden": [2]}, {name: 1})):
        with pytest.raises(
            ProgramError, match=rf"^Option of a search must be {KNOWN}.* or \w+, not '{name}'$"
        ):
            GridSearch(make, arguments[0], **arguments[1])
