# SPDX-License-Identifier: Apache-2.0
"""Networks of ensembles that several tests run, and ways to run them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikewright import nef

Array = NDArray[np.float64]


def white_noise(seconds: float, *, dimensions: int = 1, dt: float = 1e-3, seed: int = 0) -> Array:
    """A random signal (steps, dimensions) of up to 5 Hz, at most 0.9 long, that begins at 0."""
    rng = np.random.default_rng(seed)
    steps, most = round(seconds / dt), max(int(5 * seconds), 1)
    time = np.arange(1, steps + 1)[:, None, None] / steps
    weights = rng.normal(size=(most, dimensions))
    waves = (np.sin(np.pi * time * (1 + np.arange(most)[:, None])) * weights).sum(axis=1)
    return np.asarray(0.9 * waves / np.linalg.norm(waves, axis=1).max())


def player(signal: Array, dt: float = 1e-3) -> nef.Node:
    """A node that plays a signal."""
    return nef.Node(lambda t: signal[round(t / dt) - 1], size_out=signal.shape[1])


def simulated(model: nef.Network, steps: int, **options: Any) -> nef.Simulator:
    """A simulator that has run so many steps and is closed."""
    with nef.Simulator(model, **options) as sim:
        sim.run_steps(steps)
    return sim


def rms(difference: Any) -> float:
    """Root of the mean square, all elements together."""
    return float(np.sqrt(np.mean(np.square(difference))))


def filtered(signal: Array, tau: float, dt: float = 1e-3, order: int = 1) -> Array:
    """A signal (steps, size) through ``order`` first-order filters, by their closed-form kernel."""
    keep = np.exp(-dt / tau)
    for _ in range(order):
        kernel = (1 - keep) * keep ** np.arange(len(signal))
        signal = np.array([np.convolve(column, kernel)[: len(signal)] for column in signal.T]).T
    return signal


def recorded(sim: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the host gives the device from now on."""
    given, run = [], sim.device.run_codes

    def keep(inputs: Any) -> Any:
        given.append(inputs)
        return run(inputs)

    monkeypatch.setattr(sim.device, "run_codes", keep)
    return given


def joined(given: list[Any]) -> dict[str, Any]:
    """What was recorded, as one stream for each input."""
    return {name: np.concatenate([g[name] for g in given], axis=1) for name in given[0]}
