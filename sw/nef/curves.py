# SPDX-License-Identifier: Apache-2.0
"""Tuning curves that the integer neurons have, measured step by step."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.neurons import NeuronType
from spikewright.nef.population import Population, neuron_tensors, neurons
from spikewright.nef.precision import LeakCode
from spikewright.sim.emulator import Emulator
from spikewright.sim.fixed import QFormat
from spikewright.sim.hold import Hold
from spikewright.sim.ports import Port, Rate
from spikewright.sim.program import Input, Node, Program

Array = NDArray[np.float64]

SECONDS = 4.0
"""For how long each current is held."""
MOST_CURRENTS = 2048
"""Currents that are measured; between them, curves are straight lines."""
AT_ONCE = 1 << 22
"""Spikes looked at in one piece."""


def tuning_curves(population: Population, points: Array) -> Array:
    """Rates in Hz (points, n_neurons) of an ensemble's integer neurons at vectors.

    Parameters
    ----------
    population : Population
    points : (points, dimensions) array_like
        In the units of the represented vector, not of the radius.
    """
    codes = population.currents(np.asarray(points, np.float64))
    currents, rates = response(
        population.neuron,
        dt=population.dt,
        membrane=population.membrane,
        lo=int(codes.min()),
        hi=int(codes.max()),
    )
    return np.interp(codes, currents, rates)


@lru_cache(maxsize=64)
def response(
    neuron: NeuronType, *, dt: float, membrane: QFormat, lo: int, hi: int
) -> tuple[NDArray[np.int64], Array]:
    """Current codes from ``lo`` to ``hi`` and the rates in Hz of integer neurons at each.

    Each current is held for 4 s from rest; the rate is ``(spikes - 1) / (last - first)``, so that
    whole periods are counted. Of more than 2,048 currents, that many are measured.

    Parameters
    ----------
    neuron : NeuronType
    dt : float
        In s.
    membrane : QFormat
        Of the voltage; currents have its fraction bits.
    lo, hi : int
    """
    count = min(hi - lo + 1, MOST_CURRENTS)
    currents = np.unique(np.linspace(lo, hi, count).round().astype(np.int64))
    leak, steps = LeakCode.of(neuron.leak(dt)), round(SECONDS / dt)
    tensors = neuron_tensors("n", neuron, membrane, leak)
    rates = []
    for part in np.array_split(currents, -(-len(currents) * steps // AT_ONCE)):
        size = len(part)
        cells = neurons("n", size, neuron, dt=dt, current=membrane, membrane=membrane, leak=leak)
        program = Program(
            inputs={"i": Input(Port(size=size, format=membrane), Rate.FRAME)},
            nodes=(
                Node("hold", Hold(size=size, format=membrane), ("i",)),
                Node("neurons", cells, ("hold",)),
            ),
            outputs={"spikes": "neurons.spike"},
            tensors=tensors,
            dt=dt,
            steps=steps,
        )
        spikes = Emulator(program).run({"i": part[None]})["spikes"][0]
        rates.append(rates_between(spikes, dt))
    return currents, np.concatenate(rates)


def rates_between(spikes: NDArray[np.int64], dt: float) -> Array:
    """Rates in Hz from first to last spike of each neuron: spikes are (steps, n_neurons)."""
    counts = spikes.sum(axis=0)
    first = spikes.argmax(axis=0)
    last = len(spikes) - 1 - spikes[::-1].argmax(axis=0)
    return np.where(counts > 1, (counts - 1) / (np.maximum(last - first, 1) * dt), 0.0)
