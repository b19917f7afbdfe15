# SPDX-License-Identifier: Apache-2.0
"""What a model is made of: ensembles and nodes."""

import inspect
import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.learn.options import check_count, within
from spikewright.nef.network import check_label, join
from spikewright.nef.neurons import LIF, NeuronType
from spikewright.nef.sampling import Choice, Uniform, numbers
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]


@dataclass(eq=False)
class Ensemble:
    """A population of neurons that represents a vector ``x``.

    The current of neuron ``k`` is ``J = gain_k (e_k · x / radius) + bias_k``.

    Parameters
    ----------
    n_neurons, dimensions : int
    max_rates : Uniform, float or (n_neurons,) array_like
        Rates in Hz at ``e · x = radius``.
    intercepts : Uniform, float or (n_neurons,) array_like
        Where neurons begin to fire, from -1 to below 1, in units of the radius.
    encoders : (n_neurons, dimensions) array_like, optional
        Preferred directions, brought to length 1; drawn on the sphere if not given.
    radius : float
        Length of the vectors to represent.
    neuron_type : LIF or SpikingRectifiedLinear
    seed : int, optional
        From the network's seed if not given.
    gain, bias : (n_neurons,) array_like, optional
        Both, instead of maximum rates and intercepts.
    eval_points : (points, dimensions) array_like, optional
        Where decoders are solved, in units of the radius; drawn in the ball if not given.
    n_eval_points : int, optional
        How many are drawn; 500 a dimension, 750 to 2500, and twice the neurons if not given.
    label : str, optional

    Raises
    ------
    ProgramError
        If an option is out of range.
    """

    n_neurons: int
    dimensions: int
    _: KW_ONLY
    max_rates: Choice = field(default_factory=lambda: Uniform(100.0, 200.0))
    intercepts: Choice = field(default_factory=lambda: Uniform(-1.0, 0.9))
    encoders: ArrayLike | None = None
    radius: float = 1.0
    neuron_type: NeuronType = field(default_factory=LIF)
    seed: int | None = None
    gain: ArrayLike | None = None
    bias: ArrayLike | None = None
    eval_points: ArrayLike | None = None
    n_eval_points: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        check_label("Ensemble", self.label)
        check_count("Neurons of an ensemble", self.n_neurons, 1)
        check_count("Dimensions of an ensemble", self.dimensions, 1)
        if not within(self.radius, 0, math.inf, "()"):
            raise ProgramError(f"Radius must be positive and finite, not {self.radius!r}")
        if self.seed is not None:
            check_count("Seed of an ensemble", self.seed, 0)
        if self.n_eval_points is not None:
            check_count("Evaluation points of an ensemble", self.n_eval_points, 1)
        if not hasattr(self.neuron_type, "refractory") or isinstance(self.neuron_type, type):
            raise ProgramError(
                f"Neurons must be LIF() or SpikingRectifiedLinear(), not {self.neuron_type!r}"
            )
        if (self.gain is None) != (self.bias is None):
            raise ProgramError("Gain and bias must be given together, or neither")
        join("ensembles", self)

    def __str__(self) -> str:
        return self.label or f"ensemble of {self.n_neurons} neurons"

    @property
    def size_in(self) -> int:
        """Dimensions that a connection brings."""
        return self.dimensions

    @property
    def neurons(self) -> "Neurons":
        """The neurons themselves, to probe or to give current."""
        return Neurons(self)

    def __getitem__(self, key: Any) -> "View":
        return View(self, _indices(key, self.dimensions))


