# SPDX-License-Identifier: Apache-2.0
"""Operations that move elements and compute nothing."""

from functools import partial
from types import EllipsisType
from typing import Any

import numpy as np

from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError

Part = int | slice | EllipsisType | Array | None
Key = Part | tuple[Part, ...]
"""What may stand between an array's brackets."""


def detach(x: Value) -> Value:
    """Copy ``x`` as plain data: gradients stop here."""
    y = x.tape.output(x.data.shape, x.data.dtype)
    return x.tape.record(y, lambda: np.copyto(y.data, x.data), lambda: None)


def last(x: Value) -> Value:
    """Last element along the first axis, ``x[-1]``: the final time step."""
    return index(x, -1)


def index(x: Value, key: Key) -> Value:
    """Pick elements, ``y = x[key]``, by integers, slices or arrays of integers.

    An element that an array of integers names twice receives both gradients.
    """
    chosen = x.data[key]
    y = x.tape.output(chosen.shape, chosen.dtype, x)
    keys = key if isinstance(key, tuple) else (key,)
    repeats = any(isinstance(k, np.ndarray) for k in keys)
    # The stubs know fewer indices than np.add.at takes.
    places: Any = key

    def write(out: Array) -> None:
        out.fill(0)
        if repeats:
            np.add.at(out, places, y.gradient())
        else:
            out[key] = y.gradient()

    return x.tape.record(y, lambda: np.copyto(y.data, x.data[key]), lambda: x.receive(write))


def stack(values: list[Value]) -> Value:
    """Join values of one shape along a new first axis."""
    first = values[0]
    y = first.tape.output((len(values), *first.data.shape), first.data.dtype, *values)

    def forward() -> None:
        for row, value in zip(y.data, values, strict=True):
            np.copyto(row, value.data)

    def backward() -> None:
        for row, value in zip(y.gradient(), values, strict=True):
            value.receive(partial(np.copyto, src=row))

    return first.tape.record(y, forward, backward)


def concatenate(values: list[Value], axis: int = 0) -> Value:
    """Join values along an axis that they have.

    Raises
    ------
    FormatError
        If their shapes differ along another axis.
    """
    try:
        joined = np.concatenate([value.data for value in values], axis)
    except ValueError as error:
        raise FormatError(
            f"Values joined along axis {axis} must have one shape but for it, "
            f"not {', '.join(str(value.data.shape) for value in values)}"
        ) from error
    y = values[0].tape.output(joined.shape, joined.dtype, *values)
    ends = np.cumsum([value.data.shape[axis] for value in values])[:-1]

    def forward() -> None:
        np.concatenate([value.data for value in values], axis, out=y.data)

    def backward() -> None:
        for value, part in zip(values, np.split(y.gradient(), ends, axis), strict=True):
            value.receive(partial(np.copyto, src=part))

    return values[0].tape.record(y, forward, backward)


def transpose(x: Value, axes: tuple[int, ...] | None = None) -> Value:
    """Permute the axes; reverse them if none are given."""
    order = tuple(reversed(range(x.data.ndim))) if axes is None else axes
    back = tuple(np.argsort(order).tolist())
    y = x.tape.output(x.data.transpose(order).shape, x.data.dtype, x)

    def backward() -> None:
        x.receive(lambda out: np.copyto(out, y.gradient().transpose(back)))

    return x.tape.record(y, lambda: np.copyto(y.data, x.data.transpose(order)), backward)


def reshape(x: Value, shape: tuple[int, ...]) -> Value:
    """Give the same elements another shape, in row-major order.

    Raises
    ------
    FormatError
        If the shapes have different numbers of elements.
    """
    try:
        shaped = x.data.reshape(shape)
    except ValueError as error:
        raise FormatError(
            f"Shape must have {x.data.size} elements like {x.data.shape}, not {shape}"
        ) from error
    y = x.tape.output(shaped.shape, x.data.dtype, x)

    def backward() -> None:
        x.receive(lambda out: np.copyto(out, y.gradient().reshape(x.data.shape)))

    if np.shares_memory(shaped, x.data):
        y.data = shaped
        return x.tape.record(y, lambda: None, backward)
    return x.tape.record(y, lambda: np.copyto(y.data, x.data.reshape(shape)), backward)
