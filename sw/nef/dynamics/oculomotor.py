# SPDX-License-Identifier: Apache-2.0
"""The integrator that holds the eyes, and learns to hold them better from what they see."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikewright.learn.options import within
from spikewright.nef.connection import PES, Connection
from spikewright.nef.dynamics.feedback import check_lead
from spikewright.nef.dynamics.systems import LEAD, System, driven
from spikewright.nef.objects import Ensemble, Node
from spikewright.nef.synapses import Lowpass
from spikewright.sim.errors import ProgramError

SEEN = 0.5
"""Radius of the ensemble that represents an error of position, in radii of the position."""
INHIBITION = -20.0
"""Current that silences neurons."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Oculomotor(System):
    """An integrator of velocity that is corrected by what is seen.

    Attributes
    ----------
    target : Node
        Hands on where the eye is to look.
    dark : Node
        Hands on 1 where nothing is seen, 0 in light.
    error : Ensemble
        Position minus target, silent in the dark.
    """

    target: Node
    dark: Node
    error: Ensemble


def oculomotor(
    n_neurons: int,
    *,
    tau: float = 0.1,
    correction: float = 5.0,
    learning_rate: float | None = 3e-5,
    n_error: int = 100,
    u: Any = None,
    lead: float = LEAD,
    solver: Any = None,
    **ensemble: Any,
) -> Oculomotor:
    """The integrator that turns an eye's velocity into its position, and learns to hold it.

    In light, the error ``e`` = position - target does two things: it corrects the position,
    ``dx/dt = u - k e``, as small saccades do, and by :class:`~spikewright.nef.connection.PES` it
    moves the decoders of the feedback, so that later, in the dark, there is less to correct.
    Without ``k`` learning would oscillate: the feedback integrates the decoders, and the decoders
    the error (Eliasmith and Anderson, 2003, 5.3; MacNeil and Eliasmith, PLoS ONE 6(9), 2011).

    It mends decoders that are off. Well solved ones it does not better: it cannot see less than
    the error ensemble's own error, 0.005 or so.

    Parameters
    ----------
    n_neurons : int
    tau : float
        Time constant of the synapses, in s.
    correction : float
        ``k``, in 1/s.
    learning_rate : float, optional
        Of PES; None learns nothing.
    n_error : int
        Neurons that represent the error, which holds half a radius.
    u, lead, solver, **ensemble
        See :func:`integrator`; ``u`` is the velocity, and ``solver`` that of the decoders from
        which learning begins.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """
    if not within(correction, 0, math.inf):
        raise ProgramError(f"Correction must be at least 0 and finite, not {correction!r} 1/s")
    synapse = Lowpass(tau)
    check_lead(lead, synapse)
    state = Ensemble(n_neurons, 1, **ensemble)
    error = Ensemble(n_error, 1, radius=SEEN * state.radius)
    rule = None if learning_rate is None else PES(learning_rate=learning_rate)
    recurrent = Connection(state, state, synapse=synapse, solver=solver, learning_rule=rule)
    system = driven(state, recurrent, u, tau - lead)
    target, dark = Node(size_in=1, label="target"), Node(size_in=1, label="dark")
    Connection(state, error)
    Connection(target, error, transform=-1)
    Connection(dark, error.neurons, transform=np.full((n_error, 1), INHIBITION), synapse=None)
    Connection(error, state, transform=-tau * correction, synapse=synapse)
    if rule is not None:
        Connection(error, recurrent.learning_rule)
    return Oculomotor(**vars(system), target=target, dark=dark, error=error)
