# SPDX-License-Identifier: Apache-2.0
"""Activations: functions of each value by itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikewright.learn import ops
from spikewright.learn.layers.layer import Plain, Shape, check_size, vector
from spikewright.learn.options import within
from spikewright.learn.tape import Value
from spikewright.sim.errors import ProgramError


@dataclass(frozen=True)
class Relu(Plain):
    """Rectifier ``y = max(x, 0)``, for any number of values."""

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = max(x, 0)``."""
        return ops.relu(x)


@dataclass(frozen=True)
class SignedRelu(Plain):
    """Signed rectifier ``y = rho max(x, 0)``: a node's output has the node's own sign.

    The nodes of Kickback (Balduzzi, Vanchinathan and Buhmann, 2015).

    Parameters
    ----------
    signs : sequence of int
        Sign ``rho`` of each node, +1 or -1.

    Raises
    ------
    ProgramError
        If there are none, or others.
    """

    signs: Sequence[int]

    def __post_init__(self) -> None:
        signs = tuple(self.signs)
        if not signs or any(sign not in (1, -1) for sign in signs):
            raise ProgramError("Signs must be 1 or -1, one for each node")
        object.__setattr__(self, "signs", signs)

    @classmethod
    def alternating(cls, size: int) -> "SignedRelu":
        """As many positive as negative nodes, or one more.

        Raises
        ------
        FormatError
            If the size is not a positive integer.
        """
        check_size("SignedRelu size", size)
        return cls([1 - 2 * (k % 2) for k in range(size)])

    @property
    def n_in(self) -> int:
        """Number of nodes."""
        return len(self.signs)

    @property
    def n_out(self) -> int:
        """Number of nodes."""
        return len(self.signs)

    def out_shape(self, shape: Shape) -> Shape:
        return vector(self, shape, len(self.signs))

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = rho max(x, 0)``."""
        return ops.mul(ops.relu(x), x.tape.constant(np.array(self.signs, x.data.dtype)))

    def __repr__(self) -> str:
        return f"SignedRelu of {len(self.signs)} nodes"


@dataclass(frozen=True)
class LeakyRelu(Plain):
    """Leaky rectifier ``y = max(x, 0) + slope * min(x, 0)``.

    Parameters
    ----------
    slope : float
        From -1 (magnitude) to below 1; a power of two is a shift in hardware.

    Raises
    ------
    ProgramError
        If the slope is out of range.
    """

    slope: float = 0.125

    def __post_init__(self) -> None:
        if not within(self.slope, -1, 1):
            raise ProgramError(f"Slope must be at least -1 and below 1, not {self.slope!r}")

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = max(x, 0) + slope * min(x, 0)``."""
        return ops.leaky_relu(x, self.slope)


@dataclass(frozen=True)
class HardTanh(Plain):
    """Hard limiter ``y = max(-limit, min(limit, x))``.

    Parameters
    ----------
    limit : float

    Raises
    ------
    ProgramError
        If the limit is not positive and finite.
    """

    limit: float = 1.0

    def __post_init__(self) -> None:
        if not within(self.limit, 0, math.inf, "()"):
            raise ProgramError(f"Limit must be positive and finite, not {self.limit!r}")

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = max(-limit, min(limit, x))``."""
        return ops.clip(x, -self.limit, self.limit)


@dataclass(frozen=True)
class Sigmoid(Plain):
    """Logistic function ``y = 1 / (1 + e^-x)``."""

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = 1 / (1 + e^-x)``."""
        return ops.sigmoid(x)


@dataclass(frozen=True)
class Tanh(Plain):
    """Hyperbolic tangent ``y = tanh x``."""

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = tanh x``."""
        return ops.tanh(x)
