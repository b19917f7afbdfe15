# SPDX-License-Identifier: Apache-2.0
"""Neuron types: their rate curves, and what one step of them is."""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.learn.options import check_name, within
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]

RESETS = ("subtract", "zero")
"""What a spike does to the voltage."""


class NeuronType(Protocol):
    """What an ensemble asks of its neurons."""

    @property
    def reset(self) -> str:
        """One of :data:`RESETS`."""

    def __hash__(self) -> int:
        """Equal types have equal curves, which are kept."""

    def rates(self, currents: ArrayLike) -> Array:
        """Rates in Hz at constant currents ``J``, in continuous time."""

    def currents(self, rates: ArrayLike) -> Array:
        """Currents at which the neurons have these rates in Hz, all above 0."""

    @property
    def onset(self) -> float:
        """Current at which neurons begin to fire."""

    def leak(self, dt: float) -> float:
        """Share of the voltage lost in a step."""

    def drive(self, dt: float) -> float:
        """Voltage gained in a step for a current of 1."""

    def refractory(self, dt: float) -> float:
        """Refractory period, in steps."""


@dataclass(frozen=True, kw_only=True)
class LIF:
    """Leaky integrate-and-fire neurons: ``tau_rc dv/dt = J - v``, a spike at ``v = 1``.

    In a step of ``dt``, ``v`` becomes ``v + (1 - exp(-dt / tau_rc)) (J - v)``, at least 0. After
    a spike the voltage stands for ``tau_ref``. In continuous time the rate is ``G(J) = 1 /
    (tau_ref - tau_rc ln(1 - 1/J))`` for ``J > 1`` (Eliasmith and Anderson, 2003).

    Parameters
    ----------
    tau_rc, tau_ref : float
        Membrane time constant and refractory period, in s.
    reset : {"subtract", "zero"}
        A spike subtracts 1, which keeps the rate nearer to ``G(J)`` where steps are long, or
        returns the voltage to 0.

    Raises
    ------
    ProgramError
        If a constant is out of range.

    Examples
    --------
    >>> LIF().rates([1.0, 1.5, 5.0]).round(1)
    array([  0. ,  41.7, 154.7])
    """

    tau_rc: float = 0.02
    tau_ref: float = 0.002
    reset: str = "subtract"

    onset: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not within(self.tau_rc, 0, math.inf, "()"):
            raise ProgramError(f"tau_rc must be positive and finite, not {self.tau_rc!r} s")
        if not within(self.tau_ref, 0, math.inf):
            raise ProgramError(f"tau_ref must be at least 0 and finite, not {self.tau_ref!r} s")
        check_name("Reset", self.reset, RESETS)

    def rates(self, currents: ArrayLike) -> Array:
        """Rates in Hz at constant currents."""
        j = np.asarray(currents, np.float64)
        above = np.maximum(j, 1 + 1e-12)
        period = self.tau_ref - self.tau_rc * np.log1p(-1 / above)
        return np.where(j > 1, 1 / period, 0.0)

    def currents(self, rates: ArrayLike) -> Array:
        """Currents that give rates in Hz, above 0 and below ``1 / tau_ref``."""
        waiting = self.tau_ref - 1 / np.asarray(rates, np.float64)
        return np.asarray(1 / -np.expm1(waiting / self.tau_rc))

    def leak(self, dt: float) -> float:
        """Share of the voltage lost in a step."""
        return -math.expm1(-dt / self.tau_rc)

    def drive(self, dt: float) -> float:
        """Voltage gained in a step for a current of 1."""
        return self.leak(dt)

    def refractory(self, dt: float) -> float:
        """Refractory period, in steps."""
        return self.tau_ref / dt


@dataclass(frozen=True, kw_only=True)
class SpikingRectifiedLinear:
    """Integrate-and-fire neurons without leak: ``dv/dt = J``, a spike at ``v = 1``.

    The rate in Hz is ``max(J, 0)``.

    Parameters
    ----------
    reset : {"subtract", "zero"}
        As of :class:`LIF`.

    Raises
    ------
    ProgramError
        If the reset is unknown.
    """

    reset: str = "subtract"

    onset: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_name("Reset", self.reset, RESETS)

    def rates(self, currents: ArrayLike) -> Array:
        """Rates in Hz at constant currents."""
        return np.maximum(np.asarray(currents, np.float64), 0.0)

    def currents(self, rates: ArrayLike) -> Array:
        """Currents that give rates in Hz."""
        return np.asarray(rates, np.float64)

    def leak(self, dt: float) -> float:
        """Share of the voltage lost in a step: none."""
        return 0.0

    def drive(self, dt: float) -> float:
        """Voltage gained in a step for a current of 1."""
        return dt

    def refractory(self, dt: float) -> float:
        """Refractory period, in steps: none."""
        return 0.0


def gain_bias(neuron: NeuronType, max_rates: Array, intercepts: Array) -> tuple[Array, Array]:
    """Gain and bias: ``J = gain · (e · x) + bias`` is the onset at the intercept.

    At ``e · x = 1`` the rate is the maximum rate.

    Parameters
    ----------
    neuron : NeuronType
    max_rates : (n_neurons,) ndarray
        In Hz, above 0.
    intercepts : (n_neurons,) ndarray
        In units of the radius, below 1.
    """
    largest = neuron.currents(max_rates)
    gain = (largest - neuron.onset) / (1 - intercepts)
    return gain, neuron.onset - gain * intercepts


def most_rate(neuron: NeuronType, dt: float) -> float:
    """Highest rate in Hz that whole steps allow: ``1 / (tau_ref + dt)``."""
    return 1 / (dt * (round(neuron.refractory(dt)) + 1))
