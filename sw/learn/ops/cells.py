# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells as single operations over all steps of a sequence, differentiated through time.

A mask holds the state where a sequence has ended: ``h[t] = h[t-1] + m[t] (cell - h[t-1])``.
"""

from collections.abc import Callable

import numpy as np

from spikewright.learn.ops.functions import logistic
from spikewright.learn.tape import Array, Value


def rnn(drive: Value, weight: Value, mask: Value | None = None) -> Value:
    """Elman's cell ``h[t] = tanh(drive[t] + weight h[t-1])``, ``h[-1] = 0``.

    Parameters
    ----------
    drive : (steps, batch, n) Value
        Input times its weights, plus the bias.
    weight : (n, n) Value
    mask : (steps, batch, 1) Value, optional
        1 in a sequence and 0 after its end.

    Returns
    -------
    (steps, batch, n) Value
        States.
    """
    scan = _Scan(drive, weight, mask, gates=1)

    def forward() -> None:
        for t in range(scan.steps):
            np.tanh(scan.pre(t), out=scan.gates[t])
            scan.mix(t, scan.states, scan.gates[t])

    def back(t: int, dh: Array, carry: Array) -> None:
        np.multiply(dh, 1 - np.square(scan.gates[t]), out=scan.drive[t])
        carry += scan.drive[t] @ weight.data

    return scan.record(forward, back, [])


def lstm(drive: Value, weight: Value, mask: Value | None = None) -> Value:
    """Long short-term memory, ``h[-1] = c[-1] = 0``.

    ::

        i, f, g, o = drive[t] + weight h[t-1]       in four parts
        c[t] = sigma(f) c[t-1] + sigma(i) tanh(g)
        h[t] = sigma(o) tanh(c[t])

    Hochreiter and Schmidhuber, 1997, with the forget gate of Gers and others, 2000.

    Parameters
    ----------
    drive : (steps, batch, 4 n) Value
    weight : (4 n, n) Value
    mask : (steps, batch, 1) Value, optional

    Returns
    -------
    (steps, batch, n) Value
        States h.
    """
    scan = _Scan(drive, weight, mask, gates=4)
    n = scan.size
    cells = np.zeros_like(scan.states)
    squashed = np.empty((scan.steps, *scan.frame), cells.dtype)
    candidate, dc = np.empty(scan.frame, cells.dtype), np.empty(scan.frame, cells.dtype)
    slopes, reach = np.empty_like(scan.drive), np.empty_like(squashed)

    def forward() -> None:
        for t in range(scan.steps):
            pre, gates = scan.pre(t), scan.gates[t]
            logistic(pre, gates)
            np.tanh(pre[:, 2 * n : 3 * n], out=gates[:, 2 * n : 3 * n])
            i, f, g, o = (gates[:, k * n : (k + 1) * n] for k in range(4))
            np.multiply(f, cells[t], out=candidate)
            np.add(candidate, i * g, out=candidate)
            np.tanh(candidate, out=squashed[t])
            scan.mix(t, cells, candidate)
            scan.mix(t, scan.states, o * squashed[t])

    def prepare() -> None:
        """Slopes of all gates at once, and how the cells reach the states."""
        dc.fill(0)
        np.subtract(1, scan.gates, out=slopes)
        np.multiply(slopes, scan.gates, out=slopes)
        inner = slice(2 * n, 3 * n)
        np.subtract(1, np.square(scan.gates[..., inner]), out=slopes[..., inner])
        np.square(squashed, out=reach)
        np.subtract(1, reach, out=reach)
        np.multiply(reach, scan.gates[..., 3 * n :], out=reach)

    def back(t: int, dh: Array, carry: Array) -> None:
        if t == scan.steps - 1:
            prepare()
        drive = scan.drive[t]
        i, f, g, _ = (scan.gates[t][:, k * n : (k + 1) * n] for k in range(4))
        mine = scan.share(t, dc)
        own = mine + dh * reach[t]
        for k, (left, right) in enumerate(((own, g), (own, cells[t]), (own, i), (dh, squashed[t]))):
            np.multiply(left, right, out=drive[:, k * n : (k + 1) * n])
        np.multiply(drive, slopes[t], out=drive)
        np.subtract(dc, mine, out=dc)
        np.add(dc, own * f, out=dc)
        carry += drive @ weight.data

    return scan.record(forward, back, [])


def gru(drive: Value, weight: Value, mask: Value | None = None) -> Value:
    """Gated recurrent unit whose reset gate acts on the product, ``h[-1] = 0``.

    ::

        r = sigma(drive_r[t] + W_r h[t-1])
        z = sigma(drive_z[t] + W_z h[t-1])
        n = tanh(drive_n[t] + r (W_n h[t-1]))
        h[t] = (1 - z) n + z h[t-1]

    Cho and others, 2014, in the form of cuDNN, which needs one product of the state a step.

    Parameters
    ----------
    drive : (steps, batch, 3 n) Value
        Parts r, z and n.
    weight : (3 n, n) Value
    mask : (steps, batch, 1) Value, optional

    Returns
    -------
    (steps, batch, n) Value
        States.
    """
    scan = _Scan(drive, weight, mask, gates=3)
    n = scan.size
    heard = np.empty((scan.steps, *scan.frame), scan.states.dtype)
    # What the weights see: as the drive's gradient, but for the reset gate's factor.
    inner = np.empty_like(scan.drive)

    def forward() -> None:
        for t in range(scan.steps):
            gates, recurrent = scan.gates[t], scan.states[t] @ weight.data.T
            np.add(drive.data[t], recurrent, out=gates)
            logistic(gates[:, : 2 * n].copy(), gates[:, : 2 * n])
            r, z, new = (gates[:, k * n : (k + 1) * n] for k in range(3))
            np.copyto(heard[t], recurrent[:, 2 * n :])
            np.tanh(drive.data[t][:, 2 * n :] + r * heard[t], out=new)
            scan.mix(t, scan.states, new + z * (scan.states[t] - new))

    def back(t: int, dh: Array, carry: Array) -> None:
        out = scan.drive[t]
        r, z, new = (scan.gates[t][:, k * n : (k + 1) * n] for k in range(3))
        np.multiply(dh, (1 - z) * (1 - np.square(new)), out=out[:, 2 * n :])
        np.multiply(out[:, 2 * n :], heard[t] * r * (1 - r), out=out[:, :n])
        np.multiply(dh, (scan.states[t] - new) * z * (1 - z), out=out[:, n : 2 * n])
        np.copyto(inner[t], out)
        inner[t][:, 2 * n :] *= r
        carry += dh * z + inner[t] @ weight.data

    return scan.record(forward, back, [inner])


class _Scan:
    """Walks a cell through the steps, forwards and back."""

    def __init__(self, drive: Value, weight: Value, mask: Value | None, *, gates: int):
        self.source, self.weight, self.mask = drive, weight, mask
        self.steps, batch, width = drive.data.shape
        self.size = width // gates
        self.frame = (batch, self.size)
        inputs = (drive, weight) if mask is None else (drive, weight, mask)
        self.y = drive.tape.output((self.steps, *self.frame), drive.data.dtype, *inputs)
        # The state before each step and the one after the last; the first stays zero.
        self.states = np.zeros((self.steps + 1, *self.frame), drive.data.dtype)
        self.y.data = self.states[1:]
        self.gates = np.empty(drive.data.shape, drive.data.dtype)
        self.drive = np.empty_like(self.gates) if self.y.grad is not None else self.gates[:0]

    def pre(self, t: int) -> Array:
        """Drive of a step plus the weighted state before it."""
        summed: Array = self.states[t] @ self.weight.data.T
        summed += self.source.data[t]
        return summed

    def mix(self, t: int, states: Array, new: Array) -> None:
        """Write the state after a step: the new one, or the old one where the mask is 0."""
        if self.mask is None:
            np.copyto(states[t + 1], new)
            return
        np.subtract(new, states[t], out=states[t + 1])
        np.multiply(states[t + 1], self.mask.data[t], out=states[t + 1])
        np.add(states[t + 1], states[t], out=states[t + 1])

    def share(self, t: int, grad: Array) -> Array:
        """The part of a state's gradient that belongs to the step's new one."""
        return grad if self.mask is None else grad * self.mask.data[t]

    def record(
        self,
        forward: Callable[[], None],
        back: Callable[[int, Array, Array], None],
        inner: list[Array],
    ) -> Value:
        """Record both directions.

        ``back(t, dh, carry)`` writes ``drive[t]`` and adds to ``carry`` what reaches the state
        before the step; ``inner`` is what the weights see where that is not the drive.
        """

        def backward() -> None:
            carry = np.zeros(self.frame, self.states.dtype)
            for t in reversed(range(self.steps)):
                carry += self.y.gradient()[t]
                dh = self.share(t, carry)
                carry = carry - dh
                back(t, dh, carry)
            seen = (inner[0] if inner else self.drive).reshape(-1, self.drive.shape[2])
            before = self.states[:-1].reshape(-1, self.size)
            self.weight.receive(lambda out: np.matmul(seen.T, before, out=out))
            self.source.receive(lambda out: np.copyto(out, self.drive))

        return self.source.tape.record(self.y, forward, backward)
