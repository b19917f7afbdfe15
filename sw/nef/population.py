# SPDX-License-Identifier: Apache-2.0
"""An ensemble with everything drawn, in numbers and in codes."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.neurons import NeuronType, gain_bias, most_rate
from spikewright.nef.objects import Ensemble
from spikewright.nef.precision import LeakCode, Precision, encoded, fractions
from spikewright.nef.sampling import in_ball, on_sphere, values_of
from spikewright.sim.errors import ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.lif import Lif
from spikewright.sim.matvec import MatVec
from spikewright.sim.primitive import Codes
from spikewright.sim.requantize import Requantize

Array = NDArray[np.float64]

REACH = 1.25
"""Radii at which currents must not yet saturate."""
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


def draw(ensemble: Ensemble, seed: int, dt: float) -> Draw:
    """Draw what an ensemble leaves open.

    Parameters
    ----------
    ensemble : Ensemble
    seed : int
        Used where the ensemble has none.
    dt : float
        Time step of its neurons, in s.

    Raises
    ------
    ProgramError
        If maximum rates, intercepts or encoders are out of range.
    """
    n, rng = ensemble.n_neurons, np.random.default_rng(ensemble.seed or seed)
    encoders = _encoders(ensemble, rng)
    if ensemble.gain is not None:
        gain = values_of("Gain", ensemble.gain, n, rng)
        bias = values_of("Bias", ensemble.bias, n, rng)
        with np.errstate(divide="ignore", invalid="ignore"):
            intercepts = (ensemble.neuron_type.onset - bias) / gain
        max_rates = ensemble.neuron_type.rates(gain + bias)
    else:
        max_rates = values_of("Maximum rates", ensemble.max_rates, n, rng)
        intercepts = values_of("Intercepts", ensemble.intercepts, n, rng)
        _check_rates(ensemble, max_rates, dt)
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
    given: Any = ensemble.encoders
    found = np.asarray(given, np.float64)
    if found.ndim == 1 and ensemble.dimensions == 1:
        found = found[:, None]
    if found.shape[-1:] != shape[1:] or found.ndim > 2 or len(found) not in (1, shape[0]):
        raise ProgramError(f"Encoders of {ensemble} must have shape {shape}, not {found.shape}")
    found = np.broadcast_to(found, shape)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ProgramError(f"Encoders of {ensemble} must be finite and not zero")
    return np.asarray(found / lengths)


def _check_rates(ensemble: Ensemble, max_rates: Array, dt: float) -> None:
    limit, largest = most_rate(ensemble.neuron_type, dt), float(max_rates.max())
    if not max_rates.min() > 0:
        raise ProgramError(
            f"Maximum rates of {ensemble} must be above 0 Hz, not {max_rates.min():g}"
        )
    if largest < limit:
        return
    needed = next(
        (n for n in range(2, MOST_SUBSTEPS) if most_rate(ensemble.neuron_type, dt / n) > largest),
        None,
    )
    fix = "use lower ones" if needed is None else f"use substeps={needed} or lower rates"
    raise ProgramError(
        f"Maximum rates of {ensemble} must be below {limit:.1f} Hz in steps of {dt:g} s, "
        f"not {largest:.1f}: {fix}"
    )


def _eval_points(ensemble: Ensemble, rng: np.random.Generator) -> Array:
    n, dimensions = ensemble.n_neurons, ensemble.dimensions
    if ensemble.eval_points is None:
        usual = max(min(max(500 * dimensions, 750), 2500), 2 * n)
        return in_ball(ensemble.n_eval_points or usual, dimensions, rng)
    points = np.asarray(ensemble.eval_points, np.float64)
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or points.shape[1] != dimensions or not np.isfinite(points).all():
        raise ProgramError(
            f"Evaluation points of {ensemble} must be finite and have shape "
            f"(points, {dimensions}), not {points.shape}"
        )
    return points


class Population:
    """An ensemble's primitives, their tensors, and its draw.

    Parameters
    ----------
    name : str
        Begins the names of its nodes and tensors.
    ensemble : Ensemble
    drawn : Draw
    dt : float
        Time step of the neurons, in s.
    precision : Precision

    Attributes
    ----------
    value : QFormat
        Of the represented vector.
    encode : MatVec
        ``W x + b`` with ``W = drive · gain · e / radius`` and ``b = drive · bias``.
    round : Requantize
    current : QFormat
        Of a neuron's current times the drive: what a step adds to the voltage.
    tensors : dict of str to ndarray of int64
    """

    def __init__(
        self, name: str, ensemble: Ensemble, drawn: Draw, *, dt: float, precision: Precision
    ):
        self.name, self.ensemble, self.draw, self.dt = name, ensemble, drawn, dt
        neuron = self.neuron = ensemble.neuron_type
        self.value = precision.values(ensemble.radius)
        self.drive = neuron.drive(dt)
        weights = self.drive * drawn.gain[:, None] * drawn.encoders / ensemble.radius
        biases = self.drive * drawn.bias
        largest = float((drawn.gain * REACH + drawn.bias).max())
        self.membrane = fractions(precision.membrane, max(2.0, 1 + self.drive * largest))
        self.current = QFormat(width=self.membrane.width, frac=self.membrane.frac)
        weight_format = fractions(precision.encoder, float(np.abs(weights).max()))
        self.encode = MatVec(
            rows=ensemble.n_neurons,
            columns=ensemble.dimensions,
            input=self.value,
            weight_format=weight_format,
            weight=f"{name}_encoders",
            bias=f"{name}_bias",
        )
        self.round = Requantize(
            size=ensemble.n_neurons, input=self.encode.accumulator, output=self.current
        )
        self.tensors: dict[str, Codes] = {
            f"{name}_encoders": encoded("Encoders", weights, weight_format),
            f"{name}_bias": encoded("Biases", biases, self.encode.bias_format),
        }
        self._leak = LeakCode.of(neuron.leak(dt))
        self.tensors |= neuron_tensors(name, neuron, self.membrane, self._leak)

    def neurons(self, current: QFormat, voltage: str = "none") -> Lif:
        """The neurons, for a current of a format."""
        return neurons(
            self.name,
            self.ensemble.n_neurons,
            self.neuron,
            dt=self.dt,
            current=current,
            membrane=self.membrane,
            leak=self._leak,
            voltage=voltage,
        )

    def currents(self, points: Array) -> Codes:
        """Current codes (points, n_neurons) at vectors, as the integer model computes them."""
        x = self.value.saturate(np.floor(np.ldexp(points, self.value.frac) + 0.5)).astype(np.int64)
        _, (sums,) = self.encode.step(self.tensors, {}, x)
        _, (codes,) = self.round.step(self.tensors, {}, sums)
        return codes


def neurons(
    name: str,
    size: int,
    neuron: NeuronType,
    *,
    dt: float,
    current: QFormat,
    membrane: QFormat,
    leak: LeakCode,
    voltage: str = "none",
) -> Lif:
    """Neurons of a type as a primitive whose tensors :func:`neuron_tensors` gives.

    Raises
    ------
    FormatError
        If the refractory period has too many steps.
    """
    return Lif(
        size=size,
        input=current,
        membrane=membrane,
        leak=f"{name}_leak",
        leak_frac=leak.frac,
        threshold=f"{name}_threshold",
        reset="subtract" if neuron.reset == "subtract" else "value",
        reset_tensor=None if neuron.reset == "subtract" else f"{name}_reset",
        refractory=round(neuron.refractory(dt)),
        lower=0,
        voltage=voltage,
    )


def neuron_tensors(
    name: str, neuron: NeuronType, membrane: QFormat, leak: LeakCode
) -> dict[str, Codes]:
    """Leak, threshold and reset of neurons."""
    found = {
        f"{name}_leak": np.array([leak.code]),
        f"{name}_threshold": np.array([1 << membrane.frac]),
    }
    if neuron.reset != "subtract":
        found[f"{name}_reset"] = np.zeros(1, np.int64)
    return found


def refractory_error(neuron: NeuronType, dt: float) -> float:
    """How far, in s, the refractory period is from whole steps."""
    return math.fabs(round(neuron.refractory(dt)) - neuron.refractory(dt)) * dt
