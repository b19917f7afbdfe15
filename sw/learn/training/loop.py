# SPDX-License-Identifier: Apache-2.0
"""The training loop that every learning rule shares: batches, decay, validation, stopping."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.optimise.regularisers import Regularisers
from spikewright.learn.tape import Array, Tape
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
        self._done, self._total = 0, options.epochs * math.ceil(len(self._rows) / options.batch)

    def run(self) -> History:
        """Train to the last epoch or until the validation loss stops falling.

        Raises
        ------
        DataError
            If the loss or a parameter becomes infinite or no number; the network keeps the
            parameters of the last epoch that was whole.
        """
        best, best_epoch, patience = math.inf, 0, self.options.patience
        state = self.network.parameters() + self.network.buffers()
        good = [array.copy() for array in state]
        kept = [array.copy() for array in state] if patience else []
        for epoch in range(self.options.epochs):
            # A diverging loss is reported in a sentence instead of NumPy's warnings.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                try:
                    entry = self._epoch()
                except DataError:
                    _copy(kept if best < math.inf else good, state)
                    raise
            _copy(state, good)
            self.history.append(entry)
            self.network.history.append(entry)
            loss = entry["validation_loss"]
            if patience and loss is not None:
                if loss < best:
                    best, best_epoch = loss, epoch
                    _copy(state, kept)
                elif epoch - best_epoch >= patience:
                    break
        if patience:
            _copy(kept, state)
        return self.history

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
        if not all(np.isfinite(parameter).all() for parameter in self._parameters):
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

    def _diverged(self, outputs: Sequence[Array]) -> DataError:
        """Say in which layer: the last whose parameters burst, or the first whose output did."""
        layers = list(enumerate(self.network.layers))
        began = [
            (k, layer)
            for k, layer in reversed(layers)
            if not all(np.isfinite(array).all() for array in layer.parameters())
        ]
        began += [
            pair
            for pair, output in zip(layers, outputs, strict=False)
            if not np.isfinite(output).all()
        ]
        place = f"layer {began[0][0]}, {began[0][1]!r}" if began else "the loss"
        return DataError(
            f"Training diverged in epoch {len(self.history) + 1}, beginning in {place}: lower the "
            f"learning rate of {self.options.learning_rate:g} or scale the samples"
        )

    def _validate(self) -> dict[str, float | None]:
        if self._check is None:
            return {"validation_loss": None, "validation_accuracy": None}
        x, targets = self._check
        outputs = self.network.forward(x)
        tape = Tape(gradients=False)
        made = tape.constant(outputs), tape.constant(targets)
        loss = LOSSES[self.options.loss](*made, **self.options.loss_options)
        right = correct(outputs, targets, self.options.loss)
        accuracy = None if right is None else right / len(x)
        return {"validation_loss": float(loss.data), "validation_accuracy": accuracy}


def _copy(sources: Sequence[Array], destinations: Sequence[Array]) -> None:
    for source, destination in zip(sources, destinations, strict=True):
        np.copyto(destination, source)
