# SPDX-License-Identifier: Apache-2.0
"""Decoders of connections and probes, solved on tuning curves."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import check_name
from spikewright.nef.connection import Connection
from spikewright.nef.decoders.curves import tuning_curves
from spikewright.nef.decoders.solvers import LstsqL2, rmse
from spikewright.nef.lowering.population import Population
from spikewright.nef.network import Network
from spikewright.nef.objects import Ensemble
from spikewright.sim.errors import DataError, SpikewrightWarning

Array = NDArray[np.float64]

CURVES = ("measured", "analytic")
"""Tuning curves that decoders can be solved on."""
SILENT = 0.1
"""Share of neurons that never fire, though they should, from which that is told."""


@dataclass(frozen=True)
class Decoded:
    """Decoders of a function.

    Attributes
    ----------
    decoders : (n_neurons, size) ndarray
        Value for each Hz of a neuron's rate.
    eval_points : (points, dimensions) ndarray
        Where they were solved, in units of the represented vector.
    rmse : float
        Between the decoded rates and the function there, all dimensions together.
    largest : float
        Largest magnitude of the function there.
    """

    decoders: Array
    eval_points: Array
    rmse: float
    largest: float


class Decoding:
    """Solves decoders, and keeps each ensemble's tuning curves.

    Parameters
    ----------
    populations : mapping of Ensemble to Population
    curves : {"measured", "analytic"}
        Those of the integer neurons, step by step; or those of continuous time.

    Raises
    ------
    ProgramError
        If the curves are unknown.
    """

    def __init__(self, populations: dict[Ensemble, Population], *, curves: str = "measured"):
        check_name("Curves", curves, CURVES)
        self._populations, self._curves = populations, curves
        self._rates: dict[Ensemble, Array] = {}

    def rates(self, ensemble: Ensemble) -> Array:
        """Rates in Hz (points, n_neurons) at an ensemble's evaluation points."""
        if ensemble not in self._rates:
            population, points = self._populations[ensemble], self.points(ensemble)
            self._rates[ensemble] = self.curve(population, points)
            self._tell_silent(population, points, self._rates[ensemble])
        return self._rates[ensemble]

    def curve(self, population: Population, points: Array) -> Array:
        """Rates in Hz (points, n_neurons) at vectors."""
        if self._curves == "measured":
            return tuning_curves(population, points)
        return _closed(population, points)

    def _tell_silent(self, population: Population, points: Array, rates: Array) -> None:
        """Warn where the bits keep many neurons from firing at all."""
        silent = (rates.max(axis=0) == 0) & (_closed(population, points).max(axis=0) > 0)
        if silent.sum() > SILENT * silent.size:
            warnings.warn(
                f"{silent.sum()} neurons of {population.ensemble} never fire in voltages of "
                f"{population.membrane.width} bits, though their currents are above the threshold: "
                "use higher maximum rates or a wider Precision(membrane=...)",
                SpikewrightWarning,
                stacklevel=8,
            )

    def points(self, ensemble: Ensemble) -> Array:
        """Evaluation points, in units of the represented vector."""
        return self._populations[ensemble].draw.eval_points * ensemble.radius

    def of(self, ensemble: Ensemble, connection: Connection | None = None) -> Decoded:
        """Decoders of a connection's function, or of the vector itself.

        Raises
        ------
        DataError
            If the function's values are not finite, or the decoders cannot be solved.
        """
        points, rates = self.points(ensemble), None
        what, solver = f"the vector of {ensemble}", None
        function: Callable[[Array], Array] = _identity
        if connection is not None:
            what, solver = f"the function of {connection}", connection.solver
            indices = list(connection.pre_indices)
            apply = connection.apply
            if connection.eval_points is not None:
                points = connection.eval_points
                rates = self.curve(self._populations[ensemble], points)

            def function(x: Array) -> Array:
                return apply(x[indices])

        targets = np.array([function(x) for x in points])
        if not np.isfinite(targets).all():
            raise DataError(f"Values of {what} must be finite at every evaluation point")
        rates = self.rates(ensemble) if rates is None else rates
        solver = LstsqL2() if solver is None else solver
        try:
            decoders = np.asarray(solver.solve(rates, targets), np.float64)
        except DataError as error:
            raise DataError(f"Decoders of {what} cannot be solved: {error}") from error
        wanted = (rates.shape[1], targets.shape[1])
        if decoders.shape != wanted or not np.isfinite(decoders).all():
            raise DataError(
                f"Decoders of {what} must be finite and have shape {wanted}, "
                f"not {decoders.shape} as {solver!r} solves them"
            )
        return Decoded(
            decoders,
            points,
            rmse(rates, decoders, targets),
            float(np.abs(targets).max()),
        )


def _closed(population: Population, points: Array) -> Array:
    """Rates in Hz (points, n_neurons) at vectors, in continuous time."""
    drawn = population.draw
    unit = points / population.ensemble.radius
    return population.neuron.rates(drawn.gain * (unit @ drawn.encoders.T) + drawn.bias)


def decode(network: Network, decoding: Decoding) -> dict[object, Decoded]:
    """Decoders of all that comes from ensembles; of the vector itself, solved once for each."""
    found: dict[object, Decoded] = {}
    plain: dict[Ensemble, Decoded] = {}

    def vector_of(ensemble: Ensemble) -> Decoded:
        if ensemble not in plain:
            plain[ensemble] = decoding.of(ensemble)
        return plain[ensemble]

    for connection in network.connections:
        if isinstance(connection.pre, Ensemble):
            found[connection] = decoding.of(connection.pre, connection)
            if connection.rule is not None:
                found[connection.pre] = vector_of(connection.pre)
    for probe in network.probes:
        if isinstance(probe.target, Ensemble) and probe.attr == "decoded":
            found[probe] = vector_of(probe.target)
    return found


def wants_weights(solver: Any) -> bool:
    """Whether a solver asks for full weights."""
    return bool(getattr(solver, "weights", False))


def _identity(x: Array) -> Array:
    return x
