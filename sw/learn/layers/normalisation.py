# SPDX-License-Identifier: Apache-2.0
"""Layers that behave differently in training: dropout and batch normalisation."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikewright.learn.layers.layer import Plain, Shape, check_positive, check_size, trained
from spikewright.learn.ops import reshape
from spikewright.learn.ops.normalise import batch_norm, drop
from spikewright.learn.options import within
from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError, ProgramError


@dataclass(frozen=True)
class Dropout(Plain):
    """Inverted dropout: in training ``y = x m / (1 - rate)``, ``P(m = 0) = rate``; else ``y = x``.

    Srivastava and others, Dropout, 2014; scaled in training, so that nothing changes afterwards.

    Parameters
    ----------
    rate : float
        Share of the values that are dropped, from 0 to below 1.

    Raises
    ------
    ProgramError
        If the rate is out of range.
    """

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not within(self.rate, 0, 1):
            raise ProgramError(f"Dropout rate must be at least 0 and below 1, not {self.rate!r}")

    def out_shape(self, shape: Shape) -> Shape:
        if len(shape) == 2:
            raise FormatError(f"{self!r} takes values or images, not sequences of {shape}")
        return shape

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the values that are kept, or in evaluation all of them."""
        return drop(x, self.rate) if x.tape.training and self.rate else x


class BatchNorm:
    """Batch normalisation of each value, or of each channel of images.

    ``y = gamma (x - mean) / sqrt(variance + epsilon) + beta``, in training with the mean and
    variance of the batch (over frames, steps, rows and columns), which also move the running
    ones: ``running = running + momentum (batch - running)``, the variance without bias
    (n / (n - 1)); a batch of one value moves nothing. In evaluation with the running ones. (Ioffe
    and Szegedy, 2015.)

    Parameters
    ----------
    size : int
        Number of values, or of channels.
    momentum : float
        Above 0, at most 1.
    epsilon : float
        Added to the variance.

    Attributes
    ----------
    gamma, beta : (size,) ndarray
        Trained; 1 and 0 at first.
    mean, variance : (size,) ndarray
        Running statistics; 0 and 1 at first.

    Raises
    ------
    FormatError
        If the size is not a positive integer.
    ProgramError
        If a constant is out of range.
    """

    def __init__(self, size: int, momentum: float = 0.1, epsilon: float = 1e-5):
        check_size("BatchNorm size", size)
        check_positive("BatchNorm epsilon", epsilon)
        if not within(momentum, 0, 1, "(]"):
            raise ProgramError(f"BatchNorm momentum must be above 0, at most 1, not {momentum!r}")
        self.size, self.momentum, self.epsilon = size, momentum, epsilon
        self.gamma = trained("BatchNorm gamma", np.ones(size), (size,))
        self.beta = trained("BatchNorm beta", None, (size,))
        self.mean = trained("BatchNorm mean", None, (size,))
        self.variance = trained("BatchNorm variance", np.ones(size), (size,))

    @property
    def n_in(self) -> None:
        """As many inputs as what comes before has outputs."""

    @property
    def n_out(self) -> None:
        """As many outputs as inputs."""

    def out_shape(self, shape: Shape) -> Shape:
        if len(shape) not in (1, 3) or shape[0] != self.size:
            raise FormatError(f"{self!r} takes {self.size} values or channels, not {shape}")
        return shape

    def parameters(self) -> list[Array]:
        """Gamma and beta, shared and not copied."""
        return [self.gamma, self.beta]

    def buffers(self) -> list[Array]:
        """Running mean and variance, shared and not copied."""
        return [self.mean, self.variance]

    def options(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"size": self.size, "momentum": self.momentum, "epsilon": self.epsilon}

    def affine(self) -> tuple[Array, Array]:
        """Factor and offset of evaluation, float64: ``y = factor x + offset``."""
        factor = self.gamma / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        return factor, self.beta - self.mean * factor

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the normalised values."""
        area = math.prod(x.data.shape[-2:]) if x.data.ndim > 3 else 1
        rows = x.data.size // (self.size * area)
        flat = reshape(x, (rows, self.size, area))
        return reshape(batch_norm(flat, self), x.data.shape)

    def __repr__(self) -> str:
        return f"BatchNorm({self.size})"
