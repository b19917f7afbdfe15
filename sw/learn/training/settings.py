# SPDX-License-Identifier: Apache-2.0
"""Checked options of a training run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spikewright.learn.optimise.optimisers import OPTIMISERS, Optimiser
from spikewright.learn.optimise.regularisers import Regularisers
from spikewright.learn.optimise.schedules import SCHEDULES
from spikewright.learn.options import check_count, check_name, check_options, within
from spikewright.learn.tape import Array
from spikewright.learn.training.losses import LOSSES
from spikewright.sim.errors import ProgramError

MOMENTUM = ("sgd", "nesterov")
"""Optimisers that take the option momentum of :func:`~spikewright.learn.fit.fit`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Checked options of a training run, see :func:`spikewright.learn.fit.fit`.

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
    optimiser_options: Mapping[str, Any] = field(default_factory=dict)
    decay_options: Mapping[str, Any] = field(default_factory=dict)
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    regularisers: Regularisers = field(default_factory=Regularisers)

    def __post_init__(self) -> None:
        check_name("Optimiser", self.optimiser, OPTIMISERS)
        check_name("Decay", self.decay, SCHEDULES)
        check_name("Loss", self.loss, LOSSES)
        check_options(
            f"optimiser {self.optimiser}", OPTIMISERS[self.optimiser], self.optimiser_options
        )
        check_options(f"decay {self.decay}", SCHEDULES[self.decay], self.decay_options)
        check_options(f"loss {self.loss}", LOSSES[self.loss], self.loss_options)
        check_count("Epochs", self.epochs, 1)
        check_count("Batch", self.batch, 1)
        check_count("Seed", self.seed, 0)
        check_count("Patience", 1 if self.patience is None else self.patience, 1)
        if not within(self.learning_rate, 0, math.inf, "()"):
            raise ProgramError(
                f"Learning rate must be positive and finite, not {self.learning_rate!r}"
            )
        if not within(self.validation, 0, 1):
            raise ProgramError(
                f"Validation share must be at least 0 and below 1, not {self.validation!r}"
            )
        if self.patience is not None and not self.validation:
            raise ProgramError("Early stopping needs a validation share above 0, not 0")
        self.rate(0.0)

    def rate(self, done: float) -> float:
        """Learning rate after the share ``done`` (0 to 1) of all batches."""
        return self.learning_rate * SCHEDULES[self.decay](done, **self.decay_options)

    def make_optimiser(self, parameters: list[Array]) -> Optimiser:
        """Return the optimiser with its state."""
        options = dict(self.optimiser_options)
        if self.optimiser in MOMENTUM:
            options.setdefault("momentum", self.momentum)
        return OPTIMISERS[self.optimiser](parameters, **options)