@dataclass(eq=False)
class Node:
    """A function on the host.

    Parameters
    ----------
    output : array_like or callable, optional
        A constant; a function of the time in s, or, with ``size_in``, of the time and a vector;
        ``None`` hands on its input.
    size_in : int
        Dimensions of the input.
    size_out : int, optional
        Dimensions of the output; found by calling it at time 0 if not given.
    label : str, optional

    Raises
    ------
    ProgramError
        If the sizes do not fit, or the output is of another kind.
    """

    output: ArrayLike | Callable[..., Any] | None = None
    _: KW_ONLY
    size_in: int = 0
    size_out: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        check_label("Node", self.label)
        check_count("Size of a node's input", self.size_in, 0)
        if self.size_out is not None:
            check_count("Size of a node's output", self.size_out, 0)
        if self.output is None:
            self.size_out = self.size_in
        elif not callable(self.output):
            self.output = vector(f"Output of {self}", self.output)
            self._check_constant(self.output)
            self.size_out = self.output.size
        else:
            given = (0.0, np.zeros(self.size_in)) if self.size_in else (0.0,)
            check_takes(f"Output of {self}", self.output, *given)
            if self.size_out is None:
                self.size_out = self._called(0.0, np.zeros(self.size_in)).size
        join("nodes", self)

    def __str__(self) -> str:
        function = getattr(self.output, "__name__", None)
        return self.label or ("node" if function is None else f"node {function}")

    @property
    def dimensions(self) -> int:
        """Dimensions of the output."""
        return int(self.size_out or 0)

    def call(self, time: float, x: Array) -> Array:
        """Output at a time in s, given the input.

        Raises
        ------
        ProgramError
            If a function's result is no vector of so many finite numbers.
        """
        if self.output is None:
            return x
        if not callable(self.output):
            return np.asarray(self.output, np.float64)
        found = self._called(time, x)
        if found.size != self.size_out:
            raise ProgramError(
                f"Output of {self} at {time:g} s must have {self.size_out} numbers, "
                f"not {found.size}"
            )
        if not np.isfinite(found).all():
            raise ProgramError(f"Output of {self} at {time:g} s must be finite, not {found}")
        return found

    def _called(self, time: float, x: Array) -> Array:
        function: Any = self.output
        result = function(time, x) if self.size_in else function(time)
        if result is None and not self.size_out:
            return np.zeros(0)
        return vector(f"Output of {self} at {time:g} s", result)

    def _check_constant(self, output: Array) -> None:
        if not np.isfinite(output).all():
            raise ProgramError(f"Output of {self} must be finite, not {output}")
        if self.size_in:
            raise ProgramError(f"Output of {self} must be a function to take an input")
        if self.size_out not in (None, output.size):
            raise ProgramError(
                f"Output of {self} must have {self.size_out} numbers, not {output.size}"
            )

    def __getitem__(self, key: Any) -> "View":
        return View(self, _indices(key, self.dimensions))


@dataclass(frozen=True, eq=False)
class Neurons:
    """The neurons of an ensemble."""

    ensemble: Ensemble

    @property
    def size_in(self) -> int:
        """One current for each."""
        return self.ensemble.n_neurons

    def __str__(self) -> str:
        return f"neurons of {self.ensemble}"

    def __getitem__(self, key: Any) -> None:
        raise ProgramError(f"{self} must be connected whole: use a transform of zeros and ones")


@dataclass(frozen=True, eq=False)
class View:
    """Some dimensions of an ensemble or a node."""

    of: Ensemble | Node
    indices: tuple[int, ...]


def check_takes(what: str, function: Callable[..., Any], *given: Any) -> None:
    """Refuse a function that cannot be called with such arguments, where its signature is known.

    Raises
    ------
    ProgramError
        With what it must take.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:
        # Of NumPy's and other compiled ones.
        return
    try:
        signature.bind(*given)
    except TypeError as error:
        raise ProgramError(
            f"{what} must take {' and '.join(map(_kind, given))}, which {signature} does not"
        ) from error


def vector(what: str, value: Any) -> Array:
    """A vector of numbers, a copy.

    Raises
    ------
    ProgramError
        If it is none.
    """
    found = np.atleast_1d(numbers(what, value)).copy()
    if found.ndim != 1:
        raise ProgramError(f"{what} must be a vector, not of shape {found.shape}")
    return found


def _indices(key: Any, size: int) -> tuple[int, ...]:
    try:
        found = np.atleast_1d(np.arange(size)[key])
    except IndexError:
        found = np.zeros(0)
    if found.ndim != 1 or not found.size:
        raise ProgramError(f"Dimensions must be among 0 to {size - 1}, not {key!r}")
    return tuple(int(k) for k in found)


def _kind(value: Any) -> str:
    return "the time" if isinstance(value, float) else "a vector"
