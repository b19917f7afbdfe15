# SPDX-License-Identifier: Apache-2.0
"""What joins the objects of a model: connections, their learning rules, and probes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.learn.options import within
from spikewright.nef.network import check_label, join
from spikewright.nef.objects import Ensemble, Neurons, Node, View, check_takes, vector
from spikewright.nef.sampling import numbers, points_of
from spikewright.nef.synapses import Lowpass, synapse_of
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]
Function = Callable[[Array], ArrayLike]

SYNAPSE = Lowpass(0.005)
"""Synapse of a connection that states none."""
PROBED = ("decoded", "spikes", "voltage")
"""What can be probed of an ensemble."""


@dataclass(frozen=True, kw_only=True)
class PES:
    """Learn decoders from an error, on the hardware: ``ΔD = -κ / n · error · spikesᵀ``.

    What learns is the transform times the decoders, as in Nengo. The error, of what a
    :class:`Connection` brings to ``connection.learning_rule``, is that of the last step; the
    activities are the spikes themselves (MacNeil and Eliasmith, 2011). Right before a spike what
    the neuron itself has brought is at its least, so with a synapse that is not long beside the
    time between spikes decoders grow too large: learn through 50 ms rather than 5.

    Parameters
    ----------
    learning_rate : float
        κ, per spike and neuron.

    Raises
    ------
    ProgramError
        If the rate is not positive.
    """

    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        if not within(self.learning_rate, 0, math.inf, "()"):
            raise ProgramError(
                f"Learning rate must be positive and finite, not {self.learning_rate!r}"
            )


@dataclass(frozen=True, eq=False)
class LearningRule:
    """Where the error of a connection's learning rule goes."""

    connection: "Connection"

    @property
    def size_in(self) -> int:
        """Dimensions of the error: those that the connection brings."""
        return len(self.connection.post_indices)

    def __str__(self) -> str:
        return f"learning rule of {self.connection}"


class Connection:
    """What one object sends another: ``synapse(transform · function(x))``.

    Parameters
    ----------
    pre : Ensemble, Node or some of their dimensions
    post : Ensemble, Node, some of an ensemble's dimensions, its neurons or a learning rule
    function : callable, optional
        Of a vector, decoded from the ensemble (computed, from a node); identity if not given.
    transform : float or (size out, size of the function) array_like, optional
        Linear map; identity if not given.
    synapse : Lowpass, Alpha, float or None
        Filter; a number is the time constant in s of a Lowpass. With one, a step brings what the
        filter held at the end of the last; with None, what is sent in this step.
    solver : object with ``solve(rates, targets)``, optional
        :class:`~spikewright.nef.decoders.solvers.LstsqL2` if not given. With its ``weights``
        true the full matrix from neuron to neuron is used, and the factors are not.
    learning_rule : PES, optional
    label : str, optional
    eval_points : (points, dimensions) array_like, optional
        Vectors of the whole ensemble at which decoders are solved; the ensemble's if not given.

    Raises
    ------
    ProgramError
        If sizes do not fit, or one object cannot be connected to the other.
    """

    def __init__(
        self,
        pre: Any,
        post: Any,
        *,
        function: Function | None = None,
        transform: ArrayLike | None = None,
        synapse: Any = SYNAPSE,
        solver: Any = None,
        learning_rule: PES | None = None,
        label: str | None = None,
        eval_points: ArrayLike | None = None,
    ):
        check_label("Connection", label)
        self.pre, self.pre_indices = _source(pre)
        self.post, self.post_indices = _sink(post)
        self.label = label
        self._check_kinds(function, solver, learning_rule)
        self.function, self.synapse, self.solver = function, synapse_of(synapse), solver
        self.rule = learning_rule
        self.eval_points = self._points(eval_points)
        if learning_rule is not None and not isinstance(self.pre, Ensemble):
            raise ProgramError(f"{self} must come from an ensemble to learn decoders")
        self.size_function = self._size()
        self.transform = self._transform(transform)
        join("connections", self)

    def __str__(self) -> str:
        return self.label or f"connection from {self.pre} to {self.post}"

    @property
    def learning_rule(self) -> LearningRule:
        """Target of the connection that brings the error.

        Raises
        ------
        ProgramError
            If the connection does not learn.
        """
        if self.rule is None:
            raise ProgramError(f"{self} has no learning_rule: give it a PES")
        return LearningRule(self)

    def apply(self, x: Array) -> Array:
        """The function's value at a vector (of the chosen dimensions).

        Raises
        ------
        ProgramError
            If it is no vector of as many numbers as it was at 0.
        """
        if self.function is None:
            return x
        found = vector(f"Function of {self}", self.function(x))
        if found.size != self.size_function:
            raise ProgramError(
                f"Function of {self} must return {self.size_function} numbers, as it does at 0, "
                f"not {found.size} at {x}"
            )
        return found

    def _size(self) -> int:
        """Size of the function's value at 0, where it need not be finite."""
        at = np.zeros(len(self.pre_indices))
        if self.function is None:
            return at.size
        check_takes(f"Function of {self}", self.function, at)
        with np.errstate(all="ignore"):
            found = vector(f"Function of {self}", self.function(at))
        if not found.size:
            raise ProgramError(f"Function of {self} must return at least one number")
        return found.size

    def _check_kinds(self, function: Any, solver: Any, rule: Any) -> None:
        if function is not None and not callable(function):
            raise ProgramError(f"Function of {self} must be callable, not {function!r}")
        solves = callable(getattr(solver, "solve", None)) and not isinstance(solver, type)
        if solver is not None and not solves:
            raise ProgramError(
                f"Solver of {self} must have solve(rates, targets), as LstsqL2() has, "
                f"not be {solver!r}"
            )
        if solver is not None and not isinstance(self.pre, Ensemble):
            raise ProgramError(f"{self} must come from an ensemble to have a solver")
        if rule is not None and not isinstance(rule, PES):
            raise ProgramError(f"Learning rule of {self} must be a PES(), not {rule!r}")

    def _points(self, points: ArrayLike | None) -> Array | None:
        if points is None:
            return None
        if not isinstance(self.pre, Ensemble):
            raise ProgramError(f"{self} must come from an ensemble to have evaluation points")
        return points_of(f"Evaluation points of {self}", points, self.pre.dimensions)

    def _transform(self, transform: ArrayLike | None) -> Array:
        """The map as a matrix (size of the target, size of the function)."""
        wanted, given = len(self.post_indices), self.size_function
        matrix: Array = np.eye(given)
        if transform is not None:
            matrix = numbers(f"Transform of {self}", transform)
        if matrix.ndim == 0:
            matrix = matrix * np.eye(given)
        if matrix.ndim == 1 and given == matrix.size:
            matrix = np.diag(matrix)
        if matrix.shape != (wanted, given):
            raise ProgramError(
                f"{self} must have a transform of shape ({wanted}, {given}), not {matrix.shape}"
            )
        if not np.isfinite(matrix).all():
            raise ProgramError(f"{self} must have a finite transform")
        size = self.post.size_in
        placed = np.zeros((size, given))
        np.add.at(placed, list(self.post_indices), matrix)
        return placed


