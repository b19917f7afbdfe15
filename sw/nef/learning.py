# SPDX-License-Identifier: Apache-2.0
"""Rules that learn decoders online from an error, in floating point and as hardware computes them.

Decoders ``D`` (neurons, outputs) are in value per Hz, activities ``a`` in Hz. Hardware sums weights
``W`` (outputs, neurons), a column for every spike, whose sum a synapse then filters:
``W = D^T lambda / dt``, where ``lambda = 1 - exp(-dt / tau)`` is the gain of the synapse for what
arrives in one step, or 1 without a synapse.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import check_count, within
from spikewright.sim.errors import DataError, FormatError, ProgramError
from spikewright.sim.fixed import QFormat, round_half_up

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

FACTOR_BITS = 15
"""Bits of the factor's multiplier: its relative error is at most 2^-15."""


@dataclass(frozen=True, kw_only=True)
class Pes:
    """Prescribed error sensitivity: decoders move against the error that they make.

    ``ΔD = -κ dt / N · a errorᵀ`` each step, ``error = decoded - wanted`` (MacNeil and Eliasmith,
    2011; the sign and scale are Nengo's).

    The activities are the spikes themselves, ``a = 1 / dt`` in the step of a spike and 0 otherwise:
    Nengo's ``pre_synapse=None``, not its default, a trace that is filtered over 5 ms. So ``dt``
    cancels, and per spike of neuron ``j``::

        D[j]    += -κ / N · error
        W[:, j] += -κ / N · (lambda / dt) · error

    Parameters
    ----------
    learning_rate : float
        κ. Larger = faster; with constant rates the error shrinks by ``κ dt |a|^2 / N`` each step,
        which must stay below 2.
    n_neurons : int
        N.
    dt : float
        Length of a step, in s.
    tau : float, optional
        Time constant of the first-order synapse behind the weights, in s; None is no synapse.

    Raises
    ------
    ProgramError
        If an option is out of range.

    References
    ----------
    .. [1] D. MacNeil and C. Eliasmith, "Fine-tuning and the stability of recurrent neural
       networks", PLoS ONE 6(9), e22885, 2011.
    """

    learning_rate: float = 1e-4
    n_neurons: int
    dt: float = 1e-3
    tau: float | None = None

    def __post_init__(self) -> None:
        check_count("Neurons that learn", self.n_neurons, 1)
        _check_positive("Learning rate", self.learning_rate)
        _check_positive("Step", self.dt)
        if self.tau is not None:
            _check_positive("Time constant of the synapse", self.tau)

    @property
    def synapse_gain(self) -> float:
        """``lambda = 1 - exp(-dt / tau)``, 1 without a synapse."""
        return 1.0 if self.tau is None else -math.expm1(-self.dt / self.tau)

    @property
    def per_spike(self) -> float:
        """Change of a weight for one spike and an error of 1: ``-κ / N · lambda / dt``."""
        return -self.learning_rate / self.n_neurons * self.synapse_gain / self.dt

    def change(self, activities: Array, error: Array) -> Array:
        """Change of the decoders in one step, ``-κ dt / N · a errorᵀ``.

        Parameters
        ----------
        activities : (neurons,) ndarray
            In Hz.
        error : (outputs,) ndarray
            Decoded minus wanted.

        Returns
        -------
        (neurons, outputs) ndarray

        Raises
        ------
        DataError
            If there are not as many activities as neurons.
        """
        if activities.shape != (self.n_neurons,):
            raise DataError(f"Activities must be ({self.n_neurons},), not {activities.shape}")
        scale = -self.learning_rate * self.dt / self.n_neurons
        return scale * np.multiply.outer(activities, error)

    def factor(self, *, error: QFormat, weight: QFormat) -> tuple[int, int]:
        """What the error's code is multiplied with to be a weight's change: multiplier and shift.

        ``multiplier · 2^-shift ≈ per_spike · 2^(weight.frac - error.frac)``, and the change of a
        weight's code for one spike is ``round(multiplier · error · 2^-shift)``, rounded half up.

        Parameters
        ----------
        error, weight : QFormat

        Returns
        -------
        multiplier : int
            Negative, of 16 bits.
        shift : int

        Raises
        ------
        FormatError
            If even the largest error changes no weight.
        """
        exact = math.ldexp(self.per_spike, weight.frac - error.frac)
        mantissa, exponent = math.frexp(exact)
        multiplier, shift = round(math.ldexp(mantissa, FACTOR_BITS)), FACTOR_BITS - exponent
        largest = max(-error.lo, error.hi) * abs(exact)
        if largest < 0.5:
            more = math.ceil(math.log2(0.5 / largest))
            raise FormatError(
                f"Weights of {weight} cannot learn: the largest error of {error} changes them by "
                f"{largest:.2g} LSB for a spike; use {more} more fraction bits or a larger "
                "learning rate"
            )
        return multiplier, shift

    def smallest_error(self, weight: QFormat) -> float:
        """Magnitude of the error, as a value, below which rounding leaves the weights alone."""
        return 0.5 * weight.lsb / abs(self.per_spike)


