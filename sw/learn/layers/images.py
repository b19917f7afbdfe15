# SPDX-License-Identifier: Apache-2.0
"""Layers of images: convolution, pooling, and the way back to vectors."""

import math
from collections.abc import Sequence
from typing import Any

from spikewright.learn import ops
from spikewright.learn.layers.layer import (
    Plain,
    Shape,
    Weighted,
    check_size,
    image,
    pair,
    trained,
)
from spikewright.learn.ops.windows import positions
from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError


class Conv2d(Weighted):
    """Convolution of images (channels, rows, columns), see :func:`spikewright.learn.ops.conv2d`.

    Parameters
    ----------
    channels : int
        Of the input.
    kernels : int
        Channels of the output.
    size : int or (rows, columns)
        Of a kernel.
    stride : int or (rows, columns)
    padding : int or (rows, columns)
        Zeros on each side.
    weight : (kernels, channels, rows, columns) array_like, optional
        Kept as float32. Without, :class:`spikewright.network.Network` draws it.
    bias : (kernels,) array_like, optional
        Zero if not given.

    Raises
    ------
    FormatError
        If a size cannot be, or an array's shape does not fit.
    """

    def __init__(
        self,
        channels: int,
        kernels: int,
        size: int | Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        weight: Array | None = None,
        bias: Array | None = None,
    ):
        super().__init__(given=weight is not None)
        check_size("Conv2d channels", channels)
        check_size("Conv2d kernels", kernels)
        self.channels, self.kernels = channels, kernels
        self.size = pair("Conv2d size", size)
        self.stride = pair("Conv2d stride", stride)
        self.padding = pair("Conv2d padding", padding, least=0)
        self.weight = trained("Conv2d weight", weight, (kernels, channels, *self.size))
        self.bias = trained("Conv2d bias", bias, (kernels,))

    def out_shape(self, shape: Shape) -> Shape:
        channels, *size = image(self, shape)
        if channels != self.channels:
            raise FormatError(f"{self!r} takes {self.channels} channels, not {channels}")
        places = positions((size[0], size[1]), self.size, self.stride, self.padding)
        return (self.kernels, *places)

    def options(self) -> dict[str, Any]:
        """Constructor arguments without the arrays."""
        return {
            "channels": self.channels,
            "kernels": self.kernels,
            "size": list(self.size),
            "stride": list(self.stride),
            "padding": list(self.padding),
        }

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the convolution of ``x`` of shape (..., channels, rows, columns)."""
        weight, bias = x.tape.parameter(self.weight), x.tape.parameter(self.bias)
        return ops.conv2d(x, weight, bias, stride=self.stride, padding=self.padding)

    def __repr__(self) -> str:
        return f"Conv2d({self.channels}, {self.kernels}, {self.size})"


class MaxPool2d(Plain):
    """Largest value under a window of each channel.

    Parameters
    ----------
    size : int or (rows, columns)
        Of the window.
    stride : int or (rows, columns), optional
        The window's size if not given.

    Raises
    ------
    FormatError
        If a size is not positive.
    """

    def __init__(self, size: int | Sequence[int], stride: int | Sequence[int] | None = None):
        name = type(self).__name__
        self.size = pair(f"{name} size", size)
        self.stride = self.size if stride is None else pair(f"{name} stride", stride)

    def out_shape(self, shape: Shape) -> Shape:
        channels, *size = image(self, shape)
        return (channels, *positions((size[0], size[1]), self.size, self.stride))

    def options(self) -> dict[str, Any]:
        return {"size": list(self.size), "stride": list(self.stride)}

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the pool of ``x`` of shape (..., channels, rows, columns)."""
        return ops.max_pool2d(x, window=self.size, stride=self.stride)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size}, stride={self.stride})"


class AvgPool2d(MaxPool2d):
    """Mean under a window of each channel; parameters as of :class:`MaxPool2d`."""

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the pool of ``x`` of shape (..., channels, rows, columns)."""
        return ops.avg_pool2d(x, window=self.size, stride=self.stride)


class Flatten(Plain):
    """Images (channels, rows, columns) as vectors, in row-major order."""

    def out_shape(self, shape: Shape) -> Shape:
        return (math.prod(image(self, shape)),)

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``x`` with its last three axes as one."""
        return ops.reshape(x, (*x.data.shape[:-3], math.prod(x.data.shape[-3:])))

    def __repr__(self) -> str:
        return "Flatten()"
