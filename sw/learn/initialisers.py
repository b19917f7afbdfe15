# SPDX-License-Identifier: Apache-2.0
"""How weights begin."""

import math
from typing import Protocol

import numpy as np

from spikewright.learn.tape import Array


class Initialiser(Protocol):
    """Draws weights."""

    def __call__(
        self, rng: np.random.Generator, shape: tuple[int, ...], n_in: int, n_out: int, gain: float
    ) -> Array:
        """Draw weights of ``shape`` for ``n_in`` inputs and ``n_out`` outputs a node.

        ``gain`` is the factor of their variance that what follows the layer asks for.
        """


def he(
    rng: np.random.Generator, shape: tuple[int, ...], n_in: int, n_out: int, gain: float
) -> Array:
    """Normal of variance ``2 gain / n_in``: keeps the size of values through a rectifier.

    He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015.
    """
    return rng.normal(0, math.sqrt(2 * gain / n_in), shape)


def glorot(
    rng: np.random.Generator, shape: tuple[int, ...], n_in: int, n_out: int, gain: float
) -> Array:
    """Uniform in ``+-sqrt(6 gain / (n_in + n_out))``: a compromise for both directions.

    Glorot and Bengio, Understanding the difficulty of training deep feedforward networks, 2010.
    """
    limit = math.sqrt(6 * gain / (n_in + n_out))
    return rng.uniform(-limit, limit, shape)


def uniform(
    rng: np.random.Generator, shape: tuple[int, ...], n_in: int, n_out: int, gain: float
) -> Array:
    """Uniform in ``+-sqrt(gain / n_in)``, the rule of thumb before the others."""
    limit = math.sqrt(gain / n_in)
    return rng.uniform(-limit, limit, shape)


def coherent(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    n_in: int,
    n_out: int,
    gain: float,
    *,
    signs: Array | None = None,
) -> Array:
    """Normal with the signs of the nodes: ``w = rho_k |n|`` with mean magnitude ``1 / n_in``.

    Every path to a node then has the sign of the node, so that every node is coherent whatever is
    active; the mean gain of a layer is 1 and values neither grow nor fade with depth. (Kickback:
    Balduzzi, Vanchinathan and Buhmann, 2015, with the scale 1/n in place of 1/sqrt(n).)

    Parameters
    ----------
    rng, shape, n_in, n_out, gain
        See :class:`Initialiser`; the gain multiplies the variance here as well.
    signs : (n_out,) ndarray, optional
        Sign ``rho_k`` of each node, +1 or -1; all +1 if not given, as for an output.
    """
    # The mean of |n| is sqrt(2 / pi) standard deviations.
    deviation = math.sqrt(math.pi / 2 * gain) / n_in
    weights = np.abs(rng.normal(0, deviation, shape))
    if signs is not None:
        weights *= np.reshape(signs, (-1,) + (1,) * (len(shape) - 1))
    return weights


INITIALISERS: dict[str, Initialiser] = {
    "he": he,
    "glorot": glorot,
    "uniform": uniform,
    "coherent": coherent,
}
"""Initialisers by the name :class:`~spikewright.network.Network` takes."""
