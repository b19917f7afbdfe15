# SPDX-License-Identifier: Apache-2.0
"""Transforms of recurrent connections: what makes a synapse integrate a differential equation.

A filtered connection brings what its filter held at the end of the last step. So of an ensemble
that hears itself through a :class:`~spikewright.nef.synapses.Lowpass` with the pole ``p = exp(-dt /
tau)``, and whose neurons decode exactly, a step is ``x <- p x + (1 - p)(A' x + B' u)``.

Neurons that leak answer a change with more than its share of spikes: what they decode runs ahead of
the vector, ``x + lead · dx/dt``. Where the synapse is not far longer, that is to be allowed for.

References
----------
.. [1] C. Eliasmith and C. H. Anderson, Neural Engineering, MIT Press, 2003: principle 3.
.. [2] A. R. Voelker and C. Eliasmith, "Improving spiking dynamical networks: accurate delays,
   higher-order synapses, and time cells", Neural Computation 30(3), 2018.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.learn.options import within
from spikewright.nef.synapses import Lowpass, Synapse, leak_of, synapse_of
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]
Inputs = tuple[tuple[Synapse, Array], ...]

TERMS = 18
"""Of the exponential's series, of a matrix of norm 1/2: the next is below 1e-22."""


def feedback(
    a: ArrayLike, b: ArrayLike, synapse: Any, *, dt: float | None = None, lead: float = 0.0
) -> tuple[Array, Array]:
    """Transforms that make a synapse integrate ``dx/dt = A x + B u``.

    Without ``dt``, for time steps that are short beside everything else::

        Lowpass   A' = tau A + I                 B' = tau B
        Alpha     A' = tau² A² + 2 tau A + I     B' = (tau² A + 2 tau I) B

    With ``dt``, exact for an input that is constant in each step, with ``Ad = exp(A dt)``, ``Bd =
    ∫ exp(A s) ds B`` from 0 to ``dt`` and ``p = exp(-dt / tau)``::

        Lowpass   A' = (Ad - p I) / (1 - p)              B' = Bd / (1 - p)
        Alpha     A' = Ad⁻¹ (Ad - p I)² / (1 - p)²       B' = (I - p² Ad⁻¹) Bd / (1 - p)²

    They follow from ``(1 + tau s) X = A' X + B' U`` with ``s X = A X + B U``, and from ``(z - p) X
    = (1 - p)(A' X + B' U)``; for Alpha both are applied twice. There, ``B'`` leaves out what is
    due to changes of the input, ``tau² B du/dt``: :func:`linear_system` brings that too.

    Neurons that run ahead decode ``x + lead (A x + B u)``, of which ``A' (I + lead A)⁻¹`` makes
    what ``A'`` would of ``x``; that, times ``lead`` and ``B``, is taken off the input's transform.

    Parameters
    ----------
    a : (n, n) array_like
        ``A``, in 1/s.
    b : (n, m) array_like
        ``B``, in 1/s.
    synapse : Lowpass, Alpha or float
    dt : float, optional
        Time step of the neurons, in s.
    lead : float
        In s: 0.0034 for LIF at maximum rates of 100 to 200 Hz, 0.0014 at 200 to 400 Hz (measured
        with ramps of 1 a second; what changes faster runs ahead less).

    Returns
    -------
    (n, n) ndarray, (n, m) ndarray

    Raises
    ------
    ProgramError
        If shapes do not fit, a number or a transform is not finite, or there is no synapse.

    Examples
    --------
    >>> feedback(-2.0, 2.0, 0.1)
    (array([[0.8]]), array([[0.2]]))
    """
    state, drive, through = system_of(a, b, synapse, dt)
    recurrent, inputs = transforms(state, drive, through, dt, lead)
    total: Array = sum((matrix for _, matrix in inputs), np.zeros_like(drive))
    return recurrent, total


def system_of(
    a: ArrayLike, b: ArrayLike, synapse: Any, dt: float | None
) -> tuple[Array, Array, Synapse]:
    """``A`` and ``B`` as matrices, and the synapse.

    Raises
    ------
    ProgramError
        See :func:`feedback`.
    """
    through = synapse_of(synapse)
    if through is None:
        raise ProgramError("A system needs a synapse that integrates, not None: use Lowpass(0.1)")
    if dt is not None and not within(dt, 0, math.inf, "()"):
        raise ProgramError(f"Time step must be positive and finite, not {dt!r} s")
    state, drive = _matrix("A", a), _matrix("B", b)
    if len(state) != state.shape[1]:
        raise ProgramError(f"A must be square, not {state.shape}")
    if len(drive) != len(state):
        raise ProgramError(f"B must have {len(state)} rows, as A has, not {len(drive)}")
    return state, drive, through


