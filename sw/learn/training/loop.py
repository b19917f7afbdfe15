# SPDX-License-Identifier: Apache-2.0
"""The training loop that every learning rule shares: batches, decay, validation, stopping."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.optimise.regularisers import Regularisers
from spikewright.learn.tape import Array, Tape
from spikewright.learn.training.checkpoint import Checkpoints, Standing
from spikewright.learn.training.losses import LOSSES
from spikewright.learn.training.settings import Options
from spikewright.learn.training.targets import correct
from spikewright.network import Network
from spikewright.sim.errors import DataError

History = list[dict[str, float | None]]
"""One entry an epoch; :func:`spikewright.learn.fit.fit` names the keys."""

Progress = Callable[[int, int, History], None]
"""Called after every batch with the batches done, their total and the epochs so far."""

UPDATES = 4000
"""Updates that the epochs make at least where their number is not given."""


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
    layers : sequence of ndarray
        Output of each layer, overwritten by the next batch: where a diverging loss is traced to.
    notes : mapping of str to float
        What the rule has to tell of the batch; the history holds each one's mean.
    """

    loss: float
    outputs: Array
    gradients: list[Array]
    layers: Sequence[Array] = ()
    notes: Mapping[str, float] = field(default_factory=dict)


class Rule(Protocol):
    """A learning rule: gradients, or what takes their place, from a batch."""

    def step(self, x: Array, targets: Array, rows: NDArray[np.int64], *, seed: int) -> Step:
        """Evaluate the frames ``rows`` of ``x``; ``seed`` seeds the rate coding."""


class DivergenceError(DataError):
    """A training whose loss or parameters became infinite or no numbers."""


