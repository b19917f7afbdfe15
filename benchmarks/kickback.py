# SPDX-License-Identifier: Apache-2.0
"""Kickback against backprop and against its baselines, in floating point and in integers.

Every row of the tables of rules chooses its optimiser and rate from the same grid, by the lowest
validation loss of the first seed; validation is a tenth of the training samples, drawn by the seed,
and the epoch with the lowest loss counts. The test samples choose nothing. Tables: gradients of one
hidden layer against backprop's; rules on kin8nm (nMSE: share of the targets' variance); depth, by
one recipe for all rows; learning sample by sample in integers; rules on MNIST 4 against 9 and odd
against even; and ten classes against the rest.
"""

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _datasets import Split, kin8nm, mnist_odd, mnist_pair
from _timing import seeds_of, single_thread, table, write_json

from spikewright.data import Dataset
from spikewright.learn import ops
from spikewright.learn.fit import fit
from spikewright.learn.layers import Dense, Layer, Relu, SignedRelu
from spikewright.learn.rules.kickback import ERRORS, forward, gradients, kicked_back
from spikewright.learn.rules.online import OnlineKickback
from spikewright.learn.rules.versus import OneVersusRest
from spikewright.learn.tape import Tape
from spikewright.learn.training.losses import LOSSES
from spikewright.network import Network
from spikewright.sim.errors import DataError

Row = dict[str, Any]

ROWS = (
    ("backprop", "coherent"),
    ("kickback", "coherent"),
    ("broadcast", "coherent"),
    ("feedback", "coherent"),
    ("frozen", "coherent"),
    ("backprop", "plain ReLU, He"),
    ("kickback", "plain ReLU, He"),
)
GRID = (("adam", 3e-3), ("adam", 1e-2), ("sgd", 1e-2), ("sgd", 3e-2))
ONLINE_RATES = (6, 6, 7, 8)
"""Powers of two that divide the learning rate of each epoch, the same for every row; from a few
trials and no search."""


@dataclass(frozen=True)
class Task:
    """A data set with the network and the schedule that every rule gets."""

    name: str
    split: Split
    hidden: tuple[int, ...]
    loss: str
    epochs: int
    batch: int

    def score(self, network: Any) -> float:
        """Test error: share of variance for squares, else wrong answers in percent."""
        output, y = network.forward(self.split.x_test)[:, 0], self.split.y_test
        if self.loss == "mse":
            return float(np.mean((output - y) ** 2) / np.var(y))
        return 100 * float(np.mean((output > 0) != y))


def build(task: Task, begin: str, seed: int) -> Network:
    """Build the network of a task: signed and coherent, or of plain rectifiers drawn by He."""
    sizes = [task.split.x_train.shape[1], *task.hidden, 1]
    layers: list[Layer] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [
            Dense(n_in, n_out),
            SignedRelu.alternating(n_out) if begin == "coherent" else Relu(),
        ]
    return Network(layers[:-1], seed=seed, initialiser="coherent" if begin == "coherent" else "he")


def train(
    task: Task, rule: str, begin: str, seed: int, recipe: tuple[str, float]
) -> tuple[float, float, float]:
    """Lowest validation loss, test error, and coherence at the end where there is one."""
    network = build(task, begin, seed)
    optimiser, rate = recipe
    try:
        history = fit(
            network,
            task.split.x_train,
            task.split.y_train,
            rule=rule,
            loss=task.loss,
            epochs=task.epochs,
            batch=task.batch,
            optimiser=optimiser,
            learning_rate=rate,
            patience=task.epochs,
            seed=seed,
        )
    except DataError:
        return math.inf, math.inf, math.nan
    lowest = min(float(entry["validation_loss"] or 0) for entry in history)
    return lowest, task.score(network), float(history[-1].get("coherence") or math.nan)


