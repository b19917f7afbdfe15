# SPDX-License-Identifier: Apache-2.0
"""The demo's two networks: how the digits are split and the training is done."""

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.augment import augment
from spikewright.data import Dataset, digits
from spikewright.learn.fit import fit
from spikewright.network import Network

SIDE = 8
"""Pixels along an edge of a digit."""
COPIES = 19
"""Changed copies of each digit to train on."""
VALIDATION = 0.1
"""Share of the training digits that is watched and not trained on."""


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained, chosen on validation digits.

    Attributes
    ----------
    neuron, spec : str
        As :meth:`~spikewright.network.Network.from_spec` takes them.
    training : mapping
        Options of :func:`~spikewright.learn.fit.fit`.
    """

    neuron: str
    spec: str
    training: Mapping[str, Any]


RECIPES = (
    Recipe(
        "relu", "64-32-10", {"epochs": 10, "batch": 8, "optimiser": "sgd", "learning_rate": 0.05}
    ),
    Recipe(
        "lif", "64-64-10", {"epochs": 8, "batch": 64, "optimiser": "adam", "learning_rate": 0.01}
    ),
)


@dataclass(frozen=True)
class Split:
    """Digits in three parts, of one shuffle.

    Attributes
    ----------
    data : Dataset
        What is trained on, and the test.
    x, y : ndarray
        The validation digits.
    """

    data: Dataset
    x: NDArray[np.float32]
    y: NDArray[np.int64]

    @classmethod
    def draw(cls, seed: int) -> "Split":
        """Hold out a fifth for the test, and a tenth of the rest for validation."""
        full = digits(seed=seed)
        held = round(VALIDATION * len(full.x_train))
        train = full.x_train[held:], full.y_train[held:]
        return cls(
            Dataset(*train, full.x_test, full.y_test), full.x_train[:held], full.y_train[:held]
        )

    def facts(self) -> dict[str, Any]:
        """Digits of each part."""
        return {
            "train": len(self.data.x_train),
            "validation": len(self.x),
            "test": len(self.data.x_test),
        }


def train(recipe: Recipe, split: Split, seed: int) -> tuple[Network, dict[str, Any]]:
    """Train on changed copies; validation digits are never among them."""
    data = split.data
    x, y = augment(data.x_train, data.y_train, side=SIDE, copies=COPIES, seed=seed)
    network = Network.from_spec(recipe.spec, neuron=recipe.neuron, seed=seed)
    batches = math.ceil(len(x) / recipe.training["batch"])
    watched: list[tuple[float, float]] = []

    def watch(done: int, _total: int, _history: Any) -> None:
        if done % batches == 0:
            watched.append(judge(network, split.x, split.y))

    # How many threads share a product decides how it rounds, and these are too small to share.
    with importlib.import_module("threadpoolctl").threadpool_limits(limits=1):
        history = fit(network, x, y, seed=seed, validation=0, progress=watch, **recipe.training)
    for entry, (loss, accuracy) in zip(history, watched, strict=True):
        entry.update(validation_loss=loss, validation_accuracy=accuracy)
    spiking = {"steps": network.steps, "dt_ms": network.dt * 1e3} if network.spiking else {}
    return network, {
        "network": recipe.spec,
        "neuron": recipe.neuron,
        **recipe.training,
        **spiking,
        "samples": len(x),
        "copies": COPIES,
        "seconds": sum(entry["seconds"] or 0.0 for entry in history),
        "history": history,
    }


def judge(network: Network, x: NDArray[Any], y: NDArray[Any]) -> tuple[float, float]:
    """Cross-entropy, in nats, and accuracy."""
    logits = network.forward(x).astype(np.float64)
    loss = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
    right = logits[np.arange(len(y)), y]
    return float((loss - right).mean()), float((logits.argmax(1) == y).mean())
