# SPDX-License-Identifier: Apache-2.0
"""How the learning rate falls: a factor from the share of the training that is done."""

import math
from collections.abc import Callable

from spikewright.learn.options import within
from spikewright.sim.errors import ProgramError


def constant(done: float) -> float:
    """No decay: 1."""
    return 1.0


def cosine(done: float) -> float:
    """Half a cosine, ``(1 + cos(pi done)) / 2``: from 1 to 0, level at both ends."""
    return 0.5 * (1 + math.cos(math.pi * done))


def step(done: float, *, factor: float = 0.1, every: float = 1 / 3) -> float:
    """Stairs ``factor ** floor(done / every)``; ``every`` is a share of the training."""
    _check("factor", factor)
    _check("every", every)
    # A share such as 3 * (1 / 3) must not miss its stair by the last bit.
    return float(factor ** math.floor(done / every + 1e-9))


def exponential(done: float, *, final: float = 0.01) -> float:
    """Geometric decay ``final ** done``."""
    _check("final", final)
    return float(final**done)


def linear(done: float, *, final: float = 0.01) -> float:
    """Straight decay ``(1 - done) + done * final``.

    The lecture notes' ``eps_k = (1 - a) eps_0 + a eps_T`` with ``a = k / T``, ``eps_T`` 1 % of
    ``eps_0`` (Goodfellow, Bengio and Courville, 8.3.1).
    """
    _check("final", final)
    return (1 - done) + done * final


SCHEDULES: dict[str, Callable[..., float]] = {
    "cosine": cosine,
    "none": constant,
    "step": step,
    "exponential": exponential,
    "linear": linear,
}
"""Schedules by the name ``fit`` takes as ``decay``."""


def _check(name: str, value: float) -> None:
    if not within(value, 0, 1, "(]"):
        raise ProgramError(f"Decay option {name} must be above 0 and at most 1, not {value!r}")
