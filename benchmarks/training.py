# SPDX-License-Identifier: Apache-2.0
"""Training for one epoch: Spikewright's ``fit`` against PyTorch and snnTorch, one thread, CPU time.

All train on the same float32 samples in batches of 64, with the same learning rate; PyTorch runs
eagerly on slices of the samples (no DataLoader), ours shuffles and keeps its history as always. The
spiking networks hold their input as a current, whose product both compute once a frame. Needs
PyTorch and snnTorch: ``pip install torch snntorch``.
"""

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import snntorch
import torch
from _timing import interleave, single_thread, table, write_json
from numpy.typing import NDArray
from torch import nn

from spikewright.data import Dataset
from spikewright.learn.fit import fit
from spikewright.network import Network

BATCH = 64
RATES = {"sgd": 0.1, "adam": 1e-3}
STEPS, TAU, SLOPE = 10, 0.01, 5.0
LEAK = 1 - np.exp(-1e-3 / TAU)
CASES = [
    ("784-128-10", "relu", "sgd"),
    ("784-128-10", "relu", "adam"),
    ("784-256-128-10", "relu", "sgd"),
    ("784-256-128-10", "relu", "adam"),
    ("784-128-10", "lif", "adam"),
]


class Dense(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, sizes: list[int]):
        super().__init__()
        pairs = list(itertools.pairwise(sizes))
        layers: list[nn.Module] = []
        for pair in pairs:
            layers += [nn.Linear(*pair), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.layers(x)


class Spiking(nn.Module):
    """Linear layers with snnTorch's Leaky between them; the last one never fires."""

    def __init__(self, sizes: list[int]):
        super().__init__()
        slope = snntorch.surrogate.fast_sigmoid(slope=SLOPE)
        kinds: dict[str, Any] = {"beta": 1 - LEAK, "spike_grad": slope, "reset_delay": False}
        self.products = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.neurons = nn.ModuleList(snntorch.Leaky(**kinds) for _ in sizes[2:])
        self.neurons.append(snntorch.Leaky(**kinds, reset_mechanism="none"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Voltages of the last layer after the last step."""
        held = self.products[0](x)
        states = [neuron.init_leaky() for neuron in self.neurons]
        for _ in range(STEPS):
            current = held
            for k, neuron in enumerate(self.neurons):
                current = self.products[k](current) if k else current
                current, states[k] = neuron(current, states[k])
        return states[-1]


def ours(x: NDArray[np.float32], y: NDArray[np.int64], case: tuple[str, str, str]) -> None:
    """Train one epoch with ``fit``."""
    spec, neuron, optimiser = case
    fit(
        Network.from_spec(spec, neuron=neuron, steps=STEPS, tau=TAU),
        x,
        y,
        epochs=1,
        batch=BATCH,
        optimiser=optimiser,
        momentum=0.0,
        learning_rate=RATES[optimiser],
        decay="none",
        validation=0.0,
    )


def theirs(x: torch.Tensor, y: torch.Tensor, case: tuple[str, str, str]) -> None:
    """Train one epoch with PyTorch, and snnTorch for spikes."""
    spec, neuron, optimiser = case
    kind: Callable[[list[int]], nn.Module] = Spiking if neuron == "lif" else Dense
    model = kind([int(size) for size in spec.split("-")])
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimiser]
    update = rule(model.parameters(), lr=RATES[optimiser])
    for start in range(0, len(x), BATCH):
        update.zero_grad()
        logits = model(x[start : start + BATCH])
        nn.functional.cross_entropy(logits, y[start : start + BATCH]).backward()
        update.step()


def load(path: Path | None) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Training samples of a data file, or 60 000 synthetic ones."""
    if path is not None:
        data = Dataset.load(path)
        return data.x_train, data.y_train
    rng = np.random.default_rng(0)
    return rng.random((60_000, 784), np.float32), rng.integers(0, 10, 60_000)


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="MNIST as .npz; synthetic if not given")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    x, y = load(arguments.data)
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    rows = []
    for case in CASES:
        spec, neuron, optimiser = case
        seconds = interleave(
            {
                "ours": lambda c=case: ours(x, y, c),
                "theirs": lambda c=case: theirs(*tensors, c),
            },
            rounds=arguments.rounds,
        )
        rows.append(
            {
                "network": f"{spec} {neuron}" + (f", {STEPS} steps" if neuron == "lif" else ""),
                "optimiser": optimiser,
                "spikewright (CPU s)": seconds["ours"],
                "peer": "snnTorch" if neuron == "lif" else "PyTorch",
                "peer (CPU s)": seconds["theirs"],
                "ratio": seconds["ours"] / seconds["theirs"],
            }
        )
    print(table(rows))
    write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
