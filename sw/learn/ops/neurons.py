# SPDX-License-Identifier: Apache-2.0
"""Neuron dynamics as single operations over all time steps, differentiated through time."""

from collections.abc import Callable, Iterator

import numpy as np

from spikewright.learn.ops.spiking import SURROGATES
from spikewright.learn.tape import Array, Value

Charge = Callable[[Array, Array, Array], None]
"""``charge(v, i, out)`` writes to ``out`` the voltage that a current makes of the one before."""


def leaking(leak: float) -> Charge:
    """Leaky sum ``v - leak * v + i``."""
    keep = 1 - leak

    def charge(state: Array, current: Array, out: Array) -> None:
        np.multiply(state, keep, out=out)
        np.add(out, current, out=out)

    return charge


def lif(
    current: Value,
    *,
    steps: int,
    leak: float,
    threshold: float,
    reset: str,
    slope: float,
    surrogate: str = "fast-sigmoid",
    charge: Charge | None = None,
) -> Value:
    """Leaky integrate-and-fire neurons over the steps of a frame.

    ::

        u[t] = v[t-1] - leak * v[t-1] + i[t]                  v[-1] = 0
        s[t] = u[t] >= threshold
        v[t] = u[t] - threshold * s[t]                        reset "subtract"
        v[t] = u[t] * (1 - s[t])                              reset "zero"

    Backwards, a spike has a surrogate slope and the reset counts as constant: gradients flow
    through the leak and the spikes only.

    Parameters
    ----------
    current : (batch, n) or (steps, batch, n) Value
        Input per step; two axes mean one current held for all steps.
    steps : int
        Time steps of a frame.
    leak : float
        Fraction of the voltage lost per step, ``1 - exp(-dt / tau)``.
    threshold : float
        In units of the voltage.
    reset : {"subtract", "zero"}
    slope : float
        Sharpness of the surrogate, per unit of the voltage.
    surrogate : str
        A name in :data:`~spikewright.learn.ops.spiking.SURROGATES`.
    charge : callable, optional
        What takes the place of ``v - leak * v + i``, such as the same with rounding; the gradient
        is that of this sum even so.

    Returns
    -------
    (steps, batch, n) Value
        Spikes, 0 or 1.
    """
    frame = current.data.shape[-2:]
    spikes = current.tape.output((steps, *frame), current.data.dtype, current)
    trained = spikes.grad is not None
    voltages = np.empty((steps if trained else 1, *frame), current.data.dtype)
    state = np.empty(frame, current.data.dtype)
    keep, through = 1 - leak, SURROGATES[surrogate]
    advance = leaking(leak) if charge is None else charge

    def forward() -> None:
        state.fill(0)
        for t, (i, s) in enumerate(zip(_each(current.data, steps), spikes.data, strict=True)):
            u = voltages[t % len(voltages)]
            advance(state, i, u)
            np.greater_equal(u, threshold, out=s)
            if reset == "subtract":
                np.multiply(s, threshold, out=state)
                np.subtract(u, state, out=state)
            else:
                np.subtract(1, s, out=state)
                np.multiply(state, u, out=state)

    def write(out: Array) -> None:
        held, du = out.ndim == 2, np.empty_like(state)
        state.fill(0)
        if held:
            out.fill(0)
        for t in reversed(range(steps)):
            through(spikes.gradient()[t], voltages[t], threshold, slope, out=du)
            if reset == "zero":
                np.multiply(state, voltages[t] < threshold, out=state)
            np.add(du, state, out=du)
            np.multiply(du, keep, out=state)
            if held:
                np.add(out, du, out=out)
            else:
                np.copyto(out[t], du)

    return current.tape.record(spikes, forward, lambda: current.receive(write))


def leaky(current: Value, *, steps: int, leak: float, charge: Charge | None = None) -> Value:
    """Leaky integrators that never fire: ``v[t] = v[t-1] - leak * v[t-1] + i[t]``, ``v[-1] = 0``.

    Parameters
    ----------
    current : (batch, n) or (steps, batch, n) Value
        Input per step; two axes mean one current held for all steps.
    steps : int
        Time steps of a frame.
    leak : float
        Fraction of the voltage lost per step.
    charge : callable, optional
        As of :func:`lif`.

    Returns
    -------
    (steps, batch, n) Value
        Voltages.
    """
    frame = current.data.shape[-2:]
    voltages = current.tape.output((steps, *frame), current.data.dtype, current)
    state = np.empty(frame, current.data.dtype)
    keep = 1 - leak
    advance = leaking(leak) if charge is None else charge

    def forward() -> None:
        previous = np.zeros_like(state)
        for i, v in zip(_each(current.data, steps), voltages.data, strict=True):
            advance(previous, i, v)
            previous = v

    def write(out: Array) -> None:
        held = out.ndim == 2
        state.fill(0)
        if held:
            out.fill(0)
        for t in reversed(range(steps)):
            np.multiply(state, keep, out=state)
            np.add(state, voltages.gradient()[t], out=state)
            if held:
                np.add(out, state, out=out)
            else:
                np.copyto(out[t], state)

    return current.tape.record(voltages, forward, lambda: current.receive(write))


def _each(current: Array, steps: int) -> Iterator[Array]:
    """Yield the input of every step."""
    for t in range(steps):
        yield current if current.ndim == 2 else current[t]
