# SPDX-License-Identifier: Apache-2.0
"""What a Nengo object says: its kind, its path, and what its distributions draw.

Objects are read by the names of their classes and attributes; nothing here imports Nengo.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef import synapses
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]

KINDS = ("ensembles", "nodes", "connections", "probes")
SHORT = 0.03
"""Time constants up to so many steps filter nothing, as in Nengo."""


def is_nengo(thing: Any) -> bool:
    """Whether an object is of a Nengo class, or of one derived from one."""
    return any(_of_nengo(kind) for kind in type(thing).__mro__)


def kind_of(thing: Any) -> str:
    """Name of the Nengo class that an object is of, or is derived from."""
    found = (kind.__name__ for kind in type(thing).__mro__ if _of_nengo(kind))
    return next(found, type(thing).__name__)


def is_exactly(thing: Any, *kinds: str) -> bool:
    """Whether an object is of one of these Nengo classes, and not of one derived from it."""
    return _of_nengo(type(thing)) and type(thing).__name__ in kinds


def _of_nengo(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "nengo"


class Directory:
    """Path and seed of each object of a network and of those within it.

    Parameters
    ----------
    network : nengo.Network
    seed : int
        Of the network. Objects with a seed of their own keep it.
    """

    def __init__(self, network: Any, seed: int):
        self._paths: dict[Any, str] = {}
        self._seeds: dict[Any, int] = {}
        self._walk(network, "", seed)

    def _walk(self, network: Any, prefix: str, seed: int) -> None:
        def derived(thing: Any) -> int:
            if thing.seed is not None:
                return int(thing.seed)
            word = np.random.SeedSequence([seed, len(self._seeds)]).generate_state(1)[0]
            return int(word >> 1)

        for kind in KINDS:
            for k, thing in enumerate(getattr(network, kind)):
                self._paths[thing] = f"{prefix}{thing.label or f'{kind}[{k}]'}"
                self._seeds[thing] = derived(thing)
        for k, inner in enumerate(network.networks):
            name = f"{prefix}{inner.label or f'networks[{k}]'}"
            self._walk(inner, f"{name}.", derived(inner))

    def path(self, thing: Any) -> str:
        """Labels from the outermost network to the object, as in ``memory.ensembles[0]``."""
        if kind_of(thing) == "ObjView":
            return self.path(thing.obj)
        if kind_of(thing) == "Neurons":
            return f"neurons of {self.path(thing.ensemble)}"
        if kind_of(thing) == "LearningRule":
            return f"learning rule of {self.path(thing.connection)}"
        if kind_of(thing) == "Connection":
            if thing.label:
                return self._paths[thing]
            return f"connection from {self.path(thing.pre_obj)} to {self.path(thing.post_obj)}"
        return self._paths[thing]

    def rng(self, thing: Any) -> np.random.RandomState:
        """Of an object, begun anew."""
        return np.random.RandomState(self._seeds[thing])

    def seed(self, thing: Any) -> int:
        """Of an object."""
        return self._seeds[thing]


def samples(choice: Any, n: int, d: int | None, rng: np.random.RandomState) -> Array:
    """Values that a distribution draws, or those that are given instead.

    Returns
    -------
    (n, d) or, without ``d``, (n,) ndarray
    """
    if hasattr(choice, "sample"):
        return np.array(choice.sample(n, d, rng=rng), np.float64)
    found = np.array(choice, np.float64)
    return found if found.ndim else np.full((n,) if d is None else (n, d), found)


@dataclass(frozen=True)
class Drawn:
    """An ensemble's parameters; an ensemble with a seed of its own has those that Nengo draws.

    Attributes
    ----------
    encoders : (n_neurons, dimensions) ndarray
        In units of 1 / radius.
    gain, bias, max_rates, intercepts : (n_neurons,) ndarray
    eval_points : (points, dimensions) ndarray
        In units of the radius.
    radius : float
    """

    encoders: Array
    gain: Array
    bias: Array
    max_rates: Array
    intercepts: Array
    eval_points: Array
    radius: float

    @property
    def scaled_encoders(self) -> Array:
        """``gain · e / radius`` (n_neurons, dimensions)."""
        return self.gain[:, None] * self.encoders / self.radius

    def directions(self, points: Array) -> Array:
        """``e · x / radius`` (points, n_neurons) of vectors."""
        return np.asarray(points @ self.encoders.T / self.radius, np.float64)


def draw(ensemble: Any, rng: np.random.RandomState, path: str) -> Drawn:
    """Draw an ensemble's parameters with its own distributions and its own neuron type.

    Raises
    ------
    ProgramError
        If it has a gain without a bias, or its maximum rates and intercepts allow no gain.
    """
    n, d = ensemble.n_neurons, ensemble.dimensions
    points = samples(ensemble.eval_points, eval_count(ensemble), d, rng)
    encoders = samples(ensemble.encoders, n, d, rng)
    if ensemble.normalize_encoders:
        encoders = encoders / np.linalg.norm(encoders, axis=1, keepdims=True)
    if (ensemble.gain is None) != (ensemble.bias is None):
        raise ProgramError(f"Gain and bias of {path} must be given together, or neither")
    neurons = ensemble.neuron_type
    if ensemble.gain is None:
        max_rates = samples(ensemble.max_rates, n, None, rng)
        intercepts = samples(ensemble.intercepts, n, None, rng)
        gain, bias = neurons.gain_bias(max_rates, intercepts)
        if not (np.isfinite(gain).all() and (gain > 0).all()):
            wrong = gain[~(np.isfinite(gain) & (gain > 0))][0]
            raise ProgramError(
                f"Gain of {path} must be positive and finite, not {wrong:g}: use lower intercepts "
                "or other maximum rates"
            )
    else:
        gain, bias = (samples(c, n, None, rng) for c in (ensemble.gain, ensemble.bias))
        max_rates, intercepts = neurons.max_rates_intercepts(gain, bias)
    return Drawn(encoders, gain, bias, max_rates, intercepts, points, float(ensemble.radius))


def eval_count(ensemble: Any) -> int:
    """Evaluation points that are drawn where the ensemble names no number."""
    usual = max(min(max(500 * ensemble.dimensions, 750), 2500), 2 * ensemble.n_neurons)
    return int(ensemble.n_eval_points or usual)


def eval_points(connection: Any, rng: np.random.RandomState) -> Array | None:
    """A connection's own evaluation points, in units of the represented vector."""
    if connection.eval_points is None:
        return None
    ensemble = connection.pre_obj
    points = samples(connection.eval_points, eval_count(ensemble), ensemble.dimensions, rng)
    return points * float(ensemble.radius) if connection.scale_eval_points else points


