# SPDX-License-Identifier: Apache-2.0
"""Training 784-128-10 for one epoch: Spikewright's ``fit`` against PyTorch, one thread, CPU time.

Both train on the same float32 samples in batches of 64, with the same learning rate; PyTorch runs
eagerly on slices of the samples (no DataLoader), ours shuffles and keeps its history as always.
Needs PyTorch: ``pip install torch``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from _timing import interleave, single_thread, table, write_json
from numpy.typing import NDArray
from torch import nn

from spikewright.data import Dataset
from spikewright.learn.fit import fit
from spikewright.network import Network

BATCH = 64
RATES = {"sgd": 0.1, "adam": 1e-3}


def ours(x: NDArray[np.float32], y: NDArray[np.int64], optimiser: str) -> None:
    """Train one epoch with ``fit``."""
    fit(
        Network.from_spec("784-128-10"),
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


def theirs(x: torch.Tensor, y: torch.Tensor, optimiser: str) -> None:
    """Train one epoch with PyTorch."""
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimiser]
    update = kind(model.parameters(), lr=RATES[optimiser])
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
    for optimiser in RATES:
        seconds = interleave(
            {
                "ours": lambda o=optimiser: ours(x, y, o),
                "theirs": lambda o=optimiser: theirs(*tensors, o),
            },
            rounds=arguments.rounds,
        )
        rows.append(
            {
                "optimiser": optimiser,
                "spikewright (CPU s)": seconds["ours"],
                "pytorch (CPU s)": seconds["theirs"],
                "ratio": seconds["ours"] / seconds["theirs"],
            }
        )
    print(table(rows))
    write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
