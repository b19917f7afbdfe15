# SPDX-License-Identifier: Apache-2.0
"""Recurrent and adaptive spiking neurons as one operation over all time steps."""

from dataclasses import dataclass

import numpy as np

from spikewright.learn.ops.spiking import SURROGATES, Surrogate
from spikewright.learn.tape import Array, Value


@dataclass(frozen=True)
class Adaptation:
    """How a threshold follows the spikes: ``a[t] = a[t-1] - leak * a[t-1] + step * s[t]``.

    Attributes
    ----------
    step : float
        In units of the voltage.
    leak : float
        Fraction lost per step.
    """

    step: float
    leak: float


def recurrent_lif(
    current: Value,
    weight: Value | None,
    *,
    steps: int,
    leak: float,
    threshold: float,
    reset: str,
    slope: float,
    surrogate: str = "fast-sigmoid",
    adaptation: Adaptation | None = None,
) -> Value:
    """LIF neurons that hear their own spikes of the step before and may adapt.

    ::

        u[t] = v[t-1] - leak * v[t-1] + i[t] + weight @ s[t-1]      v[-1] = s[-1] = 0
        s[t] = u[t] >= threshold + a[t-1]                           a[-1] = 0
        v[t] = u[t] - threshold * s[t]  or  u[t] * (1 - s[t])       reset "subtract" or "zero"
        a[t] = a[t-1] - adaptation.leak * a[t-1] + adaptation.step * s[t]

    Backwards, a spike has a surrogate slope and the reset counts as constant: gradients flow
    through the leak, the spikes, the recurrent weights and the adaptation.

    Parameters
    ----------
    current : (batch, n) or (steps, batch, n) Value
        Input per step; two axes mean one current held for all steps.
    weight : (n, n) Value or None
        Row k holds what neuron k hears; None for neurons that hear nothing.
    steps, leak, threshold, reset, slope, surrogate
        See :func:`spikewright.learn.ops.neurons.lif`.
    adaptation : Adaptation, optional

    Returns
    -------
    (steps, batch, n) Value
        Spikes, 0 or 1.
    """
    sources = (current,) if weight is None else (current, weight)
    frame, kind = current.data.shape[-2:], current.data.dtype
    spikes = current.tape.output((steps, *frame), kind, *sources)
    run = _Run(steps, frame, kind, leak, threshold, reset, adaptation)

    def forward() -> None:
        run.forward(current.data, None if weight is None else weight.data, spikes.data)

    drive = np.empty_like(spikes.data) if spikes.grad is not None else spikes.data[:0]

    def backward() -> None:
        recurrent = None if weight is None else weight.data
        run.backward(spikes.gradient(), recurrent, SURROGATES[surrogate], slope, drive)
        if weight is not None:
            later, earlier = drive[1:].reshape(-1, frame[1]), spikes.data[:-1].reshape(-1, frame[1])
            weight.receive(lambda out: np.matmul(later.T, earlier, out=out))
        current.receive(
            lambda out: np.sum(drive, axis=0, out=out) if out.ndim == 2 else np.copyto(out, drive)
        )

    return current.tape.record(spikes, forward, backward)


class _Run:
    """Both directions through the steps, and what the one leaves for the other."""

    def __init__(
        self,
        steps: int,
        frame: tuple[int, ...],
        dtype: np.dtype,
        leak: float,
        threshold: float,
        reset: str,
        adaptation: Adaptation | None,
    ):
        self.keep, self.threshold, self.zero = 1 - leak, threshold, reset == "zero"
        self.adaptation = adaptation
        self.voltages = np.empty((steps, *frame), dtype)
        self.thresholds = np.full((steps if adaptation else 1, *frame), threshold, dtype)

    def at(self, t: int) -> Array:
        """Thresholds of a step."""
        row: Array = self.thresholds[t % len(self.thresholds)]
        return row

    def forward(self, current: Array, weight: Array | None, spikes: Array) -> None:
        state, extra = np.zeros_like(spikes[0]), np.zeros_like(spikes[0])
        for t, (u, s) in enumerate(zip(self.voltages, spikes, strict=True)):
            np.multiply(state, self.keep, out=u)
            np.add(u, current if current.ndim == 2 else current[t], out=u)
            if weight is not None and t:
                np.add(u, np.matmul(spikes[t - 1], weight.T), out=u)
            if self.adaptation:
                np.add(extra, self.threshold, out=self.thresholds[t])
                np.greater_equal(u, self.thresholds[t], out=s)
                extra *= 1 - self.adaptation.leak
                extra += self.adaptation.step * s
            else:
                np.greater_equal(u, self.threshold, out=s)
            if self.zero:
                np.subtract(1, s, out=state)
                np.multiply(state, u, out=state)
            else:
                np.multiply(s, self.threshold, out=state)
                np.subtract(u, state, out=state)

    def backward(
        self,
        grads: Array,
        weight: Array | None,
        surrogate: Surrogate,
        slope: float,
        drive: Array,
    ) -> None:
        """Write the gradient of every step's current to ``drive``."""
        through_v, through_a = np.zeros_like(grads[0]), np.zeros_like(grads[0])
        ds = np.empty_like(grads[0])
        for t in reversed(range(len(grads))):
            du = drive[t]
            np.copyto(ds, grads[t])
            if weight is not None and t + 1 < len(grads):
                ds += np.matmul(drive[t + 1], weight)
            if self.adaptation:
                ds += self.adaptation.step * through_a
            surrogate(ds, self.voltages[t], self.at(t), slope, out=du)
            if self.adaptation:
                through_a *= 1 - self.adaptation.leak
                through_a -= du
            if self.zero:
                np.multiply(through_v, self.voltages[t] < self.at(t), out=through_v)
            np.add(du, through_v, out=du)
            np.multiply(du, self.keep, out=through_v)
