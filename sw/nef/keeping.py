# SPDX-License-Identifier: Apache-2.0
"""What probes keep of each step, and when."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import within
from spikewright.nef.connection import Probe
from spikewright.nef.data import Data
from spikewright.nef.host import Outputs
from spikewright.nef.network import Network
from spikewright.nef.objects import Node
from spikewright.nef.synapses import HostFilter
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]


class Keeper:
    """Filters what the host probes, and keeps the samples that are wanted.

    Parameters
    ----------
    network : Network
    data : Data
        Where they are kept.
    dt : float
        Time step, in s.
    """

    def __init__(self, network: Network, data: Data, dt: float):
        self._probes, self._data, self._dt = tuple(network.probes), data, dt
        self._every = {
            p: steps_between(dt if p.sample_every is None else p.sample_every, dt)
            for p in self._probes
        }
        self.restart()

    def restart(self) -> None:
        """Forget what is kept and what filters hold."""
        self._filters: dict[Probe, HostFilter] = {}
        self.clear()

    def clear(self) -> None:
        """Forget what is kept."""
        self._data.clear(self._probes)

    def keep(
        self, first: int, outputs: Sequence[Outputs], results: Mapping[Node | Probe, Array]
    ) -> None:
        """Take in the steps from ``first``.

        Parameters
        ----------
        first : int
            Steps before them.
        outputs : sequence of dict of Node to ndarray
            Of each step.
        results : mapping of Node or Probe to (steps, size) ndarray
            From hardware.
        """
        for probe in self._probes:
            if isinstance(probe.target, Node):
                values = np.array([now[probe.target] for now in outputs])
            else:
                values = results[probe]
            if isinstance(probe.target, Node) or probe.attr == "spikes":
                values = self._filtered(probe, values)
            kept = sampled(first + np.arange(len(outputs)), self._every[probe]) - first
            self._data.add(probe, values[kept])

    def _filtered(self, probe: Probe, values: Array) -> Array:
        if probe.synapse is None:
            return values
        kept = self._filters.setdefault(probe, HostFilter(probe.synapse, values.shape[1], self._dt))
        found = np.empty_like(values)
        for k, value in enumerate(values):
            kept.update(value)
            found[k] = kept.held
        return found


def steps_between(every: float, dt: float) -> float:
    """Steps between the samples of a period in s; of one below a step, every step is kept.

    Raises
    ------
    ProgramError
        If it is no period.
    """
    if not within(every, 0, math.inf, "()"):
        raise ProgramError(f"sample_every must be positive and finite, not {every!r} s")
    steps = every / dt
    return round(steps) if math.isclose(steps, round(steps), rel_tol=1e-9) else steps


def sampled(steps: NDArray[np.int64], every: float) -> NDArray[np.int64]:
    """Steps, counted from 0, whose values are kept of samples so many steps apart."""
    return steps[(steps + 1) % every < 1]
