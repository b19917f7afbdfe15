# SPDX-License-Identifier: Apache-2.0
"""Convolution of images as a matrix product over their patches (im2col)."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from spikewright.learn.ops.windows import Pair, positions, taps
from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError

CHUNK = 1 << 21
"""Bytes of patches that are made at a time, few enough for a cache."""

KEPT = 1 << 26
"""Bytes of patches that are kept from the forward to the backward sweep, and not made again."""


def conv2d(
    x: Value, weight: Value, bias: Value, *, stride: Pair = (1, 1), padding: Pair = (0, 0)
) -> Value:
    """Cross-correlation of images with kernels.

    ``y[o, i, j] = bias[o] + sum_{c, m, n} weight[o, c, m, n] x[c, i stride + m, j stride + n]``,
    zeros around the image; the kernels are not flipped, as in every library of convolutional
    networks and unlike in mathematics.

    Parameters
    ----------
    x : (..., channels, rows, columns) Value
        Leading axes are samples.
    weight : (kernels, channels, rows, columns) Value
    bias : (kernels,) Value
    stride, padding : (rows, columns)
        Step of the window and zeros on each side of the image.

    Returns
    -------
    (..., kernels, rows, columns) Value

    Raises
    ------
    FormatError
        If the shapes do not fit, or the kernel is larger than the padded image.
    """
    kernels, channels, *window = weight.data.shape
    if x.data.ndim < 3 or x.data.shape[-3] != channels or bias.data.shape != (kernels,):
        raise FormatError(
            f"Convolution operands must have shapes (..., {channels}, rows, columns), "
            f"{weight.data.shape} and ({kernels},), not {x.data.shape}, {weight.data.shape} "
            f"and {bias.data.shape}"
        )
    patches = _Patches(x.data.shape[-3:], (window[0], window[1]), stride, padding)
    places, dtype = patches.places, x.data.dtype
    y = x.tape.output((*x.data.shape[:-3], kernels, *places), dtype, x, weight, bias)
    images, maps = x.data.reshape(-1, *x.data.shape[-3:]), y.data.reshape(-1, kernels, *places)
    size = patches.length * places[0] * places[1] * dtype.itemsize
    some = max(1, CHUNK // size)
    # One chunk's scratch serves the next, unless the backward sweep can have them all.
    kept = y.grad is not None and size * len(images) <= KEPT
    shared = None if kept else _Scratch(dtype)
    chunks = [
        _Chunk(patches, images[k : k + some], maps[k : k + some], shared or _Scratch(dtype))
        for k in range(0, len(images), some)
    ]

    def forward() -> None:
        flat = weight.data.reshape(kernels, -1)
        for chunk in chunks:
            np.matmul(flat, chunk.gather(), out=chunk.results)
            np.add(chunk.turned(chunk.results), bias.data[:, None, None], out=chunk.maps)

    def backward() -> None:
        bias.receive(lambda out: np.sum(y.gradient().reshape(maps.shape), axis=(0, 2, 3), out=out))
        weight.receive(correlate)
        x.receive(spread)

    def grads() -> Iterator[tuple[slice, _Chunk, Array]]:
        given = y.gradient().reshape(maps.shape)
        for start, chunk in zip(range(0, len(images), some), chunks, strict=True):
            here = slice(start, start + some)
            np.copyto(chunk.turned(chunk.results), given[here])
            yield here, chunk, chunk.results

    def correlate(out: Array) -> None:
        out.fill(0)
        for _, chunk, results in grads():
            seen = chunk.columns if kept else chunk.gather()
            out += np.matmul(results, seen.T).reshape(out.shape)

    def spread(out: Array) -> None:
        flat, target = weight.data.reshape(kernels, -1).T, out.reshape(images.shape)
        for here, chunk, results in grads():
            chunk.scatter(np.matmul(flat, results), target[here])

    return x.tape.record(y, forward, backward)


class _Patches:
    """Where the patches of an image under a sliding window lie."""

    def __init__(self, image: tuple[int, ...], window: Pair, stride: Pair, padding: Pair):
        channels, rows, columns = image
        self.window, self.stride = window, stride
        self.places = positions((rows, columns), window, stride, padding)
        self.length = channels * window[0] * window[1]
        self.padded = (channels, rows + 2 * padding[0], columns + 2 * padding[1])
        self.shape = (channels, *window, *self.places)
        self.bare = padding == (0, 0)
        self.inside = (
            ...,
            slice(padding[0], padding[0] + rows),
            slice(padding[1], padding[1] + columns),
        )


class _Scratch:
    """Arrays by name, each made once for the largest that is asked for."""

    def __init__(self, dtype: DTypeLike):
        self._dtype = dtype
        self._arrays: dict[str, Array] = {}

    def take(self, name: str, *shape: int) -> Array:
        """Array of a shape; whatever had this name before is overwritten with it."""
        size = math.prod(shape)
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = np.empty(size, self._dtype)
        return self._arrays[name][:size].reshape(shape)


class _Chunk:
    """Some images, worked on with their number as the last axis.

    What one place of the window meets is then copied and added in runs as long as the chunk, and
    all products of the chunk are one.
    """

    def __init__(self, patches: _Patches, images: Array, maps: Array, scratch: _Scratch):
        self.patches, self.images, self.maps, self._scratch = patches, images, maps, scratch
        wide = patches.places[0] * patches.places[1] * len(images)
        self.results = scratch.take("results", maps.shape[1], wide)
        self.columns = scratch.take("columns", patches.length, wide)
        self._frame = scratch.take("frame", *patches.padded, len(images))

    def turned(self, matrix: Array) -> Array:
        """Results or their gradients (kernels, places * images) as (images, kernels, *places)."""
        shaped = matrix.reshape(len(matrix), *self.patches.places, len(self.images))
        return np.moveaxis(shaped, -1, 0)

    def gather(self) -> Array:
        """Copy the patches to the columns of a matrix, and return it."""
        frame, patches = np.moveaxis(self._frame, -1, 0), self._patches(self.columns)
        if not self.patches.bare:
            frame.fill(0)
        np.copyto(frame[self.patches.inside], self.images)
        for place, view in self._taps(frame):
            np.copyto(patches[:, :, *place], view)
        return self.columns

    def scatter(self, columns: Array, out: Array) -> None:
        """Add each patch of ``columns`` to its place in ``out``: the transpose of ``gather``."""
        frame, patches = np.moveaxis(self._frame, -1, 0), self._patches(columns)
        frame.fill(0)
        for place, view in self._taps(frame):
            np.add(view, patches[:, :, *place], out=view)
        np.copyto(out, frame[self.patches.inside])

    def _patches(self, columns: Array) -> Array:
        return np.moveaxis(columns.reshape(*self.patches.shape, len(self.images)), -1, 0)

    def _taps(self, frame: Array) -> Iterator[tuple[Pair, Array]]:
        return taps(frame, self.patches.window, self.patches.stride, self.patches.places)
