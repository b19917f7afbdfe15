# SPDX-License-Identifier: Apache-2.0
"""What keeps weights small, noisy or bounded, and gradients short."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikewright.learn.options import within
from spikewright.learn.tape import Array
from spikewright.sim.errors import ProgramError


@dataclass(frozen=True, kw_only=True)
class Regularisers:
    """Penalties, constraints and noise, each off by default.

    The penalties are ``l1 sum(|w|) + l2 / 2 sum(w**2)`` over the weights (arrays with two axes or
    more: biases are free), so the gradient grows by ``l1 sign(w) + l2 w`` (Goodfellow, Bengio and
    Courville, 7.1). They are not part of the loss that is reported.

    Parameters
    ----------
    l1, l2 : float
        At least 0.
    max_norm : float, optional
        After an update, rows of weights (all that enters a node) that are longer are scaled to
        this length.
    weight_noise : float
        Standard deviation of the noise that is added to the weights for each batch's gradient and
        taken off again: what rounding will do to them.
    clip_norm : float, optional
        Gradients longer than this, all together, are scaled to this length,
        ``g <- g v / |g|``.
    clip_value : float, optional
        Every element of the gradients is limited to plus or minus this.
    rate_strength : float
        Of :func:`spikewright.learn.rules.backprop.rate_penalty`, at least 0.
    rate_target : float
        Spikes a step, 0 to 1, that neurons are drawn to.

    Raises
    ------
    ProgramError
        If a number is out of range.
    """

    l1: float = 0.0
    l2: float = 0.0
    max_norm: float | None = None
    weight_noise: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    rate_strength: float = 0.0
    rate_target: float = 0.1

    def __post_init__(self) -> None:
        for name in ("l1", "l2", "weight_noise", "rate_strength"):
            value = getattr(self, name)
            if not within(value, 0, math.inf):
                raise ProgramError(f"Option {name} must be at least 0 and finite, not {value!r}")
        for name in ("max_norm", "clip_norm", "clip_value"):
            value = getattr(self, name)
            if value is not None and not within(value, 0, math.inf, "()"):
                raise ProgramError(f"Option {name} must be positive and finite, not {value!r}")
        if not within(self.rate_target, 0, 1, "[]"):
            raise ProgramError(
                f"Option rate_target must be from 0 to 1 spikes a step, not {self.rate_target!r}"
            )

    def penalty(self, parameters: Sequence[Array]) -> float:
        """``l1 sum(|w|) + l2 / 2 sum(w**2)`` of the weights."""
        weights = [w.astype(np.float64) for w in parameters if w.ndim > 1]
        absolute = sum(float(np.abs(w).sum()) for w in weights)
        squares = sum(float(np.square(w).sum()) for w in weights)
        return self.l1 * absolute + self.l2 / 2 * squares

    def gradients(self, parameters: Sequence[Array], gradients: Sequence[Array]) -> None:
        """Add the penalties' gradients, then clip; in place."""
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if parameter.ndim > 1 and self.l2:
                gradient += self.l2 * parameter
            if parameter.ndim > 1 and self.l1:
                gradient += self.l1 * np.sign(parameter)
            if self.clip_value is not None:
                np.clip(gradient, -self.clip_value, self.clip_value, out=gradient)
        if self.clip_norm is not None:
            length = math.sqrt(sum(float(np.vdot(g, g)) for g in gradients))
            if length > self.clip_norm:
                for gradient in gradients:
                    gradient *= self.clip_norm / length

    def constrain(self, parameters: Sequence[Array]) -> None:
        """Shorten rows of weights that are longer than ``max_norm``; in place."""
        if self.max_norm is None:
            return
        for weight in parameters:
            if weight.ndim > 1:
                axes = tuple(range(1, weight.ndim))
                lengths = np.sqrt(np.square(weight).sum(axis=axes, keepdims=True))
                weight *= np.minimum(1, self.max_norm / np.maximum(lengths, 1e-30))

    def disturb(self, parameters: Sequence[Array], rng: np.random.Generator) -> list[Array]:
        """Add the noise to the weights in place and return what they were; none without noise."""
        if not self.weight_noise:
            return []
        kept = [parameter.copy() for parameter in parameters]
        for weight in parameters:
            if weight.ndim > 1:
                weight += rng.normal(0, self.weight_noise, weight.shape)
        return kept