def transforms(
    a: Array, b: Array, synapse: Synapse, dt: float | None, lead: float
) -> tuple[Array, Inputs]:
    """``A'``, and for each synapse of the input its transform; with Alpha they are two.

    Raises
    ------
    ProgramError
        If the lead is not below the time constant, or a transform is not finite.
    """
    check_lead(lead, synapse)
    try:
        with np.errstate(all="ignore"):
            recurrent, (main, *others) = _ideal(a, b, synapse, dt)
            recurrent = recurrent @ np.linalg.inv(np.eye(len(a)) + lead * a)
            inputs = ((main[0], main[1] - lead * recurrent @ b), *others)
    except (np.linalg.LinAlgError, OverflowError):
        finite = False
    else:
        finite = all(np.isfinite(m).all() for m in (recurrent, *(m for _, m in inputs)))
    if not finite:
        raise ProgramError(
            f"A system with rates up to {np.abs(a).max():g} 1/s has no transforms with a lead of "
            f"{lead:g} s: use a slower one, or another lead"
        )
    return recurrent, inputs


def check_lead(lead: float, synapse: Synapse) -> None:
    """Refuse a lead that is not below the time constant.

    Raises
    ------
    ProgramError
        If it is not, or not finite.
    """
    if not within(lead, -math.inf, synapse.tau, "()"):
        raise ProgramError(
            f"Lead must be below the synapse's {synapse.tau:g} s and finite, not {lead!r} s"
        )


def _ideal(a: Array, b: Array, synapse: Synapse, dt: float | None) -> tuple[Array, Inputs]:
    """The same for neurons that decode exactly.

    ``(1 + tau s)² X = A' X + tau (I + tau A) B U + (1 + tau s) tau B U``: the last term goes
    through one stage only, and so brings what is due to ``du/dt``.
    """
    one, tau = np.eye(len(a)), synapse.tau
    first = Lowpass(tau)
    if dt is None:
        step = one + tau * a
        if synapse.order == 1:
            return step, ((first, tau * b),)
        return step @ step, ((synapse, tau * step @ b), (first, tau * b))
    pole, leak = math.exp(-dt / tau), leak_of(synapse, dt)
    ahead, driven = exact_step(a, b, dt)
    step = (ahead - pole * one) / leak
    if synapse.order == 1:
        return step, ((first, driven / leak),)
    back = np.linalg.inv(ahead)
    through = (one - pole * back) @ driven / leak**2
    return back @ step @ step, ((synapse, through), (first, pole * back @ driven / leak))


def exact_step(a: Array, b: Array, dt: float) -> tuple[Array, Array]:
    """``exp(A dt)`` and ``∫ exp(A s) ds B`` from 0 to ``dt``, of one exponential of both.

    ``exp([[A, B], [0, 0]] dt)`` by its series, of a matrix halved until its norm is below 1/2, and
    squared as often (C. Moler and C. Van Loan, SIAM Review 45(1), 2003, method 3).
    """
    n, size = len(a), len(a) + b.shape[1]
    joined = np.zeros((size, size))
    joined[:n, :n], joined[:n, n:] = a * dt, b * dt
    halvings = max(0, math.ceil(math.log2(max(float(np.linalg.norm(joined)), 0.5))) + 1)
    small = joined / 2.0**halvings
    found, term = np.eye(size), np.eye(size)
    for k in range(1, TERMS):
        term = term @ small / k
        found = found + term
    for _ in range(halvings):
        found = found @ found
    return found[:n, :n], found[:n, n:]


def _matrix(what: str, given: ArrayLike) -> Array:
    try:
        found = np.atleast_2d(np.asarray(given, np.float64))
    except (TypeError, ValueError):
        raise ProgramError(f"{what} must be a matrix of numbers, not {given!r}") from None
    if found.ndim != 2 or not np.isfinite(found).all():
        raise ProgramError(f"{what} must be a matrix of finite numbers")
    return found
