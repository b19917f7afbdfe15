# SPDX-License-Identifier: Apache-2.0
"""What an ensemble leaves open, drawn by its seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.neurons import gain_bias, most_rate
from spikewright.nef.objects import Ensemble
from spikewright.nef.sampling import in_ball, numbers, on_sphere, points_of, values_of
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]

MOST_SUBSTEPS = 64
"""Sub-steps that a sentence proposes at most."""


@dataclass(frozen=True)
class Draw:
    """What an ensemble's seed decides.

    Attributes
    ----------
    encoders : (n_neurons, dimensions) ndarray
        Of length 1.
    gain, bias, max_rates, intercepts : (n_neurons,) ndarray
    eval_points : (points, dimensions) ndarray
        In units of the radius.
    """

    encoders: Array
    gain: Array
    bias: Array
    max_rates: Array
    intercepts: Array
    eval_points: Array


def draw(ensemble: Ensemble, seed: int, dt: float, substeps: int = 1) -> Draw:
    """Draw what an ensemble leaves open.

    Parameters
    ----------
    ensemble : Ensemble
    seed : int
        Used where the ensemble has none.
    dt : float
        Time step of its neurons, in s.
    substeps : int
        How many of them are a step of the host, of which a sentence proposes more.

    Raises
    ------
    ProgramError
        If maximum rates, intercepts or encoders are out of range.
    """
    n = ensemble.n_neurons
    rng = np.random.default_rng(seed if ensemble.seed is None else ensemble.seed)
    encoders = _encoders(ensemble, rng)
    if ensemble.gain is not None:
        gain = values_of(f"Gain of {ensemble}", ensemble.gain, n, rng)
        bias = values_of(f"Bias of {ensemble}", ensemble.bias, n, rng)
        with np.errstate(divide="ignore", invalid="ignore"):
            intercepts = (ensemble.neuron_type.onset - bias) / gain
        max_rates = ensemble.neuron_type.rates(gain + bias)
        _check_limit(ensemble, max_rates, dt, substeps)
    else:
        max_rates = values_of(f"Maximum rates of {ensemble}", ensemble.max_rates, n, rng)
        intercepts = values_of(f"Intercepts of {ensemble}", ensemble.intercepts, n, rng)
        _check_rates(ensemble, max_rates, dt, substeps)
        wrong = intercepts[(intercepts < -1) | (intercepts >= 1)]
        if wrong.size:
            raise ProgramError(
                f"Intercepts of {ensemble} must be at least -1 and below 1, in units of "
                f"the radius, not {wrong[0]:g}"
            )
        gain, bias = gain_bias(ensemble.neuron_type, max_rates, intercepts)
    return Draw(encoders, gain, bias, max_rates, intercepts, _eval_points(ensemble, rng))


def _encoders(ensemble: Ensemble, rng: np.random.Generator) -> Array:
    shape = (ensemble.n_neurons, ensemble.dimensions)
    if ensemble.encoders is None:
        return on_sphere(*shape, rng)
    found = numbers(f"Encoders of {ensemble}", ensemble.encoders)
    if found.ndim == 1 and ensemble.dimensions == 1:
        found = found[:, None]
    if found.shape[-1:] != shape[1:] or found.ndim > 2 or len(found) not in (1, shape[0]):
        raise ProgramError(f"Encoders of {ensemble} must have shape {shape}, not {found.shape}")
    found = np.broadcast_to(found, shape)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ProgramError(f"Encoders of {ensemble} must be finite and not zero")
    return np.asarray(found / lengths)


def _check_rates(ensemble: Ensemble, max_rates: Array, dt: float, substeps: int) -> None:
    if not max_rates.min() > 0:
        raise ProgramError(
            f"Maximum rates of {ensemble} must be above 0 Hz, not {max_rates.min():g}"
        )
    _check_limit(ensemble, max_rates, dt, substeps)
    _check_onset(ensemble, max_rates)


def _check_limit(ensemble: Ensemble, max_rates: Array, dt: float, substeps: int) -> None:
    limit, largest = most_rate(ensemble.neuron_type, dt), float(max_rates.max())
    if largest < limit:
        return
    neuron, tried = ensemble.neuron_type, range(substeps + 1, MOST_SUBSTEPS + 1)
    needed = next((n for n in tried if most_rate(neuron, dt * substeps / n) > largest), None)
    fix = "use lower ones" if needed is None else f"use substeps={needed} or lower rates"
    raise ProgramError(
        f"Maximum rates of {ensemble} must be below {limit:.1f} Hz in steps of {dt:g} s, "
        f"not {largest:.1f}: {fix}"
    )


def _check_onset(ensemble: Ensemble, max_rates: Array) -> None:
    lowest = max_rates[ensemble.neuron_type.currents(max_rates) <= ensemble.neuron_type.onset]
    if lowest.size:
        raise ProgramError(
            f"Maximum rates of {ensemble} must be higher than {lowest.max():g} Hz, whose current "
            "does not differ from that at which neurons begin to fire"
        )


def _eval_points(ensemble: Ensemble, rng: np.random.Generator) -> Array:
    n, dimensions = ensemble.n_neurons, ensemble.dimensions
    if ensemble.eval_points is None:
        usual = max(min(max(500 * dimensions, 750), 2500), 2 * n)
        return in_ball(ensemble.n_eval_points or usual, dimensions, rng)
    return points_of(f"Evaluation points of {ensemble}", ensemble.eval_points, dimensions)
