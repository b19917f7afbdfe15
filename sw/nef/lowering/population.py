# SPDX-License-Identifier: Apache-2.0
"""An ensemble with everything drawn, in numbers and in codes."""

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.lowering.drawing import MOST_SUBSTEPS as MOST_SUBSTEPS
from spikewright.nef.lowering.drawing import Draw
from spikewright.nef.neurons import NeuronType
from spikewright.nef.objects import Ensemble
from spikewright.nef.precision import LeakCode, Precision, encoded, fractions
from spikewright.sim.errors import FormatError, ProgramError, SpikewrightWarning
from spikewright.sim.fixed import QFormat
from spikewright.sim.lif import MAX_REFRACTORY, Lif
from spikewright.sim.matvec import MAX_PARAMETER_WIDTH, MatVec
from spikewright.sim.primitive import Codes
from spikewright.sim.requantize import Requantize

Array = NDArray[np.float64]

REACH = 1.25
"""Radii at which currents must not yet saturate."""
LEAST_FRAC = 4
"""Fraction bits of a voltage whose threshold is 1, at least."""
TOLD = 0.01
"""Relative error of a leak from which it is told."""


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
        largest = float((np.abs(drawn.gain) * REACH + drawn.bias).max())
        self.membrane = fractions(precision.membrane, max(2.0, 1 + self.drive * largest))
        if self.membrane.frac < LEAST_FRAC:
            raise FormatError(
                f"Currents of {ensemble} reach {largest:.3g} times the threshold, which leave a "
                f"membrane of {precision.membrane} bits {self.membrane.frac} fraction bits, and "
                f"it needs {LEAST_FRAC}: use lower intercepts, gains or biases"
            )
        self.current = QFormat(width=self.membrane.width, frac=self.membrane.frac)
        weight_format = self._weight_format(precision.encoder, weights, biases)
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

    def _weight_format(self, width: int, weights: Array, biases: Array) -> QFormat:
        """Format of the encoders, such that biases of 32 bits have the products' fraction bits.

        Raises
        ------
        FormatError
            If large biases would leave a current fewer fraction bits than it has.
        """
        found = fractions(width, float(np.abs(weights).max()))
        largest = float(np.abs(biases).max())
        room = fractions(MAX_PARAMETER_WIDTH, largest).frac
        if room < self.current.frac:
            raise FormatError(
                f"Biases of {self.ensemble} must be at most "
                f"{math.ldexp(0.5, MAX_PARAMETER_WIDTH - self.current.frac) / self.drive:.4g} in "
                f"magnitude beside its currents of {self.current}, not {largest / self.drive:.4g}"
            )
        return QFormat(width=width, frac=min(found.frac, room - self.value.frac))

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


def check_times(ensemble: Ensemble, dt: float) -> None:
    """Tell of a refractory period that is no whole number of steps, and of a leak too small.

    Raises
    ------
    ProgramError
        If the refractory period has too many steps.

    Warns
    -----
    SpikewrightWarning
        With the value that takes effect.
    """
    neuron = ensemble.neuron_type
    wanted, leak = neuron.refractory(dt), neuron.leak(dt)
    steps, code = round(wanted), LeakCode.of(leak)
    if steps > MAX_REFRACTORY:
        raise ProgramError(
            f"Refractory period of {ensemble} must be at most {MAX_REFRACTORY} steps "
            f"({MAX_REFRACTORY * dt:g} s), not {wanted * dt:g} s"
        )
    if not math.isclose(steps, wanted, rel_tol=1e-6, abs_tol=1e-9):
        _tell(
            f"Refractory period of {ensemble} is {steps * dt:g} s, {steps} steps of {dt:g} s, "
            f"not {wanted * dt:g} s"
        )
    if abs(code.value - leak) > TOLD * leak:
        _tell(
            f"Leak of {ensemble} is {code.value:.3g} a step, not {leak:.3g}: use a smaller tau_rc "
            "or longer steps"
        )


def _tell(sentence: str) -> None:
    warnings.warn(sentence, SpikewrightWarning, stacklevel=5)
