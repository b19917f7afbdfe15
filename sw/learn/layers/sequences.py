# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers for sequences (steps, features) of one length or, with a mask, of several."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikewright.learn import ops
from spikewright.learn.layers.layer import Shape, Weighted, check_size, trained
from spikewright.learn.ops import cells
from spikewright.learn.tape import Value
from spikewright.sim.errors import DataError, FormatError


def pad(sequences: Sequence[Any], steps: int | None = None) -> NDArray[np.float32]:
    """Sequences of several lengths as one array, each step with a mask behind its features.

    Parameters
    ----------
    sequences : sequence of (steps, features) array_like
    steps : int, optional
        Length of the array; that of the longest sequence if not given.

    Returns
    -------
    (frames, steps, features + 1) ndarray of float32
        Zeros after a sequence's end; the last column is 1 in a sequence and 0 after it.

    Raises
    ------
    DataError
        If a sequence is empty, too long, or has other features than the first.

    Examples
    --------
    >>> pad([[[7.0], [8.0]], [[9.0]]])[1]
    array([[9., 1.],
           [0., 0.]], dtype=float32)
    """
    arrays = [np.asarray(sequence, np.float32) for sequence in sequences]
    if not arrays:
        raise DataError("There must be at least one sequence to pad, not none")
    longest = max(len(array) for array in arrays)
    length, features = longest if steps is None else steps, arrays[0].shape[1:]
    padded = np.zeros((len(arrays), length, 1 + (features[0] if features else 0)), np.float32)
    for k, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1:] != features or not 0 < len(array) <= length:
            raise DataError(
                f"Sequence {k} must have shape (1 to {length}, {features[0] if features else 1}), "
                f"not {array.shape}"
            )
        padded[k, : len(array), :-1] = array
        padded[k, : len(array), -1] = 1
    return padded


class Recurrent(Weighted):
    """What :class:`Rnn`, :class:`Lstm` and :class:`Gru` share.

    Parameters
    ----------
    n_in : int
        Features of a step.
    n_out : int
        Size of the state.
    masked : bool
        Whether a mask stands behind the features, as :func:`pad` puts it: the state is held where
        it is 0.
    sequence : bool
        Output the states of all steps (steps, n_out), with the mask behind them if there is one,
        and not only the last state (n_out,).

    Attributes
    ----------
    weight : (gates * n_out, n_in) ndarray
    recurrent : (gates * n_out, n_out) ndarray
    bias : (gates * n_out,) ndarray

    Raises
    ------
    FormatError
        If a size is not positive.
    """

    initialiser = "uniform"
    arrays = ("weight", "recurrent", "bias")
    gates: ClassVar[int]
    """Parts of a cell's drive."""

    def __init__(self, n_in: int, n_out: int, *, masked: bool = False, sequence: bool = False):
        super().__init__(given=False)
        kind = type(self).__name__
        check_size(f"{kind} n_in", n_in)
        check_size(f"{kind} n_out", n_out)
        self.features, self.size, self.masked, self.sequence = n_in, n_out, masked, sequence
        width = self.gates * n_out
        self.weight = trained(f"{kind} weight", None, (width, n_in))
        self.recurrent = trained(f"{kind} recurrent", None, (width, n_out))
        self.bias = trained(f"{kind} bias", None, (width,))

    @abstractmethod
    def cell(self, drive: Value, weight: Value, mask: Value | None) -> Value:
        """Record the states."""

    def out_shape(self, shape: Shape) -> Shape:
        width = self.features + self.masked
        if len(shape) != 2 or shape[1] != width:
            raise FormatError(
                f"{self!r} takes sequences (steps, {width}), not {shape}: give the network their "
                f"shape, such as shape=(20, {width})"
            )
        return (shape[0], self.size + self.masked) if self.sequence else (self.size,)

    def options(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "n_in": self.features,
            "n_out": self.size,
            "masked": self.masked,
            "sequence": self.sequence,
        }

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the states for ``x`` of shape (batch, steps, features)."""
        if x.data.ndim != 3:
            raise FormatError(f"{self!r} takes (frames, steps, features), not {x.data.shape}")
        tape, mask = x.tape, None
        x = ops.transpose(x, (1, 0, 2))
        if self.masked:
            mask = ops.detach(ops.index(x, (..., slice(self.features, None))))
            x = ops.index(x, (..., slice(self.features)))
        drive = ops.linear(x, tape.parameter(self.weight), tape.parameter(self.bias))
        states = self.cell(drive, tape.parameter(self.recurrent), mask)
        if not self.sequence:
            return ops.last(states)
        joined = states if mask is None else ops.concatenate([states, mask], -1)
        return ops.transpose(joined, (1, 0, 2))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.features}, {self.size})"


class Rnn(Recurrent):
    """Elman's recurrent layer, see :func:`spikewright.learn.ops.cells.rnn`.

    Parameters
    ----------
    n_in, n_out, masked, sequence
        See :class:`Recurrent`.
    """

    gates = 1

    def cell(self, drive: Value, weight: Value, mask: Value | None) -> Value:
        return cells.rnn(drive, weight, mask)


class Lstm(Recurrent):
    """Long short-term memory, see :func:`spikewright.learn.ops.cells.lstm`.

    The forget gates' bias begins at 1, so that a cell remembers until it learns to forget.

    Parameters
    ----------
    n_in, n_out, masked, sequence
        See :class:`Recurrent`.
    """

    gates = 4

    def cell(self, drive: Value, weight: Value, mask: Value | None) -> Value:
        return cells.lstm(drive, weight, mask)

    def __init__(self, n_in: int, n_out: int, *, masked: bool = False, sequence: bool = False):
        super().__init__(n_in, n_out, masked=masked, sequence=sequence)
        self.bias[n_out : 2 * n_out] = 1


class Gru(Recurrent):
    """Gated recurrent units, see :func:`spikewright.learn.ops.cells.gru`.

    Parameters
    ----------
    n_in, n_out, masked, sequence
        See :class:`Recurrent`.
    """

    gates = 3

    def cell(self, drive: Value, weight: Value, mask: Value | None) -> Value:
        return cells.gru(drive, weight, mask)
