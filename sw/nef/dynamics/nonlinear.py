# SPDX-License-Identifier: Apache-2.0
"""Nonlinear differential equations as recurrent ensembles: oscillators, controlled integrators."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import within
from spikewright.nef.connection import Connection
from spikewright.nef.dynamics.feedback import check_lead, feedback
from spikewright.nef.dynamics.systems import System, check_positive, driven
from spikewright.nef.objects import Ensemble, Node, View
from spikewright.nef.synapses import Lowpass
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]

FAST_LEAD = 0.0015
"""Time in s by which neurons of 100 to 200 Hz decode ahead of a vector that changes in a second."""
ROOM = 1.25
"""Radius of an oscillator's ensemble, in amplitudes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ControlledIntegrator(System):
    """An integrator with a second input.

    Attributes
    ----------
    control : Node, Ensemble or View
        Where ``c`` comes from, in 1/s: what was given, or a node that hands on what is connected
        to it.
    """

    control: Node | Ensemble | View


def turning_lead(frequency: float) -> float:
    """Time in s by which neurons of 100 to 200 Hz decode ahead of a vector that turns.

    A fit, ``2.84 ms / (0.735 + f)``, to what was measured: 2.3 ms at 0.5 Hz, 1.7 at 1, 1.1 at 2 and
    0.6 at 4. The slower a vector turns, the nearer each neuron is to its rate at rest.

    >>> round(1e3 * turning_lead(2.0), 2)
    1.04
    """
    return 2.84e-3 / (0.735 + abs(frequency))


def oscillator(
    n_neurons: int,
    frequency: float,
    *,
    tau: float = 0.1,
    radius: float = 1.0,
    pull: float = 5.0,
    u: Any = None,
    lead: float | None = None,
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
        See :func:`integrator`; the lead is :func:`turning_lead` if not given.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """
    if not within(frequency, -math.inf, math.inf, "()"):
        raise ProgramError(f"Frequency must be a finite number, not {frequency!r} Hz")
    if not within(pull, 0, math.inf):
        raise ProgramError(f"Pull must be at least 0 and finite, not {pull!r} 1/s")
    check_positive("Radius", radius)
    lead = turning_lead(frequency) if lead is None else lead
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
    c: Any = None,
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
    c : Node, Ensemble or one of their dimensions, optional
        The control, in 1/s. If not given, a node is made, as :func:`linear_system` makes one for
        ``u``.
    u, lead, solver, **ensemble
        See :func:`integrator`; the radius is √2 if not given, for ``x`` and ``c / largest`` from -1
        to 1.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """
    check_positive("Largest control", largest, " 1/s")
    synapse = Lowpass(tau)
    check_lead(lead, synapse)

    def product(x: Array) -> float:
        return float(x[0] * (1 + (tau - lead) * largest * x[1]))

    state = Ensemble(n_neurons, 2, **{"radius": math.sqrt(2), **ensemble})
    recurrent = Connection(state, state[0], function=product, synapse=synapse, solver=solver)
    system = driven(state, recurrent, u, tau - lead, into=state[0])
    control = Node(size_in=1, label="control") if c is None else c
    Connection(control, state[1], transform=1 / largest)
    return ControlledIntegrator(**vars(system), control=control)
