# SPDX-License-Identifier: Apache-2.0
"""Optimisers that update parameters in place and allocate nothing after construction."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from spikewright.learn.tape import Array
from spikewright.sim.errors import ProgramError


class Optimiser(Protocol):
    """What ``fit`` asks of an optimiser."""

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost."""


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
        if not 0 <= momentum < 1:
            raise ProgramError(f"Momentum must be at least 0 and below 1, not {momentum!r}")
        self.momentum = momentum
        self._parameters = list(parameters)
        self._velocities = [np.zeros_like(p) for p in parameters] if momentum else []

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


class Adam:
    """Adam: steps scaled by running means of the gradient and of its square.

    ``m = beta1 m + (1 - beta1) g``, ``v = beta2 v + (1 - beta2) g**2`` and
    ``parameter -= rate * m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + epsilon)``.

    Parameters
    ----------
    parameters : sequence of ndarray
        Updated in place.
    beta1, beta2 : float
        Memory of the two means, from 0 to below 1.
    epsilon : float
        Added to the root.

    Raises
    ------
    ProgramError
        If a coefficient is out of range.
    """

    def __init__(
        self,
        parameters: Sequence[Array],
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ):
        for name, beta in (("beta1", beta1), ("beta2", beta2)):
            if not 0 <= beta < 1:
                raise ProgramError(f"Adam's {name} must be at least 0 and below 1, not {beta!r}")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self._parameters = list(parameters)
        self._means = [np.zeros_like(p) for p in parameters]
        self._squares = [np.zeros_like(p) for p in parameters]
        self._steps = 0

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost.

        The means are kept without their factors ``1 - beta``, which move into ``scale`` and
        ``root``: four passes over memory less, the same result.
        """
        self._steps += 1
        root = ((1 - self.beta2) / (1 - self.beta2**self._steps)) ** 0.5
        scale = rate * (1 - self.beta1) / (1 - self.beta1**self._steps) / root
        state = zip(self._parameters, gradients, self._means, self._squares, strict=True)
        for parameter, gradient, mean, square in state:
            np.multiply(mean, self.beta1, out=mean)
            np.add(mean, gradient, out=mean)
            np.multiply(square, self.beta2, out=square)
            np.square(gradient, out=gradient)
            np.add(square, gradient, out=square)
            np.sqrt(square, out=gradient)
            np.add(gradient, self.epsilon / root, out=gradient)
            np.divide(mean, gradient, out=gradient)
            np.multiply(gradient, scale, out=gradient)
            np.subtract(parameter, gradient, out=parameter)
