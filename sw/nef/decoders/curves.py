# SPDX-License-Identifier: Apache-2.0
"""Tuning curves that the integer neurons have, measured step by step."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.lowering.population import Population, neuron_tensors, neurons
from spikewright.nef.neurons import NeuronType
from spikewright.nef.precision import LeakCode
from spikewright.sim.fixed import QFormat

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

SECONDS = 4.0
"""For how long each current is held."""
STEPS = (1_000, 50_000)
"""Steps for which it is held at least, and at most."""
CURRENTS = 2048
"""Currents that are measured at most; between them, curves are straight lines."""


def tuning_curves(population: Population, points: Array) -> Array:
    """Rates in Hz (points, n_neurons) of an ensemble's integer neurons at vectors.

    Parameters
    ----------
    population : Population
    points : (points, dimensions) array_like
        In the units of the represented vector, not of the radius.
    """
    codes = population.currents(np.asarray(points, np.float64))
    top = max(int(codes.max()), 1)
    # Ensembles of one type share curves: the range grows in eighths of a power of two.
    grain = 1 << max(top.bit_length() - 3, 0)
    currents, rates = response(
        population.neuron,
        dt=population.dt,
        membrane=population.membrane,
        most=-(-top // grain) * grain,
    )
    return np.interp(codes, currents, rates)


@lru_cache(maxsize=64)
def response(neuron: NeuronType, *, dt: float, membrane: QFormat, most: int) -> tuple[Codes, Array]:
    """Current codes from 0 to ``most``, and the rates in Hz of integer neurons at each.

    No neuron fires below 0. Each current is held for 4 s (1,000 to 50,000 steps) from rest; the
    rate is ``(spikes - 1) / (last - first)``, so that whole periods are counted.

    Parameters
    ----------
    neuron : NeuronType
    dt : float
        In s.
    membrane : QFormat
        Of the voltage; currents have its fraction bits.
    most : int
    """
    grid = np.linspace(0, most, min(most + 1, CURRENTS))
    currents = np.unique(grid.round().astype(np.int64))
    leak = LeakCode.of(neuron.leak(dt))
    wide = QFormat(width=32, frac=membrane.frac)
    cells = neurons("n", len(currents), neuron, dt=dt, current=wide, membrane=membrane, leak=leak)
    tensors, state = neuron_tensors("n", neuron, membrane, leak), cells.init_state(1)
    counts, first, last = (np.zeros(len(currents), np.int64) for _ in range(3))
    for step in range(int(np.clip(round(SECONDS / dt), *STEPS))):
        state, (spikes, *_) = cells.step(tensors, state, currents[None])
        fired = spikes[0] == 1
        first[fired & (counts == 0)] = step
        last[fired] = step
        counts += spikes[0]
    return currents, np.where(counts > 1, (counts - 1) / (np.maximum(last - first, 1) * dt), 0.0)
