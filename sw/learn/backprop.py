# SPDX-License-Identifier: Apache-2.0
"""Training by gradients: ``fit`` and the rule of backpropagation."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.losses import LOSSES
from spikewright.learn.tape import Array, Recording, Value
from spikewright.learn.training import (
    RATES,
    UPDATES,
    History,
    Options,
    Progress,
    Rule,
    Step,
    Training,
)
from spikewright.network import Network
from spikewright.sim.errors import DataError, ProgramError


class Backprop:
    """Gradients by reverse-mode differentiation, through time where the network spikes.

    Parameters
    ----------
    network : Network
    loss : str
        A name in :data:`~spikewright.learn.losses.LOSSES`.
    """

    def __init__(self, network: Network, loss: str):
        self.network, self.loss = network, loss
        self._recordings: dict[int, tuple[Recording, Value, Value, list[Array]]] = {}

    def step(self, x: Array, targets: Array, rows: NDArray[np.int64], *, seed: int) -> Step:
        """Evaluate the frames ``rows`` of ``x``; ``seed`` seeds the rate coding."""
        if len(rows) not in self._recordings:
            self._recordings[len(rows)] = self._record(len(rows), targets)
        run, wanted, loss, gradients = self._recordings[len(rows)]
        self.network.encode(x, rows, run.x.data, seed=seed)
        np.take(targets, rows, axis=0, out=wanted.data, mode="clip")
        run.tape.replay()
        run.tape.backward(loss)
        return Step(float(loss.data), run.logits.data, gradients)

    def _record(self, frames: int, targets: Array) -> tuple[Recording, Value, Value, list[Array]]:
        run = self.network.record(frames, gradients=True)
        wanted = run.tape.constant(np.zeros((frames, *targets.shape[1:]), targets.dtype))
        loss = LOSSES[self.loss](run.logits, wanted)
        parameters = self.network.parameters()
        return run, wanted, loss, [run.tape.parameter(p).gradient() for p in parameters]


RULES: dict[str, Callable[[Network, str], Rule]] = {"backprop": Backprop}
"""Learning rules by the name :func:`fit` takes: from a network and a loss."""


def fit(
    network: Network,
    x: Any,
    y: Any,
    *,
    rule: str = "backprop",
    epochs: int | None = None,
    batch: int = 64,
    optimiser: str = "adam",
    learning_rate: float | None = None,
    momentum: float = 0.9,
    decay: str = "cosine",
    loss: str = "cross-entropy",
    seed: int = 0,
    validation: float = 0.1,
    patience: int | None = None,
    progress: Progress | None = None,
) -> History:
    """Train a network in place; the same arguments give the same bits on the same machine.

    Parameters
    ----------
    network : Network
    x : (frames, ...) array_like
        Samples.
    y : (frames,) array_like of int, or (frames, n_out) array_like of float
        Class labels, or targets for ``loss="mse"``.
    rule : str
        A name in :data:`RULES`.
    epochs : int, optional
        Passes over the training samples; enough for 4000 updates if not given.
    batch : int
        Frames per update.
    optimiser : {"adam", "sgd"}
    learning_rate : float, optional
        At the start; 0.003 for Adam and 0.1 for SGD if not given.
    momentum : float
        Of SGD, from 0 to below 1; unused by Adam.
    decay : {"cosine", "none"}
        Whether the rate falls to zero along a cosine or stays.
    loss : {"cross-entropy", "mse"}
    seed : int
        Seed of the validation split, the batches and the rate coding.
    validation : float
        Share of the samples, drawn at random, that is not trained on; 0 for none.
    patience : int, optional
        Stop after so many epochs without a lower validation loss, and go back to the parameters
        that had the lowest.
    progress : callable, optional
        See :data:`~spikewright.learn.training.Progress`.

    Returns
    -------
    list of dict
        train_loss, train_accuracy, validation_loss, validation_accuracy and seconds of every
        epoch; accuracies are shares, None for targets that are no classes, and validation is None
        without one. Also appended to ``network.history``.

    Raises
    ------
    DataError
        If samples or labels do not fit the network, or training diverges.
    ProgramError
        If an option is wrong.

    Notes
    -----
    Set the environment variable ``OPENBLAS_NUM_THREADS=1`` before NumPy is imported: products of
    this size run up to ten times slower where BLAS threads wait for each other on a busy machine.
    """
    if rule not in RULES:
        raise ProgramError(f"Rule must be {' or '.join(RULES)}, not {rule!r}")
    samples = network.check_samples(x)
    options = Options(
        epochs=_epochs(len(samples), batch, validation) if epochs is None else epochs,
        batch=batch,
        optimiser=optimiser,
        learning_rate=RATES.get(optimiser, 1.0) if learning_rate is None else learning_rate,
        momentum=momentum,
        decay=decay,
        loss=loss,
        seed=seed,
        validation=validation,
        patience=patience,
    )
    targets = _targets(network, y, len(samples), loss)
    return Training(network, RULES[rule](network, loss), samples, targets, options, progress).run()


def _epochs(frames: int, batch: int, validation: float) -> int:
    """Epochs that make :data:`UPDATES` updates; wrong options give any number."""
    trained = math.floor(frames * (1 - validation))
    return math.ceil(UPDATES / max(1, math.ceil(trained / max(1, batch))))


def _targets(network: Network, y: Any, length: int, loss: str) -> Array:
    """Labels as integers, or targets as (frames, n_out) float32; labels become one-hot for mse."""
    values = np.asarray(y)
    if loss == "cross-entropy" or values.ndim == 1:
        classes = network.check_labels(values, length)
        if loss == "cross-entropy":
            return classes
        return np.eye(network.n_out, dtype=np.float32)[classes]
    if values.shape != (length, network.n_out):
        raise DataError(f"y must have shape {(length, network.n_out)}, not {values.shape}")
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise DataError("y must hold finite real numbers")
    return np.ascontiguousarray(values, np.float32)