def matrix_of(connection: Any, rng: np.random.RandomState, path: str) -> Array:
    """A connection's transform as a matrix (size_out, size_mid).

    Raises
    ------
    ProgramError
        If it is no dense or sparse matrix.
    """
    transform, size = connection.transform, int(connection.size_mid)
    if is_exactly(transform, "NoTransform"):
        return np.eye(size)
    if not is_exactly(transform, "Dense", "Sparse"):
        raise ProgramError(
            f"Transform of {path} must be a Dense or Sparse one, not {kind_of(transform)}: "
            "multiply it out into a matrix"
        )
    found = transform.sample(rng=rng)
    found = np.array(found.toarray() if hasattr(found, "toarray") else found, np.float64)
    if found.ndim == 2:
        return found
    return found * np.eye(size)


def indices_of(part: Any, size: int) -> tuple[int, ...]:
    """Dimensions that a slice or a list of indices names."""
    return tuple(int(k) for k in np.atleast_1d(np.arange(size)[part]))


class Tabulated:
    """A function that is known at some points only: elsewhere, the value at the nearest.

    Parameters
    ----------
    points : (points, dimensions) ndarray
    values : (points, size) ndarray
    """

    def __init__(self, points: Array, values: Array):
        self._points, self._values = points, values

    def __call__(self, x: Array) -> Array:
        distances = ((self._points - x) ** 2).sum(axis=1)
        return np.asarray(self._values[distances.argmin()], np.float64)


def is_simple(synapse: Any) -> bool:
    """Whether a synapse is one that hardware has."""
    return synapse is None or is_exactly(synapse, "Lowpass", "Alpha")


def synapse_of(synapse: Any, dt: float) -> synapses.Synapse | None:
    """Our synapse for one that is simple."""
    if synapse is None or synapse.tau <= SHORT * dt:
        return None
    tau = float(synapse.tau)
    return synapses.Lowpass(tau) if type(synapse).__name__ == "Lowpass" else synapses.Alpha(tau)
