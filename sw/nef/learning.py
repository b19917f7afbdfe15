# SPDX-License-Identifier: Apache-2.0
"""Rules that learn decoders online from an error, in floating point and as hardware computes them.

Decoders ``D`` (neurons, outputs) are in value per Hz, activities ``a`` in Hz. Hardware sums weights
``W`` (outputs, neurons), a column for every spike, whose sum a synapse then filters:
``W = D^T gain / dt``, where ``gain`` is that of the synapse for what arrives in one step.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import check_count, within
from spikewright.sim.errors import DataError, ProgramError
from spikewright.sim.fixed import QFormat

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pes:
    """Prescribed error sensitivity: decoders move against the error that they make.

    ``ΔD = -κ dt / N · a errorᵀ`` each step, ``error = decoded - wanted`` (MacNeil and Eliasmith,
    2011; the sign and scale are Nengo's).

    The activities are the spikes themselves, ``a = 1 / dt`` in the step of a spike and 0 otherwise:
    Nengo's ``pre_synapse=None``, not its default, a trace that is filtered over 5 ms. So ``dt``
    cancels, and per spike of neuron ``j``::

        D[j]    += -κ / N · error
        W[:, j] += -κ / N · (gain / dt) · error

    Parameters
    ----------
    learning_rate : float
        κ. Larger = faster; with constant rates the error shrinks by ``κ dt |a|^2 / N`` each step,
        which must stay below 2.
    n_neurons : int
        N.
    dt : float
        Length of a step, in s.
    gain : float
        Gain for what arrives in one step of the synapse behind the weights: λ for each of its
        stages, 1 without a synapse.

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
    gain: float = 1.0

    def __post_init__(self) -> None:
        check_count("Neurons that learn", self.n_neurons, 1)
        _check_positive("Learning rate", self.learning_rate)
        _check_positive("Step", self.dt)
        if not within(self.gain, 0, 1, "(]"):
            raise ProgramError(
                f"Gain of the synapse must be above 0 and at most 1, not {self.gain!r}"
            )

    @property
    def per_spike(self) -> float:
        """Change of a weight for one spike and an error of 1: ``-κ / N · gain / dt``."""
        return -self.learning_rate / self.n_neurons * self.gain / self.dt

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

    def change_format(self, largest: float, weight: QFormat) -> QFormat:
        """Format of a weight's change for one spike, which an error does not saturate.

        With the weights' fraction bits, 4 bits at least, and no wider than they are.

        Parameters
        ----------
        largest : float
            Magnitude of the error.
        weight : QFormat
        """
        code = round(math.ldexp(largest * abs(self.per_spike), weight.frac))
        return QFormat(width=min(max(code.bit_length() + 1, 4), weight.width), frac=weight.frac)

    def smallest_error(self, weight: QFormat) -> float:
        """Magnitude of the error, as a value, below which rounding leaves the weights alone."""
        return 0.5 * weight.lsb / abs(self.per_spike)


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