def rules(task: Task, seeds: Sequence[int]) -> list[Row]:
    """Every rule on one task, each by the recipe that its first seed's validation prefers."""
    rows: list[Row] = []
    reference = 0.0
    for rule, begin in ROWS:
        tried = {recipe: train(task, rule, begin, seeds[0], recipe) for recipe in GRID}
        recipe = min(tried, key=lambda key: tried[key][0])
        runs = [tried[recipe]] + [train(task, rule, begin, s, recipe) for s in seeds[1:]]
        errors = np.array([error for _, error, _ in runs])
        reference = reference or float(errors.mean())
        change = errors.mean() - reference
        rows.append(
            {
                "task": task.name,
                "rule": rule,
                "begin": begin,
                "recipe": f"{recipe[0]} {recipe[1]:g}",
                **(
                    {"nMSE": f"{errors.mean():.4f}", "+-": f"{errors.std():.4f}"}
                    if task.loss == "mse"
                    else {"right %": f"{100 - errors.mean():.2f}", "+-": f"{errors.std():.2f}"}
                ),
                "to backprop": (
                    f"{100 * change / reference:+.1f} %"
                    if task.loss == "mse"
                    else f"{0 - change:+.2f} points"
                ),
                "coherence": f"{np.mean([run[2] for run in runs]):.2f}",
                "seeds": len(seeds),
                "errors": " ".join(f"{error:.4g}" for error in errors),
            }
        )
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    return rows


def one_layer(seeds: Sequence[int]) -> list[Row]:
    """Largest difference of Kickback's and backprop's gradients in float64, one hidden layer."""
    rows = []
    for loss in ERRORS:
        differences = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            weights = [rng.normal(0, 1, shape) for shape in ((50, 8), (1, 50))]
            biases = [rng.normal(0, 1, size) for size in (50, 1)]
            signs = [rng.choice([-1.0, 1.0], 50)]
            x, targets = rng.normal(0, 1, (64, 8)), rng.random((64, 1))
            run = forward(x, weights, biases, signs)
            _, errors = ERRORS[loss](run.output, targets)
            found = gradients(run, errors, signs, kicked_back(run, weights, signs))
            tape = Tape()
            made = [
                (tape.parameter(w), tape.parameter(b)) for w, b in zip(weights, biases, strict=True)
            ]
            hidden = ops.relu(ops.linear(tape.constant(x), *made[0]))
            output = ops.linear(ops.mul(hidden, tape.constant(signs[0])), *made[1])
            total = LOSSES[loss](output, tape.constant(targets))
            tape.replay()
            tape.backward(total)
            wanted = [parameter.gradient() for pair in made for parameter in pair]
            got = [array for pair in found for array in pair]
            differences += [float(abs(a - b).max()) for a, b in zip(got, wanted, strict=True)]
        rows.append({"loss": loss, "largest difference": max(differences), "seeds": len(seeds)})
    return rows


