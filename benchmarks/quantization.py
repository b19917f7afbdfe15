# SPDX-License-Identifier: Apache-2.0
"""What narrow integers cost: float networks against their integer programs on MNIST.

Every network is trained from each seed; "rounded" programs are made of the trained network as it
is, "trained" ones after more epochs of quantization-aware training. Scales are powers of two, one
for each output channel. Accuracies of programs are those of the bit-exact emulator, in percent of
the test samples; of several seeds their mean. ``--validation`` trains without the last 5000
training samples and tests on them: what recipes are to be changed by.
"""

import argparse
import copy
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _timing import seeds_of, single_thread, table, write_json
from numpy.typing import NDArray

from spikewright.augment import augment
from spikewright.aware import quantization_aware
from spikewright.data import Dataset
from spikewright.encoding import input_codes
from spikewright.learn.fit import fit
from spikewright.learn.layers import Dense, Dropout, Layer, Relu
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.emulator import Emulator
from spikewright.sim.program import Program

HELD_OUT = 5000
"""Training samples that ``--validation`` tests on."""

CALIBRATE = 1000
"""Training samples on which formats are chosen."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained: ``rounds`` times ``epochs`` passes with a falling rate.

    Each round has new changed copies of the pictures where ``moves`` says so.
    """

    sizes: tuple[int, ...]
    dropout: float
    rounds: int
    epochs: int
    batch: int
    rate: float
    tuned: float
    """Rate at the start of quantization-aware training, which takes a quarter of the passes."""
    moves: dict[str, float] = field(default_factory=dict)

    def network(self, seed: int) -> Network:
        """Untrained network."""
        layers: list[Layer] = []
        for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False):
            layers += [Dense(n_in, n_out), Relu(), Dropout(self.dropout)]
        return Network(layers[:-2], seed=seed)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of the table."""

    recipe: str
    weights: int | None
    activations: int | None
    trained: bool
    wanted: str

    @property
    def name(self) -> str:
        """What ``--only`` looks in."""
        how = "trained" if self.trained else "rounded"
        bits = f"w{self.weights}a{self.activations} {how}" if self.weights else "float"
        return f"{self.recipe} {bits}"


RECIPES = {
    "784-128-10": Recipe(
        sizes=(784, 128, 10),
        dropout=0.2,
        rounds=1,
        epochs=20,
        batch=64,
        rate=1e-3,
        tuned=1e-3,
    ),
    "784-256-128-10": Recipe(
        sizes=(784, 256, 128, 10),
        dropout=0.2,
        rounds=8,
        epochs=4,
        batch=128,
        rate=2e-3,
        tuned=5e-4,
        moves={"turn": 0.2, "scale": 0.1, "shift": 1.5, "noise": 0.0},
    ),
}

CASES = [
    Case(recipe=recipe, weights=w, activations=a, trained=trained, wanted=wanted)
    for recipe, w, a, trained, wanted in (
        ("784-128-10", None, None, False, ">= 97.8"),
        ("784-128-10", 8, 8, False, "0.05 lost"),
        ("784-128-10", 4, 8, False, "0.3 lost"),
        ("784-128-10", 4, 4, False, "0.5 lost"),
        ("784-128-10", 4, 4, True, "0.5 lost"),
        ("784-128-10", 2, 4, False, ""),
        ("784-128-10", 2, 4, True, ">= 96.5"),
        ("784-256-128-10", None, None, False, ">= 98.8"),
        ("784-256-128-10", 4, 4, False, "0.3 lost"),
        ("784-256-128-10", 4, 4, True, "0.3 lost"),
    )
]


def train(
    network: Network, data: Dataset, recipe: Recipe, *, rate: float, rounds: int, epochs: int
) -> None:
    """Train as the recipe says; the rate falls as half a cosine over all passes."""
    for number in range(rounds):
        x, y = data.x_train, data.y_train
        if recipe.moves:
            seed = 1000 * network.seed + number
            side = math.isqrt(x.shape[1])
            x, y = augment(x, y, side=side, copies=1, seed=seed, **recipe.moves)
            x, y = x[len(data.x_train) :], y[len(data.y_train) :]
        for epoch in range(epochs):
            done = (number * epochs + epoch + 0.5) / (rounds * epochs)
            fit(
                network,
                x,
                y,
                epochs=1,
                batch=recipe.batch,
                learning_rate=rate * (1 + math.cos(math.pi * done)) / 2,
                decay="none",
                validation=0.0,
                seed=number * epochs + epoch,
            )


def emulated(program: Program, x: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    """Accuracy of an integer program, in percent."""
    classes = Emulator(program).run({"x": input_codes(program, x)})["class"][:, 0]
    return 100 * float(np.mean(classes == y))


def measure(case: Case, network: Network, data: Dataset) -> float:
    """Accuracy of a case, in percent, of a float network that is trained."""
    if case.weights is None or case.activations is None:
        return 100 * network.accuracy(data.x_test, data.y_test)
    bits: dict[str, Any] = {
        "weight_bits": case.weights,
        "activation_bits": case.activations,
        "per_channel": True,
    }
    samples = data.x_train[:CALIBRATE]
    if not case.trained:
        return emulated(quantize(network, calibrate=samples, **bits), data.x_test, data.y_test)
    recipe = RECIPES[case.recipe]
    aware = quantization_aware(copy.deepcopy(network), samples, **bits)
    rounds, epochs = max(1, recipe.rounds // 4), recipe.epochs
    if recipe.rounds == 1:
        epochs = recipe.epochs // 4
    train(aware, data, recipe, rate=recipe.tuned, rounds=rounds, epochs=epochs)
    return emulated(quantize(aware), data.x_test, data.y_test)


def rows(found: dict[str, dict[int, float]]) -> list[dict[str, Any]]:
    """Table of what is measured so far."""
    made: list[dict[str, Any]] = []
    for case in CASES:
        if case.name not in found:
            continue
        accuracies, floats = found[case.name], found.get(f"{case.recipe} float", {})
        mean = statistics.mean(accuracies.values())
        lost = [floats[seed] - accuracies[seed] for seed in accuracies if seed in floats]
        made.append(
            {
                "network": case.name,
                "seeds": len(accuracies),
                "mean (%)": mean,
                "lost (points)": statistics.mean(lost) if lost else None,
                "wanted": case.wanted,
                "each (%)": [accuracies[seed] for seed in sorted(accuracies)],
            }
        )
    return made


def shown(row: dict[str, Any]) -> dict[str, str]:
    """Return a row as the table prints it, with hundredths of percents."""
    lost = row["lost (points)"]
    return {
        **row,
        "mean (%)": f"{row['mean (%)']:.2f}",
        "lost (points)": "" if lost is None else f"{lost:.2f}",
        "each (%)": " ".join(f"{accuracy:.2f}" for accuracy in row["each (%)"]),
    }


def split(data: Dataset) -> Dataset:
    """Last training samples in place of the test samples."""
    return Dataset(
        x_train=data.x_train[:-HELD_OUT],
        y_train=data.y_train[:-HELD_OUT],
        x_test=data.x_train[-HELD_OUT:],
        y_test=data.y_train[-HELD_OUT:],
    )


def main() -> None:
    """Train, measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npz")
    parser.add_argument("--seeds", type=seeds_of, default="0,1,2", help="joined by commas")
    parser.add_argument("--only", default="", help="part of a network's name in the table")
    parser.add_argument("--validation", action="store_true", help="test on training samples")
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    data = Dataset.load(arguments.data)
    if arguments.validation:
        data = split(data)
    wanted = [case for case in CASES if arguments.only in case.name]
    found: dict[str, dict[int, float]] = {}
    for name, recipe in RECIPES.items():
        for seed in arguments.seeds:
            cases = [case for case in wanted if case.recipe == name]
            if cases:
                measure_all(cases, recipe, seed, data, found)
                write_json(arguments.json, rows(found))
    print(table([shown(row) for row in rows(found)]))


def measure_all(
    cases: Sequence[Case],
    recipe: Recipe,
    seed: int,
    data: Dataset,
    found: dict[str, dict[int, float]],
) -> None:
    """Train one float network and measure its cases."""
    network = recipe.network(seed)
    train(network, data, recipe, rate=recipe.rate, rounds=recipe.rounds, epochs=recipe.epochs)
    for case in cases:
        found.setdefault(case.name, {})[seed] = measure(case, network, data)
        print(f"{case.name}, seed {seed}: {found[case.name][seed]:.2f} %", flush=True)


if __name__ == "__main__":
    main()
