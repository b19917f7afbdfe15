# SPDX-License-Identifier: Apache-2.0
"""Sequences of several lengths: recurrent networks on JapaneseVowels, which of nine speakers it is.

Kudo, Toyama and Shimbo, Multidimensional curve classification using passing-through regions, 1999:
270 utterances to train on, 370 to test on, 12 features a step, 7 to 29 steps. The recipe was chosen
by three folds of the training set.
"""

import argparse
import statistics
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _timing import seeds_of, single_thread, table, write_json
from numpy.typing import NDArray

from spikewright.learn.fit import fit
from spikewright.learn.layers import Dense, Dropout, Gru, Lstm
from spikewright.learn.layers.sequences import pad
from spikewright.network import Network
from spikewright.sim.errors import SpikewrightWarning

Series = list[NDArray[np.float64]]

SIZE, DROPOUT = 100, 0.5
TRAINING: dict[str, Any] = {"epochs": 60, "batch": 16, "learning_rate": 0.003, "l2": 1e-3}
CELLS = {"GRU": Gru, "LSTM": Lstm}


def read(path: Path) -> tuple[Series, NDArray[np.int64]]:
    """Utterances (steps, features) and speakers from 0 of a .ts file."""
    _, _, body = path.read_text().partition("@data\n")
    series, speakers = [], []
    for line in body.splitlines():
        *channels, speaker = line.split(":")
        series.append(np.array([c.split(",") for c in channels], float).T)
        speakers.append(int(speaker) - 1)
    return series, np.array(speakers)


def accuracy(cell: str, seed: int, train: Any, test: Any) -> tuple[float, float]:
    """Share of the test recognised, and seconds of training."""
    (x, y), (x_test, y_test) = train, test
    features = x.shape[2] - 1
    layers = [CELLS[cell](features, SIZE, masked=True), Dropout(DROPOUT), Dense(SIZE, 9)]
    network = Network(layers, shape=x.shape[1:], seed=seed)
    history = fit(network, x, y, seed=seed, validation=0, **TRAINING)
    return network.accuracy(x_test, y_test), sum(entry["seconds"] or 0 for entry in history)


def main() -> None:
    """Train and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="JapaneseVowels_TRAIN.ts")
    parser.add_argument("--test", type=Path, required=True, help="JapaneseVowels_TEST.ts")
    parser.add_argument("--seeds", type=seeds_of, default="0,1,2", help="joined by commas")
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SpikewrightWarning)
    parts = [read(arguments.train), read(arguments.test)]
    steps = np.concatenate(parts[0][0])
    mean, deviation = steps.mean(axis=0), steps.std(axis=0)
    longest = max(len(one) for series, _ in parts for one in series)
    train, test = (
        (pad([(one - mean) / deviation for one in series], longest), speakers)
        for series, speakers in parts
    )
    rows = []
    for cell in CELLS:
        runs = [accuracy(cell, seed, train, test) for seed in arguments.seeds]
        shares = [100 * share for share, _ in runs]
        rows.append(
            {
                "network": f"{cell} 12-{SIZE}-9",
                "accuracy (%)": round(statistics.mean(shares), 2),
                "lowest": round(min(shares), 2),
                "highest": round(max(shares), 2),
                "seeds": len(runs),
                "training (s)": statistics.median(seconds for _, seconds in runs),
            }
        )
    print(table(rows))
    write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
