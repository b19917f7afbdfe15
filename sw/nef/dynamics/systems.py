# SPDX-License-Identifier: Apache-2.0
"""Linear differential equations as recurrent ensembles: integrators and filters."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.learn.options import within
from spikewright.nef.connection import Connection
from spikewright.nef.dynamics.feedback import system_of, transforms
from spikewright.nef.objects import Ensemble, Node, View
from spikewright.nef.synapses import Lowpass
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]

LEAD = 0.0034
"""Time in s by which LIF neurons of 100 to 200 Hz, those of an ensemble whose options say nothing
else, decode ahead of a vector that changes: measured, with ramps of 1 a second."""


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
    check_positive("Time constant of a low-pass", time_constant, " s")
    state = Ensemble(n_neurons, dimensions, **ensemble)
    rate = np.eye(dimensions) / time_constant
    return linear_system(
        state, -rate, rate, synapse=Lowpass(tau), u=u, dt=dt, lead=lead, solver=solver
    )


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


def check_positive(what: str, value: float, unit: str = "") -> None:
    """Refuse what is not positive and finite.

    Raises
    ------
    ProgramError
        If it is not.
    """
    if not within(value, 0, math.inf, "()"):
        raise ProgramError(f"{what} must be positive and finite, not {value!r}{unit}")