class Probe:
    """Values to be kept in every step.

    Parameters
    ----------
    target : Ensemble, Node or an ensemble's neurons
        Of an ensemble, the decoded vector; of neurons, what ``attr`` names.
    attr : {"decoded", "spikes", "voltage"}, optional
    synapse : Lowpass, Alpha, float or None
        Filter of what is kept; a probe sees its output of the same step.
    sample_every : float, optional
        In s; every step if not given.
    label : str, optional

    Raises
    ------
    ProgramError
        If that cannot be probed.
    """

    def __init__(
        self,
        target: Any,
        attr: str | None = None,
        *,
        synapse: Any = None,
        sample_every: float | None = None,
        label: str | None = None,
    ):
        check_label("Probe", label)
        default = "spikes" if isinstance(target, Neurons) else "decoded"
        self.attr = default if attr is None else attr
        allowed = PROBED[1:] if isinstance(target, Neurons) else PROBED[:1]
        if not isinstance(target, Ensemble | Node | Neurons) or self.attr not in allowed:
            raise ProgramError(
                "Probe must be of an ensemble or a node (decoded) or of neurons (spikes, voltage), "
                f"not of {self.attr!r} of {_described(target)}"
            )
        if sample_every is not None and not within(sample_every, 0, math.inf, "()"):
            raise ProgramError(f"sample_every must be positive and finite, not {sample_every!r} s")
        self.target = target.ensemble if isinstance(target, Neurons) else target
        self.synapse, self.sample_every, self.label = synapse_of(synapse), sample_every, label
        if self.synapse is not None and self.attr == "voltage":
            raise ProgramError("Probe of voltages must have no synapse")
        join("probes", self)

    def __str__(self) -> str:
        return self.label or f"probe of {self.target}"


def _described(thing: Any) -> str:
    if isinstance(thing, View):
        return f"dimensions of {thing.of}"
    known = isinstance(thing, Ensemble | Node | Neurons | Connection | LearningRule | Probe)
    return str(thing) if known else repr(thing)


def _source(pre: Any) -> tuple[Ensemble | Node, Sequence[int]]:
    of = pre.of if isinstance(pre, View) else pre
    if not isinstance(of, Ensemble | Node):
        raise ProgramError(
            "Connection must come from an ensemble, a node or some of their dimensions, "
            f"not {_described(pre)}"
        )
    return of, pre.indices if isinstance(pre, View) else tuple(range(of.dimensions))


def _sink(post: Any) -> tuple[Any, Sequence[int]]:
    of = post.of if isinstance(post, View) else post
    if not isinstance(of, Ensemble | Node | Neurons | LearningRule):
        raise ProgramError(
            "Connection must lead to an ensemble, some of its dimensions, its neurons, a node or "
            f"a learning rule, not {_described(post)}"
        )
    if isinstance(post, View):
        whole = post.of
        if whole.size_in != whole.dimensions:
            raise ProgramError(
                f"Connection must lead to {whole} whole, whose input of {whole.size_in} dimensions "
                f"is not its output of {whole.dimensions}: use a transform"
            )
        return of, post.indices
    return of, tuple(range(of.size_in))
