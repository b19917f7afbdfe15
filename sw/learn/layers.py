# SPDX-License-Identifier: Apache-2.0
"""Layers of a network: what each computes, and how it records itself on a tape."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spikewright.learn import neurons, ops
from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError, ProgramError

RESETS = ("subtract", "zero")
"""What a spike does to the voltage."""


class Layer(Protocol):
    """What a network asks of a layer.

    Members
    -------
    n_in, n_out : int or None
        Inputs and outputs; None for any number, kept as it is.
    """

    @property
    def n_in(self) -> int | None:
        """Number of inputs."""

    @property
    def n_out(self) -> int | None:
        """Number of outputs."""

    def parameters(self) -> list[Array]:
        """Trained arrays, shared and not copied."""

    def options(self) -> dict[str, Any]:
        """Constructor arguments, as JSON can hold them."""

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the layer's output for the input ``x``."""


class Dense:
    """Fully connected layer ``y = W x + b``.

    Parameters
    ----------
    n_in, n_out : int
        Inputs and outputs.
    weight : (n_out, n_in) array_like, optional
        Kept as float32. Without, :class:`spikewright.network.Network` draws it.
    bias : (n_out,) array_like, optional
        Zero if not given.

    Raises
    ------
    FormatError
        If a size is not positive or an array's shape does not fit.
    """

    def __init__(
        self, n_in: int, n_out: int, *, weight: Array | None = None, bias: Array | None = None
    ):
        _check_size("Dense n_in", n_in)
        _check_size("Dense n_out", n_out)
        self.n_in: int = n_in
        self.n_out: int = n_out
        self.weight = _array("weight", weight, (n_out, n_in))
        self.bias = _array("bias", bias, (n_out,))
        self._drawn = weight is not None

    def draw(self, rng: np.random.Generator, gain: float = 1.0) -> None:
        """Draw the weights from a normal distribution, unless they were given.

        Parameters
        ----------
        rng : Generator
        gain : float
            Variance of the weights, in units of ``2 / n_in``, which keeps the size of values
            through a rectifier.
        """
        if not self._drawn:
            self.weight[...] = rng.normal(0, math.sqrt(2 * gain / self.n_in), self.weight.shape)
            self._drawn = True

    def parameters(self) -> list[Array]:
        """Weight and bias, shared and not copied."""
        return [self.weight, self.bias]

    def options(self) -> dict[str, Any]:
        """Constructor arguments without the arrays."""
        return {"n_in": self.n_in, "n_out": self.n_out}

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = W x + b`` for ``x`` of shape (..., n_in)."""
        return ops.linear(x, x.tape.parameter(self.weight), x.tape.parameter(self.bias))

    def __repr__(self) -> str:
        return f"Dense({self.n_in}, {self.n_out})"


@dataclass(frozen=True)
class Relu:
    """Rectifier ``y = max(x, 0)``, for any number of values."""

    n_in = None
    n_out = None

    def parameters(self) -> list[Array]:
        """No trained arrays."""
        return []

    def options(self) -> dict[str, Any]:
        """No constructor arguments."""
        return {}

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = max(x, 0)``."""
        return ops.relu(x)


@dataclass(frozen=True)
class Leaky:
    """Leaky integrators that never fire, the read-out of a spiking network.

    ``v <- v - leak * v + i`` per step, ``leak = 1 - exp(-dt / tau)``, ``v = 0`` when a frame
    starts; the output is ``v``.

    Parameters
    ----------
    size : int
        Number of neurons.
    tau : float
        Membrane time constant, in seconds.

    Raises
    ------
    FormatError
        If the size is not a positive integer.
    ProgramError
        If the time constant is not positive and finite.
    """

    size: int
    tau: float = 0.02

    def __post_init__(self) -> None:
        _check_size(f"{type(self).__name__} size", self.size)
        _check_positive("Membrane time constant", self.tau, "s")

    @property
    def n_in(self) -> int:
        """Number of neurons."""
        return self.size

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return self.size

    def leak(self, dt: float) -> float:
        """Fraction of the voltage lost in a step of ``dt`` seconds, ``1 - exp(-dt / tau)``."""
        return -math.expm1(-dt / self.tau)

    def parameters(self) -> list[Array]:
        """No trained arrays."""
        return []

    def options(self) -> dict[str, Any]:
        """Constructor arguments."""
        return dataclasses.asdict(self)

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the voltages (steps, batch, size) for currents held or per step."""
        return neurons.leaky(x, steps=steps, leak=self.leak(dt))


@dataclass(frozen=True)
class Lif(Leaky):
    """Leaky integrate-and-fire neurons.

    Per step, with ``leak = 1 - exp(-dt / tau)`` and ``v = 0`` when a frame starts::

        v <- v - leak * v + i
        s  = v >= threshold
        v <- v - threshold * s       reset "subtract"
        v <- v * (1 - s)             reset "zero"

    The output is ``s``. In training a spike has the derivative of a fast sigmoid, and no gradient
    passes through the reset.

    Parameters
    ----------
    size : int
        Number of neurons.
    tau : float
        Membrane time constant, in seconds.
    threshold : float
        Voltage at which a neuron fires.
    reset : {"subtract", "zero"}
        What a spike does to the voltage.
    slope : float
        Sharpness of the surrogate, per threshold: derivative
        ``1 / (1 + slope * |v / threshold - 1|)**2``.

    Raises
    ------
    FormatError
        If the size is not a positive integer.
    ProgramError
        If a constant is not positive and finite, or the reset is unknown.
    """

    threshold: float = 1.0
    reset: str = "subtract"
    slope: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive("Threshold", self.threshold)
        _check_positive("Surrogate slope", self.slope)
        if self.reset not in RESETS:
            raise ProgramError(f"Reset must be {' or '.join(RESETS)}, not {self.reset!r}")

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the spikes (steps, batch, size) for currents held or per step."""
        return neurons.lif(
            x,
            steps=steps,
            leak=self.leak(dt),
            threshold=self.threshold,
            reset=self.reset,
            slope=self.slope / self.threshold,
        )


LAYERS: dict[str, type[Dense | Relu | Leaky | Lif]] = {
    kind.__name__: kind for kind in (Dense, Relu, Leaky, Lif)
}
"""Layers by class name, as saved files call them."""


def _check_size(name: str, size: int) -> None:
    if not isinstance(size, int) or size < 1:
        raise FormatError(f"{name} must be a positive integer, not {size!r}")


def _check_positive(name: str, value: float, unit: str = "") -> None:
    if not 0 < value < math.inf:
        raise ProgramError(f"{name} must be positive and finite, not {value!r} {unit}".rstrip())


def _array(name: str, values: Array | None, shape: tuple[int, ...]) -> Array:
    # Column-major: BLAS multiplies by the transposed weights a quarter faster.
    array = np.array(np.zeros(shape) if values is None else values, np.float32, order="F")
    if array.shape != shape:
        raise FormatError(f"Dense {name} must have shape {shape}, not {array.shape}")
    return array
