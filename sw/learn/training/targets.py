# SPDX-License-Identifier: Apache-2.0
"""Labels and targets: of the kind that a loss takes, and what counts as right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.data import array_of
from spikewright.learn.tape import Array
from spikewright.network import Network
from spikewright.sim.errors import DataError

BINARY = ("bernoulli", "hinge")
"""Losses whose single output decides between two classes by its sign."""


def prepare(network: Network, y: Any, length: int, loss: str) -> Array:
    """Check labels or targets and return them as the loss takes them.

    ======================  ==================  =========================================
    loss                    outputs             y
    ======================  ==================  =========================================
    cross-entropy, hinge    one for each class  (frames,) labels
    bernoulli, hinge        1                   (frames,) or (frames, 1), labels 0 and 1
    bernoulli               any number          (frames, outputs) from 0 to 1, or labels
    mse, l1                 any number          (frames, outputs) real numbers, or labels
    mse, l1                 1                   (frames,) or (frames, 1) real numbers
    ======================  ==================  =========================================

    Labels for bernoulli, mse and l1 with more than one output become one-hot targets.

    Parameters
    ----------
    network : Network
    y : array_like
    length : int
        Number of samples.
    loss : str
        A name in :data:`~spikewright.learn.training.losses.LOSSES`.

    Returns
    -------
    (frames,) ndarray of int64, or (frames, n_out) ndarray of float32

    Raises
    ------
    DataError
        If they are of the wrong kind or shape for the loss or the network.
    """
    values, outputs = array_of("y", y), network.n_out
    if loss == "cross-entropy" and outputs == 1:
        raise DataError(
            "Loss cross-entropy needs an output for each of at least 2 classes, and the network "
            "has 1: use bernoulli for two classes"
        )
    if loss == "cross-entropy" or (loss == "hinge" and outputs > 1):
        return network.check_labels(values, length)
    if outputs > 1 and values.ndim == 1:
        classes = network.check_labels(values, length)
        return np.eye(outputs, dtype=np.float32)[classes]
    return _real(values, (length, outputs), loss)


def _real(values: NDArray[Any], shape: tuple[int, int], loss: str) -> NDArray[np.float32]:
    """Targets as real numbers, for one output also given without its axis."""
    if shape[1] == 1 and values.shape == shape[:1]:
        values = values[:, None]
    if values.shape != shape:
        alone = f" or {shape[:1]}" if shape[1] == 1 else ""
        raise DataError(f"y must have shape {shape}{alone}, not {values.shape}")
    if values.dtype.kind not in "buif" or not np.isfinite(values).all():
        raise DataError("y must hold finite real numbers")
    if loss == "hinge" and not np.isin(values, (0, 1)).all():
        raise DataError("y must hold labels 0 and 1 for loss hinge and one output")
    if loss == "bernoulli" and (values.min() < 0 or values.max() > 1):
        raise DataError(
            f"y must hold values from 0 to 1 for loss bernoulli, not {values.min():g} to "
            f"{values.max():g}"
        )
    return np.ascontiguousarray(values, np.float32)


def correct(outputs: Array, targets: Array, loss: str) -> int | None:
    """Count right classes; None for targets that are no classes.

    Parameters
    ----------
    outputs : (frames, n_out) ndarray
    targets : ndarray
        As :func:`prepare` returns them.
    loss : str
    """
    if targets.ndim == 1:
        return int(np.count_nonzero(outputs.argmax(axis=1) == targets))
    if loss in BINARY and targets.shape[1] == 1:
        return int(np.count_nonzero((outputs > 0) == (targets > 0.5)))
    return None
