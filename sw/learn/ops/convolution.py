# SPDX-License-Identifier: Apache-2.0
"""Convolution of images as a matrix product over their patches (im2col)."""

import numpy as np

from spikewright.learn.ops.windows import Pair, positions, taps
from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError

CHUNK = 1 << 22
"""Bytes of patches that are made at a time, few enough for a cache."""


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
    lead, places = x.data.shape[:-3], patches.places
    y = x.tape.output((*lead, kernels, *places), x.data.dtype, x, weight, bias)
    images, maps = x.data.reshape(-1, *x.data.shape[-3:]), y.data.reshape(-1, kernels, *places)
    flat = maps.reshape(len(maps), kernels, -1)
    some = max(1, CHUNK // (patches.length * flat.shape[2] * x.data.itemsize))
    chunks = [slice(k, k + some) for k in range(0, len(images), some)]
    columns = np.empty((min(some, len(images)), patches.length, flat.shape[2]), x.data.dtype)
    frame = np.zeros((len(columns), *patches.padded), x.data.dtype)
    # Sums of gradients, where there are any for the images.
    shares, sums = (np.empty_like(a) if x.grad is not None else a[:0] for a in (columns, frame))

    def gather(chunk: slice) -> Array:
        part = images[chunk]
        patches.gather(part, frame[: len(part)], columns[: len(part)])
        return columns[: len(part)]

    def forward() -> None:
        for chunk in chunks:
            np.matmul(weight.data.reshape(kernels, -1), gather(chunk), out=flat[chunk])
        np.add(maps, bias.data[:, None, None], out=maps)

    def backward() -> None:
        grads = y.gradient().reshape(flat.shape)
        bias.receive(lambda out: np.sum(grads.sum(axis=2), axis=0, out=out))
        weight.receive(lambda out: correlate(grads, out))
        x.receive(lambda out: spread(grads, out.reshape(images.shape)))

    def correlate(grads: Array, out: Array) -> None:
        out.fill(0)
        for chunk in chunks:
            # A single chunk's patches are still there from the forward sweep.
            seen = columns if len(chunks) == 1 else gather(chunk)
            out += np.matmul(grads[chunk], seen.swapaxes(1, 2)).sum(axis=0).reshape(out.shape)

    def spread(grads: Array, out: Array) -> None:
        for chunk in chunks:
            part = out[chunk]
            mine = shares[: len(part)]
            np.matmul(weight.data.reshape(kernels, -1).T, grads[chunk], out=mine)
            patches.scatter(mine, sums[: len(part)], part)

    return x.tape.record(y, forward, backward)


class _Patches:
    """The patches of an image under a sliding window, as columns of a matrix."""

    def __init__(self, image: tuple[int, ...], window: Pair, stride: Pair, padding: Pair):
        channels, rows, columns = image
        self.window, self.stride = window, stride
        self.places = positions((rows, columns), window, stride, padding)
        self.length = channels * window[0] * window[1]
        self.padded = (channels, rows + 2 * padding[0], columns + 2 * padding[1])
        self._shape = (channels, *window, *self.places)
        self._inside = (
            ...,
            slice(padding[0], padding[0] + rows),
            slice(padding[1], padding[1] + columns),
        )
        self._bare = padding == (0, 0)

    def gather(self, images: Array, frame: Array, columns: Array) -> None:
        """Copy the patches of ``images`` to ``columns``; ``frame`` is the padded images."""
        source = images
        if not self._bare:
            frame[self._inside] = images
            source = frame
        patches = columns.reshape(len(columns), *self._shape)
        for (row, column), view in taps(source, self.window, self.stride, self.places):
            np.copyto(patches[:, :, row, column], view)

    def scatter(self, columns: Array, sums: Array, out: Array) -> None:
        """Add each patch of ``columns`` to its place in ``out``: the transpose of ``gather``."""
        target = out if self._bare else sums
        target.fill(0)
        patches = columns.reshape(len(columns), *self._shape)
        for (row, column), view in taps(target, self.window, self.stride, self.places):
            np.add(view, patches[:, :, row, column], out=view)
        if not self._bare:
            np.copyto(out, sums[self._inside])