def change_codes(error: Codes, multiplier: int, shift: int, change: QFormat) -> Codes:
    """Change of the weights for each spike: the error scaled, rounded half up and saturated.

    Parameters
    ----------
    error : (...) ndarray of int64
    multiplier, shift : int
        Of :meth:`Pes.factor`.
    change : QFormat
        Format of the change, with the weights' fraction bits.

    Raises
    ------
    FormatError
        If the shift is not between -63 and 63, or a product would need more than 64 bits.
    """
    if error.size and int(np.abs(error).max()) * abs(multiplier) >= 1 << 63:
        raise FormatError(
            f"Errors must be below {(1 << 63) // abs(multiplier)}, for products of 64 bits, "
            f"not {int(np.abs(error).max())}"
        )
    if abs(shift) > 63:
        raise FormatError(f"Shift of an error must be between -63 and 63 bits, not {shift}")
    scaled: Codes = change.saturate(round_half_up(error * multiplier, shift))
    return scaled


def learn_codes(weights: Codes, spikes: Codes, change: Codes, fmt: QFormat) -> Codes:
    """``W[:, j] <- saturate(W[:, j] + d)`` for every spike ``j``, the step of hardware.

    The same as :class:`~spikewright.sim.learn.Learn` does to one row of a batch.

    Parameters
    ----------
    weights : (outputs, neurons) ndarray of int64
    spikes : (neurons,) ndarray of 0 and 1
    change : (outputs,) ndarray of int64
        ``d``, for each spike.
    fmt : QFormat
        Of the weights.

    Returns
    -------
    (outputs, neurons) ndarray of int64
        Weights from the next step on; those given stay as they are.

    Raises
    ------
    DataError
        If the shapes do not fit together.
    """
    if weights.shape != (*change.shape, *spikes.shape) or weights.ndim != 2:
        raise DataError(
            f"Weights must be (outputs, neurons), of changes {change.shape} and spikes "
            f"{spikes.shape}, not {weights.shape}"
        )
    learned: Codes = weights.copy()
    fired = spikes != 0
    learned[:, fired] = fmt.saturate(weights[:, fired] + change[:, None])
    return learned


def delta_rule(weights: Array, activities: Array, target: Array, *, learning_rate: float) -> Array:
    """Change of weights by the delta rule, ``ΔW = η (target - W a) aᵀ`` (Widrow and Hoff, 1960).

    With ``W = Dᵀ`` and ``η = κ dt / N`` it is :meth:`Pes.change`.

    Parameters
    ----------
    weights : (outputs, inputs) ndarray
    activities : (inputs,) ndarray
        ``a``, in any unit.
    target : (outputs,) ndarray
    learning_rate : float
        η; the error shrinks where it is below ``2 / |a|^2``.

    Returns
    -------
    (outputs, inputs) ndarray

    Raises
    ------
    DataError
        If the shapes do not fit together.
    ProgramError
        If the rate is not positive.
    """
    _check_positive("Learning rate", learning_rate)
    if weights.shape != (*target.shape, *activities.shape) or weights.ndim != 2:
        raise DataError(
            f"Weights must be (outputs, inputs), of targets {target.shape} and activities "
            f"{activities.shape}, not {weights.shape}"
        )
    return learning_rate * np.multiply.outer(target - weights @ activities, activities)


def _check_positive(what: str, value: float) -> None:
    if not within(value, 0, math.inf, "()"):
        raise ProgramError(f"{what} must be positive and finite, not {value!r}")
