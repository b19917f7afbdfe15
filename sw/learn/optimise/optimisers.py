# SPDX-License-Identifier: Apache-2.0
"""Optimisers that update parameters in place and allocate nothing after construction."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from spikewright.learn.optimise.adaptive import AdaGrad, Adam, RmsProp, Rprop
from spikewright.learn.options import within
from spikewright.learn.tape import Array
from spikewright.sim.errors import ProgramError

__all__ = [
    "OPTIMISERS",
    "RATES",
    "AdaGrad",
    "Adam",
    "Nesterov",
    "Optimiser",
    "RmsProp",
    "Rprop",
    "Sgd",
]


class Optimiser(Protocol):
    """What ``fit`` asks of an optimiser."""

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost."""

    def state(self) -> list[Array]:
        """What is kept from step to step, shared and not copied: a checkpoint holds it."""


class Sgd:
    """Stochastic gradient descent with momentum.

    ``velocity = momentum * velocity + gradient``, ``parameter -= rate * velocity``.

    Parameters
    ----------
    parameters : sequence of ndarray
        Updated in place.
    momentum : float
        From 0 (none) to below 1.

    Raises
    ------
    ProgramError
        If the momentum is out of range.
    """

    def __init__(self, parameters: Sequence[Array], *, momentum: float = 0.0):
        if not within(momentum, 0, 1):
            raise ProgramError(f"Momentum must be at least 0 and below 1, not {momentum!r}")
        self.momentum = momentum
        self._parameters = list(parameters)
        self._velocities = [np.zeros_like(p) for p in parameters] if momentum else []

    def state(self) -> list[Array]:
        """What is kept from step to step, shared and not copied."""
        return self._velocities

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost."""
        for parameter, gradient, velocity in zip(
            self._parameters, gradients, self._velocities or gradients, strict=True
        ):
            if self.momentum:
                np.multiply(velocity, self.momentum, out=velocity)
                np.add(velocity, gradient, out=velocity)
            np.multiply(velocity, rate, out=gradient)
            np.subtract(parameter, gradient, out=parameter)


class Nesterov(Sgd):
    """Stochastic gradient descent with Nesterov's momentum.

    ``velocity = momentum * velocity + gradient``,
    ``parameter -= rate * (gradient + momentum * velocity)``: the gradient is taken where the
    momentum will have led (``v <- a v - eps g(theta + a v)``, Sutskever and others, 2013), and
    what is kept is that place.

    Parameters
    ----------
    parameters : sequence of ndarray
        Updated in place.
    momentum : float
        From 0 to below 1.

    Raises
    ------
    ProgramError
        If the momentum is out of range.
    """

    def __init__(self, parameters: Sequence[Array], *, momentum: float = 0.9):
        super().__init__(parameters, momentum=momentum)

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost."""
        for parameter, gradient, velocity in zip(
            self._parameters, gradients, self._velocities or gradients, strict=True
        ):
            if self.momentum:
                np.multiply(velocity, self.momentum, out=velocity)
                np.add(velocity, gradient, out=velocity)
                np.multiply(gradient, rate, out=gradient)
                np.subtract(parameter, gradient, out=parameter)
            np.multiply(velocity, rate * (self.momentum or 1), out=gradient)
            np.subtract(parameter, gradient, out=parameter)


OPTIMISERS: dict[str, Callable[..., Optimiser]] = {
    "adam": Adam,
    "sgd": Sgd,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RmsProp,
    "rprop": Rprop,
}
"""Optimisers by the name ``fit`` takes."""

RATES = {
    "adam": 3e-3,
    "sgd": 0.1,
    "nesterov": 0.1,
    "adagrad": 0.03,
    "rmsprop": 1e-3,
    "rprop": 1e-3,
}
"""Learning rate of each optimiser where none is given."""
