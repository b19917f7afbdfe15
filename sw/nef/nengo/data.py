# SPDX-License-Identifier: Apache-2.0
"""What a simulation of a Nengo network leaves, by the user's own objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikewright.nef.data import Array, BuiltEnsemble, Data
from spikewright.nef.nengo.joining import has_weights
from spikewright.nef.nengo.reading import Drawn, kind_of
from spikewright.nef.nengo.translate import Translation
from spikewright.nef.objects import Ensemble


@dataclass(frozen=True)
class BuiltPopulation(BuiltEnsemble):
    """A Nengo ensemble's parameters, its evaluation points in units of the represented vector.

    Attributes
    ----------
    scaled_encoders : (n_neurons, dimensions) ndarray
        ``gain · e / radius``.
    """

    scaled_encoders: Array


@dataclass(frozen=True)
class BuiltWeights:
    """A Nengo connection's weights.

    Attributes
    ----------
    weights : (size_out, size_in) ndarray
        The transform; of an ensemble of neurons, times the decoders as solved, in value per Hz;
        of a solver with weights, those from neuron to neuron.
    """

    weights: Array


class NengoData(Mapping[Any, Any]):
    """Values of probes, and what ensembles and connections were built with.

    Keys are Nengo objects, or ours. Ensembles in direct mode have no parameters.

    Parameters
    ----------
    data : Data
    translation : Translation
    """

    def __init__(self, data: Data, translation: Translation):
        self._data, self._of = data, translation
        self._drawn = {e: m.drawn for e, m in translation.ensembles.items() if m.drawn is not None}

    def __getitem__(self, key: Any) -> Any:
        if key in self._of.probes:
            kept = self._of.probes[key]
            values = self._data[kept.probe]
            return values[:, list(kept.indices)] if values.size else values
        if key in self._drawn:
            return _built(self._drawn[key])
        if key in self._of.transforms:
            return BuiltWeights(self._weights(key))
        return self._data[key]

    def __iter__(self) -> Iterator[Any]:
        yield from self._of.probes
        yield from self._drawn
        yield from self._of.transforms

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _weights(self, connection: Any) -> Array:
        of, transform = self._of, self._of.transforms[connection]
        solved = of.decoders.get(connection)
        if solved is not None:
            return solved if has_weights(connection) else np.asarray(transform @ solved)
        made = of.connections.get(connection)
        if (
            made is None
            or not isinstance(made.pre, Ensemble)
            or kind_of(connection.pre_obj) == "Neurons"
        ):
            return transform
        decoders: Array = self._data[made].decoders
        # What learns has the transform in its decoders.
        whole = has_weights(connection) or made.rule is not None
        return decoders if whole else np.asarray(transform @ decoders)


def data_of(data: Data, translation: Translation | None) -> Mapping[Any, Any]:
    """What a simulator shows: by Nengo's objects, if there are some."""
    return data if translation is None else NengoData(data, translation)


def _built(drawn: Drawn) -> BuiltPopulation:
    return BuiltPopulation(
        drawn.gain,
        drawn.bias,
        drawn.max_rates,
        drawn.intercepts,
        drawn.encoders,
        drawn.eval_points * drawn.radius,
        drawn.scaled_encoders,
    )
