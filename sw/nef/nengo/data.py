# SPDX-License-Identifier: Apache-2.0
"""What a simulation of a Nengo network leaves, by the user's own objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spikewright.nef.data import Array, BuiltEnsemble, Data
from spikewright.nef.nengo.ensembles import Population
from spikewright.nef.nengo.translate import Translation


@dataclass(frozen=True)
class BuiltWeights:
    """A Nengo connection's decoders.

    Attributes
    ----------
    weights : (size, n_neurons) ndarray
        As solved, in value per Hz.
    """

    weights: Array


class NengoData(Mapping[Any, Any]):
    """Values of probes, and what ensembles and connections were built with.

    Keys are Nengo objects, or ours.

    Parameters
    ----------
    data : Data
    translation : Translation
    """

    def __init__(self, data: Data, translation: Translation):
        self._data, self._of = data, translation

    def __getitem__(self, key: Any) -> Any:
        if key in self._of.probes:
            kept = self._of.probes[key]
            values = self._data[kept.probe]
            return values[:, list(kept.indices)] if values.size else values
        if key in self._of.ensembles:
            return _built(self._of.ensembles[key])
        if key in self._of.decoders:
            return BuiltWeights(self._of.decoders[key])
        if key in self._of.connections:
            return BuiltWeights(self._data[self._of.connections[key]].decoders)
        return self._data[key]

    def __iter__(self) -> Iterator[Any]:
        yield from self._of.probes
        yield from self._of.ensembles
        yield from self._of.connections

    def __len__(self) -> int:
        return sum(1 for _ in self)


def data_of(data: Data, translation: Translation | None) -> Mapping[Any, Any]:
    """What a simulator shows: by Nengo's objects, if there are some."""
    return data if translation is None else NengoData(data, translation)


def _built(population: Population) -> BuiltEnsemble:
    d = population.drawn
    if d is None:
        raise KeyError("An ensemble in direct mode has no parameters")
    # In units of the represented vector, where ours are of the radius.
    points = d.eval_points * d.radius
    return BuiltEnsemble(d.gain, d.bias, d.max_rates, d.intercepts, d.encoders, points)
