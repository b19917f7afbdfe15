# SPDX-License-Identifier: Apache-2.0
"""Differential equations as recurrent ensembles: integrators, oscillators, filters."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.learn.options import within
from spikewright.nef.connection import Connection
from spikewright.nef.dynamics.feedback import feedback, system_of, transforms
from spikewright.nef.objects import Ensemble, Node, View
from spikewright.nef.synapses import Lowpass
from spikewright.sim.errors import ProgramError

__all__ = [
    "ControlledIntegrator",
    "System",
    "controlled_integrator",
    "feedback",
    "integrator",
    "linear_system",
    "low_pass",
    "oscillator",
]

Array = NDArray[np.float64]

LEAD = 0.0034
"""Time in s by which LIF neurons of 100 to 200 Hz, those of an ensemble whose options say nothing
else, decode ahead of a vector that changes: measured, with ramps of 1 a second."""
FAST_LEAD = 0.0015
"""The same where a vector turns: measured, 2.3 ms at 0.5 Hz, 1.7 at 1, 1.1 at 2 and 0.6 at 4."""
ROOM = 1.25
"""Radius of an oscillator's ensemble, in amplitudes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class System:
    """A differential equation in neurons.

    Attributes
    ----------
    ensemble : Ensemble
        Represents the state.
    recurrent : Connection
        From the ensemble to itself.
    input : Node, Ensemble or View
        What drives it: the ``u`` that was given, or a node that hands on what is connected to it.
    inputs : tuple of Connection
        From there to the ensemble.
    """

    ensemble: Ensemble
    recurrent: Connection
    input: Node | Ensemble | View
    inputs: tuple[Connection, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class ControlledIntegrator(System):
    """An integrator with a second input.

    Attributes
    ----------
    control : Node
        Hands on ``c``, in 1/s.
    """

    control: Node


def linear_system(
    ensemble: Ensemble,
    a: ArrayLike,
    b: ArrayLike | None = None,
    *,
    synapse: Any,
    u: Any = None,
    dt: float | None = None,
    lead: float = LEAD,
    solver: Any = None,
) -> System:
    """Connections that make an ensemble follow ``dx/dt = A x + B u``.

    The transforms are those of :func:`feedback`. For Alpha, what is due to changes of the input
    comes through a Lowpass of the same time constant beside it.

    Parameters
    ----------
    ensemble : Ensemble
    a : (n, n) array_like
        ``A``, in 1/s.
    b : (n, m) array_like, optional
        ``B``, in 1/s; identity if not given.
    synapse : Lowpass, Alpha or float
        Of a time constant that is long beside the neurons' 3 ms.
    u : Node, Ensemble or some of their dimensions, optional
        The input. If not given, a node is made: where an ensemble is connected to it, the host
        takes part in every step, and does not for an ensemble given here.
    dt : float, optional
        Time step of the neurons in s, for what is exact in steps.
    lead : float
        In s, see :func:`feedback`; 0.0014 for LIF at maximum rates of 200 to 400 Hz.
    solver : object with ``solve(rates, targets)``, optional
        Of the recurrent connection.

    Raises
    ------
    ProgramError
        If shapes do not fit, a number is not finite, or there is no synapse.
    """
    n = ensemble.dimensions
    state, drive, through = system_of(a, np.eye(n) if b is None else b, synapse, dt)
    if len(state) != n:
        raise ProgramError(f"A must have shape ({n}, {n}) for {ensemble}, not {state.shape}")
    transform, inputs = transforms(state, drive, through, dt, lead)
    recurrent = Connection(ensemble, ensemble, transform=transform, synapse=through, solver=solver)
    source = Node(size_in=drive.shape[1], label="input") if u is None else u
    brought = tuple(Connection(source, ensemble, transform=m, synapse=s) for s, m in inputs)
    return System(ensemble=ensemble, recurrent=recurrent, input=source, inputs=brought)


def integrator(
    n_neurons: int,
    dimensions: int = 1,
    *,
    tau: float = 0.1,
    u: Any = None,
    dt: float | None = None,
    lead: float = LEAD,
    solver: Any = None,
    **ensemble: Any,
) -> System:
    """``dx/dt = u``: feedback of 1, and an input that is scaled by ``tau``, less the lead.

    Without an input it drifts to where what it decodes equals what it represents, with ``(f(x) -
    x) / tau`` for decoding ``f``: a longer synapse and more neurons hold longer.

    Parameters
    ----------
    n_neurons, dimensions : int
    tau : float
        Time constant of the synapses, in s.
    u, dt, lead, solver
        See :func:`linear_system`.
    **ensemble
        Options of the :class:`~spikewright.nef.objects.Ensemble`.

    Raises
    ------
    ProgramError
        If an option is out of range.

    Examples
    --------
    >>> from spikewright import nef
    >>> with nef.Network(seed=1) as model:
    ...     pulse = nef.Node(lambda t: float(t <= 0.5))
    ...     memory = integrator(500, u=pulse)
    ...     probe = nef.Probe(memory.ensemble, synapse=0.05)
    >>> with nef.Simulator(model) as sim:
    ...     sim.run(2.5)
    >>> bool(abs(sim.data[probe][-1, 0] - 0.5) < 0.05)
    True
    """
    state = Ensemble(n_neurons, dimensions, **ensemble)
    zero = np.zeros((dimensions, dimensions))
    return linear_system(state, zero, synapse=Lowpass(tau), u=u, dt=dt, lead=lead, solver=solver)


def low_pass(
    n_neurons: int,
    dimensions: int = 1,
    *,
    time_constant: float,
    tau: float = 0.1,
    u: Any = None,
    dt: float | None = None,
    lead: float = LEAD,
    solver: Any = None,
    **ensemble: Any,
) -> System:
    """``T dx/dt = u - x``: a filter slower, or faster, than its synapses.

    Parameters
    ----------
    n_neurons, dimensions : int
    time_constant : float
        ``T``, in s.
    tau, u, dt, lead, solver, **ensemble
        See :func:`integrator`.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """
    _check_positive("Time constant of a low-pass", time_constant, " s")
    state = Ensemble(n_neurons, dimensions, **ensemble)
    rate = np.eye(dimensions) / time_constant
    return linear_system(
        state, -rate, rate, synapse=Lowpass(tau), u=u, dt=dt, lead=lead, solver=solver
    )


def oscillator(
    n_neurons: int,
    frequency: float,
    *,
    tau: float = 0.1,
    radius: float = 1.0,
    pull: float = 5.0,
    u: Any = None,
    lead: float = FAST_LEAD,
    solver: Any = None,
    **ensemble: Any,
) -> System:
    """A circle of a radius ``r``: ``dx/dt = 2π f [[0, -1], [1, 0]] x + μ (1 - |x|²/r²) x + u``.

    The second term, the normal form of a Hopf bifurcation, keeps the amplitude, which without it
    settles where the neurons' errors cancel. It also starts the oscillator, from the errors at 0.

    Parameters
    ----------
    n_neurons : int
    frequency : float
        ``f``, in Hz; below 0 the other way round.
    tau : float
        Time constant of the synapses, in s.
    radius : float
        ``r``; that of the ensemble is 1.25 times as large.
    pull : float
        ``μ``, in 1/s; 0 for the linear oscillator, which needs an input to start.
    u, lead, solver, **ensemble
        See :func:`integrator`.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """
    if not within(frequency, -math.inf, math.inf, "()"):
        raise ProgramError(f"Frequency must be a finite number, not {frequency!r} Hz")
    if not within(pull, 0, math.inf):
        raise ProgramError(f"Pull must be at least 0 and finite, not {pull!r} 1/s")
    _check_positive("Radius", radius)
    turning = 2 * math.pi * frequency * np.array([[0.0, -1.0], [1.0, 0.0]])
    turn, _ = feedback(turning, np.zeros((2, 0)), Lowpass(tau), lead=lead)

    def circle(x: Array) -> Array:
        back = pull * (1 - float(x @ x) / radius**2)
        found: Array = turn @ x + (tau - lead) * back * x
        return found

    state = Ensemble(n_neurons, 2, radius=ROOM * radius, **ensemble)
    recurrent = Connection(state, state, function=circle, synapse=Lowpass(tau), solver=solver)
    return driven(state, recurrent, u, tau - lead)


def controlled_integrator(
    n_neurons: int,
    *,
    tau: float = 0.1,
    largest: float = 2.0,
    u: Any = None,
    lead: float = FAST_LEAD,
    solver: Any = None,
    **ensemble: Any,
) -> ControlledIntegrator:
    """``dx/dt = c x + u``: a control of 0 holds, one below 0 lets decay.

    One ensemble represents ``(x, c / largest)``, and its feedback ``x (1 + tau c)``, with the time
    constant less the lead, is decoded from both.

    Parameters
    ----------
    n_neurons : int
    tau : float
        Time constant of the synapses, in s.
    largest : float
        Largest magnitude of the control, in 1/s. Smaller = more exact.
    u, lead, solver, **ensemble
        See :func:`integrator`; the radius is √2 if not given, for ``x`` and ``c / largest`` from -1
        to 1.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """
    _check_positive("Largest control", largest, " 1/s")

    def product(x: Array) -> float:
        return float(x[0] * (1 + (tau - lead) * largest * x[1]))

    state = Ensemble(n_neurons, 2, **{"radius": math.sqrt(2), **ensemble})
    recurrent = Connection(state, state[0], function=product, synapse=Lowpass(tau), solver=solver)
    system = driven(state, recurrent, u, tau - lead, state[0])
    control = Node(size_in=1, label="control")
    Connection(control, state[1], transform=1 / largest, synapse=None)
    return ControlledIntegrator(**vars(system), control=control)


def driven(
    state: Ensemble,
    recurrent: Connection,
    u: Any,
    scale: float,
    into: Ensemble | View | None = None,
) -> System:
    """A recurrent ensemble that hears an input, scaled, through the synapse of its feedback."""
    post = state if into is None else into
    source = Node(size_in=len(recurrent.post_indices), label="input") if u is None else u
    inputs = (Connection(source, post, transform=scale, synapse=recurrent.synapse),)
    return System(ensemble=state, recurrent=recurrent, input=source, inputs=inputs)


def _check_positive(what: str, value: float, unit: str = "") -> None:
    if not within(value, 0, math.inf, "()"):
        raise ProgramError(f"{what} must be positive and finite, not {value!r}{unit}")
