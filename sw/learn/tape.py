# SPDX-License-Identifier: Apache-2.0
"""Reverse-mode differentiation on NumPy arrays, recorded once and replayed without allocating."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from spikewright.sim.errors import ProgramError

Array = NDArray[Any]
"""A NumPy array of any real type."""


class Value:
    """An array on a tape and, where something is trained through it, its gradient.

    Made by :class:`Tape`, never by hand.

    Attributes
    ----------
    tape : Tape
        The tape the value is recorded on.
    data : ndarray
        The current value; write new samples into a constant's ``data`` and replay.
    grad : ndarray or None
        Derivative of the loss with respect to ``data`` after :meth:`Tape.backward`, same shape;
        None for plain data.
    """

    __slots__ = ("_filled", "_spare", "data", "grad", "tape")

    def __init__(self, tape: "Tape", data: Array, *, trained: bool):
        self.tape = tape
        self.data = data
        self.grad: Array | None = np.zeros_like(data) if trained else None
        self._filled = False
        self._spare: Array | None = None

    def gradient(self) -> Array:
        """Return ``grad``.

        Raises
        ------
        ProgramError
            If this is plain data.
        """
        if self.grad is None:
            raise ProgramError("Plain data has no gradient: record it as a parameter")
        return self.grad

    def receive(self, write: Callable[[Array], object]) -> None:
        """Take one consumer's share of the gradient: ``write(out)`` fills ``out`` with it.

        The first share of a sweep is written in place and the others are added. Plain data
        receives nothing, and ``write`` is not called.
        """
        if self.grad is None:
            return
        if not self._filled:
            write(self.grad)
            self._filled = True
            return
        if self._spare is None:
            self._spare = np.empty_like(self.grad)
        write(self._spare)
        self.grad += self._spare


class Tape:
    """A recorded computation: made by calling operations once, then replayed on new data.

    Every operation runs when it is recorded and owns its output array, so :meth:`replay` and
    :meth:`backward` allocate nothing.

    Parameters
    ----------
    gradients : bool
        Whether parameters are trained; without, only forward values are kept.
    training : bool
        Whether operations that differ in training (dropout, batch normalisation) do as then.

    Attributes
    ----------
    rng : Generator
        What random operations draw from, in their order; :meth:`seed` begins it anew.
    random : bool
        Whether an operation draws from it.
    replaying : bool
        Whether the tape runs on data, and not on what was there when it was recorded.

    Examples
    --------
    >>> from spikewright.learn import ops
    >>> tape = Tape()
    >>> w = tape.parameter(np.array([2.0, 3.0]))
    >>> tape.backward(ops.total(ops.mul(w, w)))
    >>> w.grad
    array([4., 6.])
    """

    def __init__(self, *, gradients: bool = True, training: bool = False):
        self.gradients, self.training = gradients, training
        self.rng, self.random, self.replaying = np.random.default_rng(0), False, False
        self._parameters: dict[int, Value] = {}
        self._values: list[Value] = []
        self._forward: list[Callable[[], None]] = []
        self._backward: list[tuple[Value, Callable[[], None]]] = []

    def seed(self, *key: int) -> None:
        """Let random operations of the next replay depend on ``key`` alone."""
        if self.random:
            self.rng = np.random.default_rng(key)

    def constant(self, array: Array) -> Value:
        """Plain data: no gradient is computed for it."""
        return Value(self, np.asarray(array, order="C"), trained=False)

    def variable(self, array: Array) -> Value:
        """Data like a constant, with a gradient: how the loss depends on the input."""
        value = Value(self, np.asarray(array, order="C"), trained=self.gradients)
        self._values.append(value)
        return value

    def parameter(self, array: Array) -> Value:
        """Trained array, shared and not copied; the same array gives the same value again."""
        value = self._parameters.get(id(array))
        if value is None:
            value = Value(self, array, trained=self.gradients)
            self._parameters[id(array)] = value
            self._values.append(value)
        return value

    def output(self, shape: tuple[int, ...], dtype: DTypeLike, *inputs: Value) -> Value:
        """Return an uninitialised result of an operation on ``inputs``, trained if any of them is.

        Raises
        ------
        ProgramError
            If an input was recorded on another tape.
        """
        if any(value.tape is not self for value in inputs):
            raise ProgramError("Operands must be recorded on one tape, not on two")
        trained = any(value.grad is not None for value in inputs)
        value = Value(self, np.empty(shape, dtype), trained=trained)
        self._values.append(value)
        return value

    def record(
        self, value: Value, forward: Callable[[], None], backward: Callable[[], None]
    ) -> Value:
        """Run ``forward``, which fills ``value.data``, and keep both directions for replays."""
        forward()
        self._forward.append(forward)
        if value.grad is not None:
            self._backward.append((value, backward))
        return value

    def replay(self) -> None:
        """Recompute every value from the current data and parameters."""
        self.replaying = True
        for forward in self._forward:
            forward()

    def backward(self, loss: Value) -> None:
        """Fill the gradients of ``loss`` with respect to every trained value.

        Raises
        ------
        ProgramError
            If the loss is not a scalar, or nothing trained leads to it.
        """
        if loss.data.shape != ():
            raise ProgramError(f"Loss must be a scalar, not an array of shape {loss.data.shape}")
        if loss.grad is None:
            raise ProgramError("Loss must depend on a trained parameter, and this one does not")
        for value in self._values:
            value._filled = False
        loss.receive(lambda out: out.fill(1))
        for value, backward in reversed(self._backward):
            if value._filled:
                backward()
        for value in self._values:
            if value.grad is not None and not value._filled:
                value.grad.fill(0)


@dataclass(frozen=True)
class Recording:
    """A network on a tape, for a fixed number of frames.

    Attributes
    ----------
    tape : Tape
    x : Value
        Encoded input, (frames, n_in) or (steps, frames, n_in): write it, then replay the tape.
    outputs : list of Value
        Output of each layer; with time steps, they are the first axis.
    logits : Value
        (frames, n_out).
    """

    tape: Tape
    x: Value
    outputs: list[Value]
    logits: Value
