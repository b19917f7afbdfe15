# SPDX-License-Identifier: Apache-2.0
"""Signals that the benchmarks of ensembles share, dt = 1 ms."""

import math

import numpy as np
from numpy.typing import NDArray

from spikewright import nef

Array = NDArray[np.float64]


def noise(seconds: float, *, most: float, seed: int) -> Array:
    """A random signal of up to ``most`` Hz whose values are even from -1 to 1, (steps, 1).

    White in that band, and then each value replaced by its rank.
    """
    steps, rng = round(seconds * 1000), np.random.default_rng(seed)
    waves = np.zeros(steps // 2 + 1, np.complex128)
    count = round(most * seconds)
    waves[1 : count + 1] = rng.normal(size=count) + 1j * rng.normal(size=count)
    ranks = np.argsort(np.argsort(np.fft.irfft(waves, steps)))
    return np.asarray(2 * ranks / (steps - 1) - 1, np.float64)[:, None]


def player(signal: Array) -> nef.Node:
    """A node that plays a signal (steps, size)."""
    return nef.Node(lambda t: signal[round(t * 1000) - 1], size_out=signal.shape[1])


def filtered(signal: Array, tau: float) -> Array:
    """A signal through a first-order synapse."""
    leak, held, found = -math.expm1(-1e-3 / tau), np.zeros(signal.shape[1]), np.empty_like(signal)
    for k, value in enumerate(signal):
        held = held + leak * (value - held)
        found[k] = held
    return found


def rms(difference: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.square(difference).mean()))