def depth(task: Task, seeds: Sequence[int]) -> list[Row]:
    """Networks of more and more layers, one recipe: errors, and the outputs they begin with."""
    rows = []
    for layers, (rule, begin) in itertools.product((2, 6), (ROWS[0], ROWS[1], ROWS[-1])):
        deep = Task(task.name, task.split, (50,) * layers, task.loss, task.epochs // 2, task.batch)
        starts = [build(deep, begin, seed).forward(task.split.x_test).std() for seed in seeds]
        runs = [train(deep, rule, begin, seed, GRID[0]) for seed in seeds]
        errors = np.array([error for _, error, _ in runs])
        rows.append(
            {
                "hidden layers": layers,
                "rule": rule,
                "begin": begin,
                "output's deviation at first": float(np.mean(starts)),
                "nMSE": f"{errors.mean():.4f}",
                "worst": f"{errors.max():.4f}",
                "coherence": f"{np.mean([run[2] for run in runs]):.2f}",
                "seeds": len(seeds),
            }
        )
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    return rows


def float_online(task: Task, seed: int) -> Network:
    """Kickback in float32 from the same weights, one sample at a time, by the same rates."""
    network, y = build(task, "coherent", seed), 2 * task.split.y_train - 1
    for epoch, rate in enumerate(ONLINE_RATES):
        fit(
            network,
            task.split.x_train,
            y,
            rule="kickback",
            loss="mse",
            epochs=1,
            batch=1,
            optimiser="sgd",
            momentum=0.0,
            # Half the squares' derivative is what the integer rule has for its error.
            learning_rate=2.0 ** -(rate + 1),
            decay="none",
            validation=0.0,
            seed=len(ONLINE_RATES) * seed + epoch,
        )
    return network


def integer(task: Task, seed: int, **formats: Any) -> OnlineKickback:
    """Kickback in integers, one sample at a time."""
    network, y = build(task, "coherent", seed), task.split.y_train
    loss = formats.get("loss", "mse")
    learner = OnlineKickback(network, calibrate=task.split.x_train[:256], seed=seed, **formats)
    targets = 2 * y - 1 if loss == "mse" else y
    learner.fit(task.split.x_train, targets, rates=ONLINE_RATES, seed=seed)
    return learner


def online(task: Task, seeds: Sequence[int]) -> list[Row]:
    """Eight bits with and without random bits against floating point, sample by sample."""
    makers: dict[str, Callable[[int], Any]] = {
        "float32": lambda seed: float_online(task, seed),
        "16 bits, nearest": lambda s: integer(task, s, weight_bits=16, random_bits=0),
        "8 bits, stochastic": lambda s: integer(task, s, weight_bits=8),
        "8 bits, nearest": lambda s: integer(task, s, weight_bits=8, random_bits=0),
        "8 bits, stochastic, squared hinge": lambda s: integer(task, s, loss="squared-hinge"),
    }
    rows: list[Row] = []
    reference = 0.0
    for name, make in makers.items():
        errors = np.array([task.score(make(seed)) for seed in seeds])
        reference = reference or float(errors.mean())
        rows.append(
            {
                "weights": name,
                "right %": f"{100 - errors.mean():.2f}",
                "+-": f"{errors.std():.2f}",
                "to float": f"{reference - errors.mean():+.2f} points",
                "seeds": len(seeds),
                "errors": " ".join(f"{error:.3g}" for error in errors),
            }
        )
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    return rows


def versus(data: Dataset, seeds: Sequence[int]) -> list[Row]:
    """Ten classes, each against the rest, by the first 20 000 training samples."""
    rows: list[Row] = []
    x, y = data.x_train[:20_000], data.y_train[:20_000]
    empty = Split(x, y.astype(np.float32), data.x_test, data.y_test.astype(np.float32))
    task = Task("MNIST", empty, (32, 32), "bernoulli", 3, 64)
    for rule, begin in ROWS[:3]:
        right = []
        for seed in seeds:
            classes = OneVersusRest(partial(build_class, task, begin, 10 * seed), data.classes)
            classes.fit(x, y, rule=rule, epochs=task.epochs, learning_rate=3e-3, seed=seed)
            right.append(100 * classes.accuracy(data.x_test, data.y_test))
        rows.append(
            {
                "rule": rule,
                "networks": f"{data.classes} x 784-32-32-1",
                "right %": f"{np.mean(right):.2f}",
                "+-": f"{np.std(right):.2f}",
                "seeds": len(seeds),
            }
        )
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    return rows


def build_class(task: Task, begin: str, first: int, k: int) -> Network:
    """Build the network of class ``k``, with its own seed."""
    return build(task, begin, first + k)


def tables(
    data: Path | None, arm: Path | None, seeds: Sequence[int]
) -> dict[str, Callable[[], list[Row]]]:
    """What can be made from the files that are given."""
    found: dict[str, Callable[[], list[Row]]] = {"one-layer": lambda: one_layer(seeds)}
    if arm is not None:
        kin = Task("kin8nm", kin8nm(arm), (50, 50), "mse", 100, 32)
        found |= {"kin8nm": lambda: rules(kin, seeds), "depth": lambda: depth(kin, seeds)}
    if data is not None:
        digits = Dataset.load(data)
        pair = Task("MNIST 4 or 9", mnist_pair(digits, 4, 9), (50, 50), "bernoulli", 10, 64)
        odd = Task("MNIST odd", mnist_odd(digits), (50, 50), "bernoulli", 5, 64)
        found |= {
            "online": lambda: online(pair, seeds),
            "pair": lambda: rules(pair, seeds),
            "odd": lambda: rules(odd, seeds),
            "versus": lambda: versus(digits, seeds),
        }
    return found


def main() -> None:
    """Train and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="MNIST as .npz")
    parser.add_argument("--kin8nm", type=Path, help="kin8nm as text, the target last")
    parser.add_argument(
        "--seeds",
        type=seeds_of,
        default="0,1,2,3,4",
        help="joined by commas, of which the first chooses",
    )
    parser.add_argument(
        "--only", help="one table: one-layer, kin8nm, depth, online, pair, odd or versus"
    )
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    made = tables(arguments.data, arguments.kin8nm, arguments.seeds)
    if arguments.only is not None and arguments.only not in made:
        parser.error(f"--only must be {', '.join(made)} with these files, not {arguments.only}")
    rows: list[Row] = []
    for name, make in made.items():
        if arguments.only in (None, name):
            print(f"\n{name}\n", flush=True)
            found = make()
            print(f"\n{table(found)}", flush=True)
            rows += [{"table": name, **row} for row in found]
            write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
