# SPDX-License-Identifier: Apache-2.0
"""The training loop that every learning rule shares: batches, decay, validation, stopping."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.losses import LOSSES
from spikewright.learn.optimisers import Adam, Optimiser, Sgd
from spikewright.learn.tape import Array, Tape
from spikewright.network import Network
from spikewright.sim.errors import DataError, ProgramError

History = list[dict[str, float | None]]
"""One entry an epoch; :func:`spikewright.learn.backprop.fit` names the keys."""

Progress = Callable[[int, int, History], None]
"""Called after every batch with the batches done, their total and the epochs so far."""

RATES = {"adam": 3e-3, "sgd": 0.1}
"""Learning rate of each optimiser where none is given."""

UPDATES = 4000
"""Updates that the epochs make at least where their number is not given."""

DECAYS = ("cosine", "none")
"""How the learning rate falls."""


@dataclass(frozen=True)
class Step:
    """What a rule makes of one batch.

    Attributes
    ----------
    loss : float
        Mean loss of the batch.
    outputs : (frames, n_out) ndarray
        Logits, overwritten by the next batch.
    gradients : list of ndarray
        One for each of the network's parameters, overwritten by the next batch.
    """

    loss: float
    outputs: Array
    gradients: list[Array]


class Rule(Protocol):
    """A learning rule: gradients, or what takes their place, from a batch."""

    def step(self, x: Array, targets: Array, rows: NDArray[np.int64], *, seed: int) -> Step:
        """Evaluate the frames ``rows`` of ``x``; ``seed`` seeds the rate coding."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Checked options of a training run, see :func:`spikewright.learn.backprop.fit`.

    Raises
    ------
    ProgramError
        If one is wrong.
    """

    epochs: int
    batch: int
    optimiser: str
    learning_rate: float
    momentum: float
    decay: str
    loss: str
    seed: int
    validation: float
    patience: int | None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("Optimiser", self.optimiser, RATES),
            ("Decay", self.decay, DECAYS),
            ("Loss", self.loss, LOSSES),
        ):
            if value not in known:
                raise ProgramError(f"{name} must be {' or '.join(known)}, not {value!r}")
        for name, count, least in (
            ("Epochs", self.epochs, 1),
            ("Batch", self.batch, 1),
            ("Seed", self.seed, 0),
            ("Patience", 1 if self.patience is None else self.patience, 1),
        ):
            if not isinstance(count, int) or count < least:
                raise ProgramError(f"{name} must be an integer from {least}, not {count!r}")
        if not 0 < self.learning_rate < math.inf:
            raise ProgramError(
                f"Learning rate must be positive and finite, not {self.learning_rate!r}"
            )
        if not 0 <= self.validation < 1:
            raise ProgramError(
                f"Validation share must be at least 0 and below 1, not {self.validation!r}"
            )
        if self.patience is not None and not self.validation:
            raise ProgramError("Early stopping needs a validation share above 0, not 0")

    def rate(self, done: float) -> float:
        """Learning rate after the share ``done`` (0 to 1) of all batches."""
        if self.decay == "none":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def make_optimiser(self, parameters: list[Array]) -> Optimiser:
        """Return the optimiser with its state."""
        if self.optimiser == "sgd":
            return Sgd(parameters, momentum=self.momentum)
        return Adam(parameters)


class Training:
    """One run of :func:`spikewright.learn.backprop.fit`.

    Parameters
    ----------
    network : Network
        Trained in place.
    rule : Rule
    x : (frames, n_in) ndarray of float32
    targets : (frames,) ndarray of int, or (frames, n_out) ndarray of float32
    options : Options
    progress : callable, optional

    Raises
    ------
    DataError
        If the validation share leaves nothing to train on.
    """

    def __init__(
        self,
        network: Network,
        rule: Rule,
        x: Array,
        targets: Array,
        options: Options,
        progress: Progress | None,
    ):
        self.network, self.rule, self.options, self.progress = network, rule, options, progress
        self.x, self.targets = x, targets
        self.history: History = []
        self._rng = np.random.default_rng(options.seed)
        self._optimiser = options.make_optimiser(network.parameters())
        held_out = math.ceil(options.validation * len(x))
        if held_out == len(x):
            raise DataError(
                f"Validation share {options.validation:g} of {len(x)} samples leaves none to "
                "train on: give more samples or a smaller share"
            )
        order = self._rng.permutation(len(x))
        self._rows, held = order[held_out:], order[:held_out]
        self._check = (x[held], targets[held]) if held_out else None
        self._done, self._total = 0, options.epochs * math.ceil(len(self._rows) / options.batch)

    def run(self) -> History:
        """Train to the last epoch or until the validation loss stops falling.

        Raises
        ------
        DataError
            If the loss becomes infinite.
        """
        best, best_epoch, patience = math.inf, 0, self.options.patience
        parameters = self.network.parameters()
        kept = [parameter.copy() for parameter in parameters] if patience else []
        for epoch in range(self.options.epochs):
            # A diverging loss is reported below, in a sentence instead of NumPy's warnings.
            with np.errstate(over="ignore", invalid="ignore"):
                entry = self._epoch()
            self.history.append(entry)
            self.network.history.append(entry)
            loss = entry["validation_loss"]
            if patience and loss is not None:
                if loss < best:
                    best, best_epoch = loss, epoch
                    _copy(parameters, kept)
                elif epoch - best_epoch >= patience:
                    break
        if patience:
            _copy(kept, parameters)
        return self.history

    def _epoch(self) -> dict[str, float | None]:
        """Train on every sample once, in a new order."""
        started = time.perf_counter()
        options, seed = self.options, int(self._rng.integers(1 << 62))
        order = self._rng.permutation(self._rows)
        loss, correct = 0.0, 0
        for start in range(0, len(order), options.batch):
            rows = order[start : start + options.batch]
            step = self.rule.step(self.x, self.targets, rows, seed=seed)
            loss += step.loss * len(rows)
            correct += _correct(step.outputs, self.targets[rows])
            self._optimiser.step(step.gradients, options.rate(self._done / self._total))
            self._done += 1
            if self.progress is not None:
                self.progress(self._done, self._total, self.history)
        if not math.isfinite(loss):
            raise DataError(
                f"Training diverged in epoch {len(self.history) + 1}: lower the learning rate of "
                f"{options.learning_rate:g} or scale the samples"
            )
        classes = self.targets.ndim == 1
        entry = {
            "train_loss": loss / len(order),
            "train_accuracy": correct / len(order) if classes else None,
            **self._validate(),
        }
        return {**entry, "seconds": time.perf_counter() - started}

    def _validate(self) -> dict[str, float | None]:
        if self._check is None:
            return {"validation_loss": None, "validation_accuracy": None}
        x, targets = self._check
        outputs = self.network.forward(x)
        tape = Tape(gradients=False)
        loss = LOSSES[self.options.loss](tape.constant(outputs), tape.constant(targets))
        accuracy = _correct(outputs, targets) / len(x) if targets.ndim == 1 else None
        return {"validation_loss": float(loss.data), "validation_accuracy": accuracy}


def _correct(outputs: Array, targets: Array) -> int:
    """Count right classes; 0 for targets that are no classes."""
    if targets.ndim != 1:
        return 0
    return int(np.count_nonzero(outputs.argmax(axis=1) == targets))


def _copy(sources: list[Array], destinations: list[Array]) -> None:
    for source, destination in zip(sources, destinations, strict=True):
        np.copyto(destination, source)
