# SPDX-License-Identifier: Apache-2.0
"""Firing, and the smooth slopes that stand in for its own in training."""

from typing import Protocol

import numpy as np

from spikewright.learn.tape import Array, Value


class Surrogate(Protocol):
    """A surrogate slope, 1 at the threshold.

    ``surrogate(gradient, voltage, threshold, slope, out=out)`` writes to ``out`` the gradient of
    the spikes times the surrogate slope at ``u = voltage - threshold``.
    """

    def __call__(
        self,
        gradient: Array,
        voltage: Array,
        threshold: float | Array,
        slope: float,
        *,
        out: Array,
    ) -> None:
        """Write the gradient of the voltage to ``out``."""


def fast_sigmoid(
    gradient: Array, voltage: Array, threshold: float | Array, slope: float, *, out: Array
) -> None:
    """Slope ``1 / (1 + slope |u|)**2``, that of ``u / (1 + slope |u|)``."""
    np.subtract(voltage, threshold, out=out)
    np.abs(out, out=out)
    np.multiply(out, slope, out=out)
    np.add(out, 1, out=out)
    np.square(out, out=out)
    np.divide(gradient, out, out=out)


def arctan(
    gradient: Array, voltage: Array, threshold: float | Array, slope: float, *, out: Array
) -> None:
    """Slope ``1 / (1 + (slope u)**2)``, that of ``arctan(slope u) / slope``."""
    np.subtract(voltage, threshold, out=out)
    np.multiply(out, slope, out=out)
    np.square(out, out=out)
    np.add(out, 1, out=out)
    np.divide(gradient, out, out=out)


def triangular(
    gradient: Array, voltage: Array, threshold: float | Array, slope: float, *, out: Array
) -> None:
    """Slope ``max(0, 1 - slope |u|)``."""
    np.subtract(voltage, threshold, out=out)
    np.abs(out, out=out)
    np.multiply(out, -slope, out=out)
    np.add(out, 1, out=out)
    np.maximum(out, 0, out=out)
    np.multiply(gradient, out, out=out)


SURROGATES: dict[str, Surrogate] = {
    "fast-sigmoid": fast_sigmoid,
    "arctan": arctan,
    "triangular": triangular,
}
"""Surrogate slopes by name."""


def spike(v: Value, *, threshold: float, slope: float, surrogate: str = "fast-sigmoid") -> Value:
    """Firing ``s = (v >= threshold)`` with a surrogate for its slope.

    Parameters
    ----------
    v : Value
        Membrane voltage.
    threshold : float
        In units of ``v``.
    slope : float
        Sharpness of the surrogate, per unit of ``v``.
    surrogate : str
        A name in :data:`SURROGATES`.
    """
    s = v.tape.output(v.data.shape, v.data.dtype, v)
    through = SURROGATES[surrogate]

    def forward() -> None:
        np.greater_equal(v.data, threshold, out=s.data)

    def write(out: Array) -> None:
        through(s.gradient(), v.data, threshold, slope, out=out)

    return v.tape.record(s, forward, lambda: v.receive(write))
