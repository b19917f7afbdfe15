# SPDX-License-Identifier: Apache-2.0
"""What a simulation leaves: values of probes, and what the network was built with."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import Connection, Probe
from spikewright.nef.lowering.compiler import Compiled

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BuiltEnsemble:
    """An ensemble's parameters as they were drawn.

    Attributes
    ----------
    gain, bias, max_rates, intercepts : (n_neurons,) ndarray
    encoders : (n_neurons, dimensions) ndarray
        Of length 1.
    eval_points : (points, dimensions) ndarray
        In units of the radius.
    """

    gain: Array
    bias: Array
    max_rates: Array
    intercepts: Array
    encoders: Array
    eval_points: Array


@dataclass(frozen=True)
class BuiltConnection:
    """A connection's decoders.

    Attributes
    ----------
    decoders : (size, n_neurons) ndarray
        As solved; those that learn are read by :meth:`Simulator.decoders`.
    eval_points : (points, dimensions) ndarray
    rmse : float
        Of the decoded tuning curves at these points.
    """

    decoders: Array
    eval_points: Array
    rmse: float


class Data(Mapping[Any, Any]):
    """What probes have kept, and what ensembles and connections were built with.

    Parameters
    ----------
    compiled : Compiled
    """

    def __init__(self, compiled: Compiled):
        self._built: dict[Any, Any] = {}
        for ensemble, population in compiled.populations.items():
            d = population.draw
            self._built[ensemble] = BuiltEnsemble(
                d.gain, d.bias, d.max_rates, d.intercepts, d.encoders, d.eval_points
            )
        for of, decoded in compiled.decoded.items():
            if isinstance(of, Connection):
                self._built[of] = BuiltConnection(
                    decoded.decoders.T, decoded.eval_points, decoded.rmse
                )
        self._kept: dict[Probe, list[Array]] = {}

    def clear(self, probes: Iterable[Probe]) -> None:
        """Forget what probes have kept."""
        self._kept = {probe: [] for probe in probes}

    def add(self, probe: Probe, values: Array) -> None:
        """Keep more of a probe's values."""
        self._kept[probe].append(values)

    def __getitem__(self, key: Any) -> Any:
        if key in self._built:
            return self._built[key]
        if key not in self._kept:
            raise KeyError(
                f"{key} is no probe, ensemble or connection from an ensemble that was in the "
                "network as it was built"
            )
        if len(self._kept[key]) > 1:
            self._kept[key] = [np.concatenate(self._kept[key])]
        return self._kept[key][0] if self._kept[key] else np.zeros((0, 0))

    def __iter__(self) -> Iterator[Any]:
        return iter({**self._built, **self._kept})

    def __len__(self) -> int:
        return len(self._built) + len(self._kept)
