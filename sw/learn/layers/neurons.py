# SPDX-License-Identifier: Apache-2.0
"""Layers of neurons that live through the time steps of a frame."""

import math
from dataclasses import dataclass
from typing import Any

from spikewright.learn import ops
from spikewright.learn.layers.layer import (
    Plain,
    Shape,
    Weighted,
    check_positive,
    check_size,
    trained,
    vector,
)
from spikewright.learn.ops import neurons
from spikewright.learn.ops.recurrent import Adaptation, recurrent_lif
from spikewright.learn.ops.spiking import SURROGATES
from spikewright.learn.options import check_name
from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import ProgramError

RESETS = ("subtract", "zero")
"""What a spike does to the voltage."""


@dataclass(frozen=True)
class Leaky(Plain):
    """Leaky integrators that never fire, the read-out of a spiking network.

    ``v <- v - leak * v + i`` per step, ``leak = 1 - exp(-dt / tau)``, ``v = 0`` when a frame
    starts; the output is ``v``.

    Parameters
    ----------
    size : int
        Number of neurons; of images, channels times rows times columns.
    tau : float
        Membrane time constant, in seconds; infinite for no leak.

    Raises
    ------
    FormatError
        If the size is not a positive integer.
    ProgramError
        If the time constant is not positive.
    """

    size: int
    tau: float = 0.02

    def __post_init__(self) -> None:
        check_size(f"{type(self).__name__} size", self.size)
        if not self.tau > 0:
            raise ProgramError(f"Membrane time constant must be positive, not {self.tau!r} s")

    @property
    def n_in(self) -> int:
        """Number of neurons."""
        return self.size

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return self.size

    def out_shape(self, shape: Shape) -> Shape:
        if math.prod(shape) == self.size and len(shape) == 3:
            return shape
        return vector(self, shape, self.size)

    def leak(self, dt: float) -> float:
        """Fraction of the voltage lost in a step of ``dt`` seconds, ``1 - exp(-dt / tau)``."""
        return -math.expm1(-dt / self.tau)

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the output (steps, batch, ...) for currents held or per step."""
        if x.data.ndim < 4:
            return self.respond(x, dt=dt, steps=steps)
        shape = x.data.shape[-3:]
        y = self.respond(ops.reshape(x, (*x.data.shape[:-3], self.size)), dt=dt, steps=steps)
        return ops.reshape(y, (*y.data.shape[:2], *shape))

    def respond(self, x: Value, *, dt: float, steps: int) -> Value:
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

    The output is ``s``. In training a spike has a surrogate slope, and no gradient passes through
    the reset.

    Parameters
    ----------
    size : int
        Number of neurons; of images, channels times rows times columns.
    tau : float
        Membrane time constant, in seconds; infinite for no leak, an integrate-and-fire neuron.
    threshold : float
        Voltage at which a neuron fires.
    reset : {"subtract", "zero"}
        What a spike does to the voltage.
    slope : float
        Sharpness of the surrogate, per threshold: with ``u = v / threshold - 1``, the fast
        sigmoid's derivative is ``1 / (1 + slope * |u|)**2``.
    surrogate : {"fast-sigmoid", "arctan", "triangular"}
        See :data:`~spikewright.learn.ops.spiking.SURROGATES`.

    Raises
    ------
    FormatError
        If the size is not a positive integer.
    ProgramError
        If a constant is not positive and, but for ``tau``, finite, or a name is unknown.
    """

    threshold: float = 1.0
    reset: str = "subtract"
    slope: float = 5.0
    surrogate: str = "fast-sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("Threshold", self.threshold)
        check_positive("Surrogate slope", self.slope)
        check_name("Reset", self.reset, RESETS)
        check_name("Surrogate", self.surrogate, SURROGATES)

    def constants(self, dt: float) -> dict[str, Any]:
        """What the recorded operation takes, for steps of ``dt`` seconds."""
        return {
            "leak": self.leak(dt),
            "threshold": self.threshold,
            "reset": self.reset,
            "slope": self.slope / self.threshold,
            "surrogate": self.surrogate,
        }

    def respond(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the spikes (steps, batch, size) for currents held or per step."""
        return neurons.lif(x, steps=steps, **self.constants(dt))


@dataclass(frozen=True)
class Alif(Lif):
    """LIF neurons whose threshold rises with every spike and decays.

    ``s = v >= threshold + a`` with the adaptation ``a`` of the last step, and then
    ``a <- a - leak_a * a + adaptation * s``, ``leak_a = 1 - exp(-dt / tau_adaptation)``
    (Bellec and others, Long short-term memory in spiking networks, 2018). The rest is as in
    :class:`Lif`; a reset "subtract" takes the threshold without the adaptation.

    Parameters
    ----------
    size, tau, threshold, reset, slope, surrogate
        As of :class:`Lif`.
    adaptation : float
        What a spike adds to the threshold; 0 is none.
    tau_adaptation : float
        Time constant of the decay, in seconds.

    Raises
    ------
    FormatError
        If the size is not a positive integer.
    ProgramError
        If a constant is not positive and finite, or a name is unknown.
    """

    adaptation: float = 0.1
    tau_adaptation: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("Adaptation time constant", self.tau_adaptation, "s")
        if self.adaptation != 0:
            check_positive("Adaptation", self.adaptation)

    def constants(self, dt: float) -> dict[str, Any]:
        leak = -math.expm1(-dt / self.tau_adaptation)
        adaptation = Adaptation(self.adaptation, leak) if self.adaptation else None
        return {**super().constants(dt), "adaptation": adaptation}

    def respond(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the spikes (steps, batch, size) for currents held or per step."""
        return recurrent_lif(x, None, steps=steps, **self.constants(dt))


class RecurrentLif(Weighted):
    """LIF neurons, adaptive or not, that hear each other's spikes of the step before.

    ``i[t] = x[t] + V s[t-1]``, ``s[-1] = 0``; the rest is as in :class:`Alif`.

    Parameters
    ----------
    size : int
        Number of neurons.
    weight : (size, size) array_like, optional
        ``V``: row k holds what neuron k hears. Without,
        :class:`spikewright.network.Network` draws it.
    tau, threshold, reset, slope, surrogate
        As of :class:`Lif`.
    adaptation, tau_adaptation
        As of :class:`Alif`; by default there is none.

    Raises
    ------
    FormatError
        If the size is not a positive integer or the weights' shape does not fit.
    ProgramError
        If a constant is not positive and finite, or a name is unknown.
    """

    initialiser = "uniform"
    arrays = ("weight",)

    def __init__(
        self,
        size: int,
        tau: float = 0.02,
        threshold: float = 1.0,
        reset: str = "subtract",
        slope: float = 5.0,
        surrogate: str = "fast-sigmoid",
        *,
        adaptation: float = 0.0,
        tau_adaptation: float = 0.2,
        weight: Array | None = None,
    ):
        super().__init__(given=weight is not None)
        check_size("RecurrentLif size", size)
        self.neurons = Alif(
            size, tau, threshold, reset, slope, surrogate, adaptation, tau_adaptation
        )
        self.n_in: int = size
        self.n_out: int = size
        self.weight = trained("RecurrentLif weight", weight, (size, size))

    def out_shape(self, shape: Shape) -> Shape:
        return vector(self, shape, self.n_in)

    def leak(self, dt: float) -> float:
        """Fraction of the voltage lost in a step of ``dt`` seconds, ``1 - exp(-dt / tau)``."""
        return self.neurons.leak(dt)

    def options(self) -> dict[str, Any]:
        """Constructor arguments without the array."""
        return self.neurons.options()

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the spikes (steps, batch, size) for currents held or per step."""
        weight = x.tape.parameter(self.weight)
        return recurrent_lif(x, weight, steps=steps, **self.neurons.constants(dt))

    def __repr__(self) -> str:
        return repr(self.neurons).replace("Alif", "RecurrentLif", 1)