class Training:
    """One run of :func:`spikewright.learn.fit.fit`.

    Parameters
    ----------
    network : Network
        Trained in place.
    rule : Rule
    x : (frames, n_in) ndarray of float32
    targets : (frames,) ndarray of int, or (frames, n_out) ndarray of float32
    options : Options
    progress : callable, optional
    checkpoints : Checkpoints, optional

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
        checkpoints: Checkpoints | None = None,
    ):
        self.network, self.rule, self.options, self.progress = network, rule, options, progress
        self.checkpoints = checkpoints
        self.x, self.targets = x, targets
        self.history: History = []
        self._rng = np.random.default_rng(options.seed)
        self._regular = options.regularisers != Regularisers()
        self._noise = np.random.default_rng([options.seed, 1])
        self._parameters = network.parameters()
        self._optimiser = options.make_optimiser(self._parameters)
        held_out = math.ceil(options.validation * len(x))
        if held_out == len(x):
            raise DataError(
                f"Validation share {options.validation:g} of {len(x)} samples leaves none to "
                "train on: give more samples or a smaller share"
            )
        order = self._rng.permutation(len(x))
        self._rows, held = order[held_out:], order[:held_out]
        self._check = (x[held], targets[held]) if held_out else None
        self._batches = math.ceil(len(self._rows) / options.batch)
        self._done, self._total = 0, options.epochs * self._batches
        self._state = network.parameters() + network.buffers()
        self._best, self._best_epoch = math.inf, 0
        self._kept = [array.copy() for array in self._state] if options.patience else []

    def run(self) -> History:
        """Train to the last epoch or until the validation loss stops falling.

        Raises
        ------
        DivergenceError
            If the loss or a parameter becomes infinite or no number; the network keeps the
            parameters of the last epoch that was whole.
        DataError, FileError, ProgramError
            If the checkpoint to go on from is refused.
        """
        self._resume()
        good = [array.copy() for array in self._state]
        while not self._finished():
            # A diverging loss is reported in a sentence instead of NumPy's warnings.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                try:
                    entry = self._epoch()
                except DivergenceError:
                    _copy(self._kept if self._best < math.inf else good, self._state)
                    raise
            _copy(self._state, good)
            self.history.append(entry)
            self.network.history.append(entry)
            loss = entry["validation_loss"]
            if self._kept and loss is not None and loss < self._best:
                self._best, self._best_epoch = loss, len(self.history) - 1
                _copy(self._state, self._kept)
            self._checkpoint()
        if self._kept:
            _copy(self._kept, self._state)
        return self.history

    def _finished(self) -> bool:
        epochs, patience = len(self.history), self.options.patience
        stale = patience is not None and epochs - 1 - self._best_epoch >= patience
        return epochs >= self.options.epochs or stale

    def _arrays(self) -> list[Array]:
        """All that changes from epoch to epoch."""
        return [*self._state, *self._kept, *self._optimiser.state()]

    def _checkpoint(self) -> None:
        if self.checkpoints is None:
            return
        standing = Standing(
            epochs=len(self.history),
            best=self._best if self._best < math.inf else None,
            best_epoch=self._best_epoch,
            history=self.network.history,
            generators=[rng.bit_generator.state for rng in (self._rng, self._noise)],
        )
        self.checkpoints.write(standing, self._arrays(), last=self._finished())

    def _resume(self) -> None:
        """Go on from a checkpoint, if there is one to go on from."""
        generators = (self._rng, self._noise)
        found = self.checkpoints and self.checkpoints.read(self._arrays(), generators)
        if not found:
            return
        self.network.history[:] = found.history
        self.history = found.history[len(found.history) - found.epochs :]
        self._best = math.inf if found.best is None else found.best
        self._best_epoch = found.best_epoch
        self._done = found.epochs * self._batches

    def _epoch(self) -> dict[str, float | None]:
        """Train on every sample once, in a new order."""
        started = time.perf_counter()
        options, seed = self.options, int(self._rng.integers(1 << 62))
        order = self._rng.permutation(self._rows)
        loss, right = 0.0, 0
        notes: dict[str, float] = {}
        for start in range(0, len(order), options.batch):
            rows = order[start : start + options.batch]
            step = self._step(rows, seed)
            loss += step.loss * len(rows)
            for name, value in step.notes.items():
                notes[name] = notes.get(name, 0.0) + value * len(rows) / len(order)
            right += correct(step.outputs, self.targets[rows], options.loss) or 0
            self._done += 1
            if self.progress is not None:
                self.progress(self._done, self._total, self.history)
        if not all(np.isfinite(array).all() for array in self._state):
            raise self._diverged(())
        classes = correct(step.outputs[:0], self.targets[:0], options.loss) is not None
        entry = {
            "train_loss": loss / len(order),
            "train_accuracy": right / len(order) if classes else None,
            **self._validate(),
            **notes,
        }
        return {**entry, "seconds": time.perf_counter() - started}

    def _step(self, rows: NDArray[np.int64], seed: int) -> Step:
        """Evaluate a batch and update the parameters."""
        options, parameters = self.options, self._parameters
        kept = options.regularisers.disturb(parameters, self._noise) if self._regular else []
        try:
            step = self.rule.step(self.x, self.targets, rows, seed=seed)
        finally:
            if kept:
                _copy(kept, parameters)
        if not math.isfinite(step.loss):
            raise self._diverged(step.layers)
        if self._regular:
            options.regularisers.gradients(parameters, step.gradients)
        self._optimiser.step(step.gradients, options.rate(self._done / self._total))
        if self._regular:
            options.regularisers.constrain(parameters)
        return step

    def _diverged(self, outputs: Sequence[Array]) -> DivergenceError:
        """Say in which layer: the last whose parameters burst, or the first whose output did."""
        layers = list(enumerate(self.network.layers))
        began = [
            (k, layer)
            for k, layer in reversed(layers)
            if not all(np.isfinite(a).all() for a in layer.parameters() + layer.buffers())
        ]
        began += [
            pair
            for pair, output in zip(layers, outputs, strict=False)
            if not np.isfinite(output).all()
        ]
        place = f"layer {began[0][0]}, {began[0][1]!r}" if began else "the loss"
        return DivergenceError(
            f"Training diverged in epoch {len(self.history) + 1}, beginning in {place}: lower the "
            f"learning rate of {self.options.learning_rate:g} or scale the samples"
        )

    def _validate(self) -> dict[str, float | None]:
        if self._check is None:
            return {"validation_loss": None, "validation_accuracy": None}
        options = self.options
        loss, accuracy = evaluate(self.network, *self._check, options.loss, options.loss_options)
        if not math.isfinite(loss):
            raise self._diverged(self.network.trace(self._check[0]))
        return {"validation_loss": loss, "validation_accuracy": accuracy}


def evaluate(
    network: Network, x: Array, targets: Array, loss: str, options: Mapping[str, Any]
) -> tuple[float, float | None]:
    """Mean loss of samples that are not trained on, and the share of right classes.

    Parameters
    ----------
    network : Network
    x : (frames, n_in) ndarray of float32
    targets : ndarray
        As :func:`spikewright.learn.training.targets.prepare` returns them.
    loss : str
        A name in :data:`~spikewright.learn.training.losses.LOSSES`.
    options : mapping
        Of the loss.

    Returns
    -------
    loss : float
    accuracy : float or None
        None for targets that are no classes.
    """
    outputs = network.forward(x)
    tape = Tape(gradients=False)
    made = tape.constant(outputs), tape.constant(targets)
    mean = LOSSES[loss](*made, **options)
    right = correct(outputs, targets, loss)
    return float(mean.data), None if right is None else right / len(x)


def _copy(sources: Sequence[Array], destinations: Sequence[Array]) -> None:
    for source, destination in zip(sources, destinations, strict=True):
        np.copyto(destination, source)
