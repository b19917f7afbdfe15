# SPDX-License-Identifier: Apache-2.0
"""What a network asks of a layer, and what layers share."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from spikewright.learn.initialisers import INITIALISERS, Initialiser
from spikewright.learn.options import within
from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError, ProgramError

Shape = tuple[int, ...]
"""Shape of what a layer makes of one frame: (n,), (channels, rows, columns) or (steps, n)."""


class Layer(Protocol):
    """What a network asks of a layer.

    Members
    -------
    n_in, n_out : int or None
        Inputs and outputs; None for any number.
    """

    @property
    def n_in(self) -> int | None:
        """Number of inputs."""

    @property
    def n_out(self) -> int | None:
        """Number of outputs."""

    def out_shape(self, shape: Shape) -> Shape:
        """Shape of the output for frames of ``shape``.

        Raises
        ------
        FormatError
            If the layer cannot take such frames.
        """

    def parameters(self) -> list[Array]:
        """Trained arrays, shared and not copied."""

    def buffers(self) -> list[Array]:
        """Arrays that are not trained and yet kept with the network, shared and not copied."""

    def options(self) -> dict[str, Any]:
        """Constructor arguments, as JSON can hold them."""

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the layer's output for the input ``x``.

        Random or not, the layer does what ``x.tape.training`` asks for.
        """


class Plain:
    """A layer without trained arrays, for frames of any shape; the base of dataclasses."""

    @property
    def n_in(self) -> int | None:
        """Any number of inputs."""
        return None

    @property
    def n_out(self) -> int | None:
        """As many outputs as inputs."""
        return None

    def out_shape(self, shape: Shape) -> Shape:
        return shape

    def parameters(self) -> list[Array]:
        """No trained arrays."""
        return []

    def buffers(self) -> list[Array]:
        """No other arrays."""
        return []

    def options(self) -> dict[str, Any]:
        """Constructor arguments."""
        fields = getattr(self, "__dataclass_fields__", ())
        return {name: getattr(self, name) for name in fields}


class Weighted:
    """A layer with weights, drawn unless they were given; those with two axes or more are."""

    initialiser: ClassVar[str] = "he"
    """How the weights begin where the network does not say."""

    arrays: ClassVar[tuple[str, ...]] = ("weight", "bias")
    """Names of the trained arrays, in the order of a file."""

    n_in: int | None = None
    n_out: int | None = None

    def __init__(self, *, given: bool):
        self._drawn = given

    def draw(
        self, rng: np.random.Generator, gain: float = 1.0, initialise: Initialiser | None = None
    ) -> None:
        """Draw the weights, unless they were given or drawn before.

        Parameters
        ----------
        rng : Generator
        gain : float
            Factor of the weights' variance.
        initialise : Initialiser, optional
            The layer's own if not given.
        """
        if self._drawn:
            return
        chosen = INITIALISERS[self.initialiser] if initialise is None else initialise
        for array in self.parameters():
            if array.ndim > 1:
                area = math.prod(array.shape[2:])
                n_in, n_out = array.shape[1] * area, array.shape[0] * area
                array[...] = chosen(rng, array.shape, n_in, n_out, gain)
        self._drawn = True

    def parameters(self) -> list[Array]:
        """Trained arrays, shared and not copied."""
        return [getattr(self, name) for name in self.arrays]

    def buffers(self) -> list[Array]:
        """No other arrays."""
        return []


def vector(layer: object, shape: Shape, size: int) -> Shape:
    """Return ``shape`` if it is that of ``size`` values.

    Raises
    ------
    FormatError
        If it is not.
    """
    if shape == (size,):
        return shape
    if len(shape) == 1:
        raise FormatError(f"{layer!r} takes {size} values, not {shape[0]}")
    kind = "images" if len(shape) == 3 else "sequences"
    remedy = "put Flatten before it" if len(shape) == 3 else "let it follow the last state"
    raise FormatError(f"{layer!r} takes {size} values, not {kind} of {shape}: {remedy}")


def image(layer: object, shape: Shape) -> tuple[int, int, int]:
    """Return ``shape`` as channels, rows and columns.

    Raises
    ------
    FormatError
        If it is not that of an image.
    """
    if len(shape) != 3:
        raise FormatError(
            f"{layer!r} takes images (channels, rows, columns), not {shape}: give the network "
            "their shape, such as shape=(1, 28, 28)"
        )
    return shape[0], shape[1], shape[2]


def check_size(name: str, size: int, least: int = 1) -> None:
    """Refuse a size that is no integer from ``least``, 1 or 0."""
    if not isinstance(size, int) or size < least:
        kind = "a positive integer" if least else "an integer from 0"
        raise FormatError(f"{name} must be {kind}, not {size!r}")


def check_positive(name: str, value: float, unit: str = "") -> None:
    """Refuse a value that is not positive and finite."""
    if not within(value, 0, math.inf, "()"):
        raise ProgramError(f"{name} must be positive and finite, not {value!r} {unit}".rstrip())


def pair(name: str, value: int | Sequence[int], least: int = 1) -> tuple[int, int]:
    """Rows and columns, from both or from one number for both."""
    values = (value, value) if isinstance(value, int) else tuple(value)
    if len(values) != 2:
        raise FormatError(f"{name} must be one integer or two, not {value!r}")
    for number in values:
        check_size(name, number, least)
    return values[0], values[1]


def trained(name: str, values: Any, shape: Shape) -> Array:
    """Copy of given values as float32, or zeros."""
    # Column-major: BLAS multiplies by the transposed weights a quarter faster.
    order: Literal["F", "C"] = "F" if len(shape) == 2 else "C"
    array = np.array(np.zeros(shape) if values is None else values, np.float32, order=order)
    if array.shape != shape:
        raise FormatError(f"{name} must have shape {shape}, not {array.shape}")
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise FormatError(f"{name} must be finite, and {bad} of its {array.size} values are not")
    return array
