# SPDX-License-Identifier: Apache-2.0
import re
from typing import Any

import numpy as np
import pytest

from spikewright.learn.training.targets import correct, prepare
from spikewright.network import Network
from spikewright.sim.errors import DataError

THREE, ONE = Network.from_spec("2-3"), Network.from_spec("2-1")
LABELS = [2, 0, 1, 1]
BITS = [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("network", "loss", "y", "wanted"),
    [
        (THREE, "cross-entropy", LABELS, np.array(LABELS)),
        (THREE, "hinge", LABELS, np.array(LABELS)),
        (THREE, "mse", LABELS, np.eye(3)[LABELS]),
        (THREE, "bernoulli", LABELS, np.eye(3)[LABELS]),
        (THREE, "l1", np.eye(3)[LABELS] * 7, np.eye(3)[LABELS] * 7),
        (ONE, "mse", [0.5, -1, 2, 3], np.array([[0.5], [-1], [2], [3]])),
        (ONE, "l1", [[1], [2], [3], [4]], np.array([[1.0], [2], [3], [4]])),
        (ONE, "bernoulli", BITS, np.array(BITS)[:, None]),
        (ONE, "bernoulli", np.array(BITS, np.bool_), np.array(BITS)[:, None]),
        (ONE, "hinge", np.array(BITS)[:, None], np.array(BITS)[:, None]),
    ],
)
def test_targets_are_as_the_loss_takes_them(
    network: Network, loss: str, y: Any, wanted: np.ndarray
) -> None:
    got = prepare(network, y, 4, loss)
    np.testing.assert_array_equal(got, wanted)
    assert got.dtype == (np.int64 if wanted.ndim == 1 else np.float32)


def test_right_classes_are_counted() -> None:
    outputs = np.array([[1.0, 2, 0], [3, 0, 0], [0, 0, 1]])
    assert correct(outputs, np.array([1, 0, 0]), "hinge") == 2
    single = np.array([[0.5], [-0.5], [2.0]])
    for loss in ("bernoulli", "hinge"):
        assert correct(single, np.array([[1], [1], [1]]), loss) == 2
    assert correct(single, np.array([[1], [1], [1]]), "mse") is None
    assert correct(outputs, np.eye(3), "bernoulli") is None


@pytest.mark.parametrize(
    ("network", "loss", "y", "sentence"),
    [
        (
            THREE,
            "cross-entropy",
            [0.5, 1, 2, 0],
            "y must hold integer class labels, not float64",
        ),
        (THREE, "hinge", np.eye(3)[LABELS], "y must hold integer class labels, not float64"),
        (THREE, "mse", [0, 1], "y must hold 4 labels, not 2"),
        (
            ONE,
            "cross-entropy",
            BITS,
            (
                "Loss cross-entropy needs an output for each of at least 2 classes, and the "
                "network has 1: use bernoulli for two classes"
            ),
        ),
        (ONE, "hinge", [1, -1, 1, 1], "y must hold labels 0 and 1 for loss hinge and one output"),
        (
            ONE,
            "bernoulli",
            [0.0, 1.5, -1, 0],
            "y must hold values from 0 to 1 for loss bernoulli, not -1 to 1.5",
        ),
        (ONE, "mse", np.zeros((4, 2)), "y must have shape (4, 1) or (4,), not (4, 2)"),
        (THREE, "l1", np.zeros((4, 2)), "y must have shape (4, 3), not (4, 2)"),
        (ONE, "mse", [1, 2, np.inf, 3], "y must hold finite real numbers"),
        (ONE, "mse", [[1], [2, 3]], "y must be an array, and its rows differ in shape"),
        (ONE, "mse", ["a", "b", "c", "d"], "y must hold finite real numbers"),
    ],
)
def test_the_wrong_kind_is_refused(network: Network, loss: str, y: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        prepare(network, y, 4, loss)
