# SPDX-License-Identifier: Apache-2.0
"""Synapses: filters of what neurons send, in whole steps."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import within
from spikewright.sim.errors import ProgramError


@dataclass(frozen=True)
class Lowpass:
    """First-order filter ``tau dy/dt = u - y``: a step is ``y += (1 - exp(-dt / tau)) (u - y)``.

    Parameters
    ----------
    tau : float
        Time constant, in s.

    Raises
    ------
    ProgramError
        If the time constant is not positive.
    """

    tau: float

    order: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check(self.tau)


@dataclass(frozen=True)
class Alpha:
    """Second-order filter: two :class:`Lowpass` of one time constant, one after the other.

    Parameters
    ----------
    tau : float
        Time constant of each, in s.

    Raises
    ------
    ProgramError
        If the time constant is not positive.
    """

    tau: float

    order: ClassVar[int] = 2

    def __post_init__(self) -> None:
        _check(self.tau)


Synapse = Lowpass | Alpha


def synapse_of(value: Any) -> Synapse | None:
    """A synapse as the user gives it: a number is the time constant of a :class:`Lowpass`.

    Raises
    ------
    ProgramError
        If it is none.
    """
    if value is None or isinstance(value, Synapse):
        return value
    if not within(value, 0, math.inf, "()"):
        raise ProgramError(
            f"Synapse must be a Lowpass, an Alpha, a time constant above 0 s or None, not {value!r}"
        )
    return Lowpass(float(value))


def leak_of(synapse: Synapse, dt: float) -> float:
    """Share that each stage of a synapse loses in a step."""
    return -math.expm1(-dt / synapse.tau)


class HostFilter:
    """A synapse in floating point, for what the host computes.

    Parameters
    ----------
    synapse : Synapse
    size : int
    dt : float
        In s.
    """

    def __init__(self, synapse: Synapse, size: int, dt: float):
        self._leak = leak_of(synapse, dt)
        self._stages = np.zeros((synapse.order, size))

    @property
    def held(self) -> NDArray[np.float64]:
        """Output at the end of the last step."""
        return np.array(self._stages[-1], np.float64)

    def update(self, value: NDArray[np.float64]) -> None:
        """Take a step's input in."""
        for stage in self._stages:
            stage += self._leak * (value - stage)
            value = stage


def _check(tau: float) -> None:
    if not within(tau, 0, math.inf, "()"):
        raise ProgramError(f"Synapse time constant must be positive and finite, not {tau!r} s")
