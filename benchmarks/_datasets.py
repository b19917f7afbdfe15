# SPDX-License-Identifier: Apache-2.0
"""Data sets that the benchmarks read from files of their user."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikewright.data import Dataset

SPLIT_SEED = 0
"""Seed of the splits that a data set does not come with."""

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Split:
    """Samples (n, features) and targets (n,) to train on, validation included, and to test on."""

    x_train: NDArray[np.float32]
    y_train: NDArray[np.float32]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.float32]


def kin8nm(path: Path) -> Split:
    """Kinematics of a robot arm: a text file of 8192 rows, 8 inputs and the target.

    The rows are shuffled by :data:`SPLIT_SEED`; the last fifth is the test set. Inputs and targets
    are standardised by the means and deviations of the rest.
    """
    rows = np.loadtxt(path)
    rows = rows[np.random.default_rng(SPLIT_SEED).permutation(len(rows))]
    count = len(rows) - int(TEST_SHARE * len(rows))
    rows = (rows - rows[:count].mean(axis=0)) / rows[:count].std(axis=0)
    x, y = rows[:, :-1].astype(np.float32), rows[:, -1].astype(np.float32)
    return Split(x[:count], y[:count], x[count:], y[count:])


def mnist_pair(data: Dataset, one: int, other: int) -> Split:
    """Tell two classes apart: 1 for ``one``, 0 for ``other``; MNIST's own test set."""
    train, test = (np.isin(y, (one, other)) for y in (data.y_train, data.y_test))
    return Split(
        data.x_train[train],
        (data.y_train[train] == one).astype(np.float32),
        data.x_test[test],
        (data.y_test[test] == one).astype(np.float32),
    )


def mnist_odd(data: Dataset) -> Split:
    """Tell odd digits, 1, from even ones, 0; MNIST's own test set."""
    return Split(
        data.x_train,
        (data.y_train % 2).astype(np.float32),
        data.x_test,
        (data.y_test % 2).astype(np.float32),
    )
