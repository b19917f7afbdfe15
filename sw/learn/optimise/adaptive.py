# SPDX-License-Identifier: Apache-2.0
"""Optimisers that give every parameter a step size of its own."""

import math
from collections.abc import Sequence

import numpy as np

from spikewright.learn.options import within
from spikewright.learn.tape import Array
from spikewright.sim.errors import ProgramError


class AdaGrad:
    """Steps divided by the root of the sum of all squared gradients so far.

    ``r += g**2``, ``parameter -= rate * g / (epsilon + sqrt(r))`` (Duchi, Hazan and Singer, 2011).

    Parameters
    ----------
    parameters : sequence of ndarray
        Updated in place.
    epsilon : float
        Added to the root.

    Raises
    ------
    ProgramError
        If epsilon is not positive.
    """

    def __init__(self, parameters: Sequence[Array], *, epsilon: float = 1e-7):
        _check_epsilon("AdaGrad", epsilon)
        self.epsilon = epsilon
        self._parameters = list(parameters)
        self._squares = [np.zeros_like(p) for p in parameters]

    def state(self) -> list[Array]:
        """What is kept from step to step, shared and not copied."""
        return self._squares

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost."""
        state = zip(self._parameters, gradients, self._squares, strict=True)
        for parameter, gradient, square in state:
            square += gradient * gradient
            gradient *= rate
            gradient /= np.sqrt(square) + self.epsilon
            parameter -= gradient


class RmsProp:
    """Steps divided by the root of a running mean of the squared gradients.

    ``r = rho r + (1 - rho) g**2``, ``parameter -= rate * g / sqrt(epsilon + r)`` (Tieleman and
    Hinton, 2012; Goodfellow, Bengio and Courville, 8.5.2).

    Parameters
    ----------
    parameters : sequence of ndarray
        Updated in place.
    rho : float
        Memory of the mean, from 0 to below 1.
    epsilon : float
        Added under the root.

    Raises
    ------
    ProgramError
        If a coefficient is out of range.
    """

    def __init__(self, parameters: Sequence[Array], *, rho: float = 0.9, epsilon: float = 1e-6):
        if not within(rho, 0, 1):
            raise ProgramError(f"RMSProp's rho must be at least 0 and below 1, not {rho!r}")
        _check_epsilon("RMSProp", epsilon)
        self.rho, self.epsilon = rho, epsilon
        self._parameters = list(parameters)
        self._squares = [np.zeros_like(p) for p in parameters]

    def state(self) -> list[Array]:
        """What is kept from step to step, shared and not copied."""
        return self._squares

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost."""
        state = zip(self._parameters, gradients, self._squares, strict=True)
        for parameter, gradient, square in state:
            square *= self.rho
            square += (1 - self.rho) * gradient * gradient
            gradient *= rate
            gradient /= np.sqrt(square + self.epsilon)
            parameter -= gradient


class Rprop:
    """Steps by the sign of the gradient alone, each longer until its sign turns.

    ``d *= grow`` where the sign is that of the step before, ``d *= shrink`` where it is the other,
    in which case the parameter waits a step; ``parameter -= d * sign(g)`` (Riedmiller and Braun,
    1993, without weight-backtracking). Meant for whole batches: the signs of small ones disagree
    by chance.

    Parameters
    ----------
    parameters : sequence of ndarray
        Updated in place.
    grow, shrink : float
        Above 1, and between 0 and 1.
    shortest, longest : float
        Limits of a step. The first is as long as the learning rate, which counts for nothing
        afterwards.

    Raises
    ------
    ProgramError
        If a factor or limit is out of range.
    """

    def __init__(
        self,
        parameters: Sequence[Array],
        *,
        grow: float = 1.2,
        shrink: float = 0.5,
        shortest: float = 1e-6,
        longest: float = 50.0,
    ):
        if not (within(shrink, 0, 1, "()") and within(grow, 1, math.inf, "(]")):
            raise ProgramError(
                f"RPROP's factors must be above 1 and between 0 and 1, not {grow!r} and {shrink!r}"
            )
        if not (within(longest, 0, math.inf, "(]") and within(shortest, 0, longest, "(]")):
            raise ProgramError(
                f"RPROP's limits must be positive and ascend, not {shortest!r} and {longest!r}"
            )
        self.grow, self.shrink, self.shortest, self.longest = grow, shrink, shortest, longest
        self._parameters = list(parameters)
        self._signs = [np.zeros_like(p) for p in parameters]
        self._lengths = [np.zeros_like(p) for p in parameters]
        self._steps = np.zeros((), np.int64)

    def state(self) -> list[Array]:
        """What is kept from step to step, shared and not copied."""
        return [*self._signs, *self._lengths, self._steps]

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost."""
        if not self._steps:
            for length in self._lengths:
                length.fill(rate)
        self._steps += 1
        state = zip(self._parameters, gradients, self._signs, self._lengths, strict=True)
        for parameter, gradient, sign, length in state:
            np.sign(gradient, out=gradient)
            agreed = gradient * sign
            length[agreed > 0] *= self.grow
            length[agreed < 0] *= self.shrink
            np.clip(length, self.shortest, self.longest, out=length)
            gradient[agreed < 0] = 0
            np.copyto(sign, gradient)
            gradient *= length
            parameter -= gradient


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
            if not within(beta, 0, 1):
                raise ProgramError(f"Adam's {name} must be at least 0 and below 1, not {beta!r}")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self._parameters = list(parameters)
        self._means = [np.zeros_like(p) for p in parameters]
        self._squares = [np.zeros_like(p) for p in parameters]
        self._steps = np.zeros((), np.int64)

    def state(self) -> list[Array]:
        """What is kept from step to step, shared and not copied."""
        return [*self._means, *self._squares, self._steps]

    def step(self, gradients: Sequence[Array], rate: float) -> None:
        """Update the parameters; the gradients are used as scratch space and lost.

        The means are kept without their factors ``1 - beta``, which move into ``scale`` and
        ``root``: four passes over memory less, the same result.
        """
        self._steps += 1
        steps = int(self._steps)
        root = ((1 - self.beta2) / (1 - self.beta2**steps)) ** 0.5
        scale = rate * (1 - self.beta1) / (1 - self.beta1**steps) / root
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


def _check_epsilon(name: str, epsilon: float) -> None:
    if not within(epsilon, 0, math.inf, "(]"):
        raise ProgramError(f"{name}'s epsilon must be positive, not {epsilon!r}")
