# SPDX-License-Identifier: Apache-2.0
"""Layers of images as products of vectors: a row for each place of a kernel."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.layers import AvgPool2d, Conv2d, Dense, Flatten, Layer, Shape
from spikewright.learn.lowering.rebuild import rebuilt
from spikewright.learn.ops.windows import positions, taps
from spikewright.network import Network

Matrix = NDArray[np.float64]

LINEAR = (Dense, Conv2d, AvgPool2d, Flatten)
"""Layers that are one product of a vector, or a part of it."""


class Unrolled(Dense):
    """The Dense layer that a convolution or a pool of images is.

    Parameters
    ----------
    weight : (n_out, n_in) ndarray
    bias : (n_out,) ndarray
    groups : (n_out,) ndarray of int
        Kernel (output channel) that each row came from. Away from padded edges the rows of one
        kernel hold the same weights at other places, so what is chosen for a kernel, such as a
        scale, must be chosen once for a group.

    Raises
    ------
    FormatError
        If an array's shape does not fit.
    """

    def __init__(self, weight: Matrix, bias: Matrix, groups: NDArray[np.int64]):
        rows, columns = weight.shape
        super().__init__(columns, rows, weight=weight, bias=bias)
        self.groups = groups


def unroll(network: Network) -> tuple[Network, list[int]]:
    """Same function with every Conv2d, AvgPool2d and Flatten in a Dense layer.

    Images become vectors in the order of Flatten (channel, row, column). A convolution has a row
    for each kernel and place, ``W[(o, i, j), (c, i stride + m - padding, j stride + n - padding)] =
    w[o, c, m, n]``, and zeros where the kernel does not reach. An average pool is linear: it merges
    into the product that it follows, or else into the one that it precedes, and is a product by
    itself between two nonlinearities. Exact but for float rounding.

    Parameters
    ----------
    network : Network
        Folded; not changed.

    Returns
    -------
    network : Network
        On vectors; the same object if there are no images.
    positions : list of int
        For each layer of the result, the layer of ``network`` whose output it makes.

    Notes
    -----
    Every connection of the images, and every zero between them, is a stored weight: a convolution
    of ``channels x rows x columns`` to ``kernels x places`` stores ``channels rows columns kernels
    places`` of them, where its kernels hold ``kernels channels size``. 28 x 28 pixels under 12
    kernels of 5 x 5 with stride 2 are 784 x 1728 = 1.35 million weights, of which 3.2 % are not
    zero; with a stride of 4 they are a quarter as many.
    """
    if not any(isinstance(layer, Conv2d | AvgPool2d | Flatten) for layer in network.layers):
        return network, list(range(len(network.layers)))
    layers: list[Layer] = []
    places: list[int] = []
    run: list[int] = []

    def close() -> None:
        merged = _merged(network, run)
        if merged is not None:
            layers.append(merged)
            places.append(run[-1])
        elif run and places:
            # What Flatten passes on is the output of the layer before it.
            places[-1] = run[-1]
        run.clear()

    for position, layer in enumerate(network.layers):
        second = isinstance(layer, Dense | Conv2d) and _product(network, run) is not None
        if second or not isinstance(layer, LINEAR):
            close()
        if isinstance(layer, LINEAR):
            run.append(position)
        else:
            layers.append(layer)
            places.append(position)
    close()
    return rebuilt(network, layers, (network.n_in,)), places


def _product(network: Network, run: list[int]) -> int | None:
    """Position of the product in a run of linear layers."""
    return next((k for k in run if isinstance(network.layers[k], Dense | Conv2d)), None)


def _merged(network: Network, run: list[int]) -> Layer | None:
    """One layer for a run of linear layers; None where it changes nothing."""
    pools = [k for k in run if isinstance(network.layers[k], AvgPool2d)]
    product = _product(network, run)
    if product is None and not pools:
        return None
    centre = pools[0] if product is None else product
    layer: Any = network.layers[centre]
    if isinstance(layer, Dense) and not pools:
        return layer
    shape = network.shapes[centre]
    matrix = _matrix(layer, shape)
    for k in pools:
        pool: Any = network.layers[k]
        if k > centre:
            matrix = _pooled(matrix, network.shapes[k], pool)
    for k in reversed(pools):
        pool = network.layers[k]
        if k < centre:
            matrix = _pooled_before(matrix, network.shapes[k], pool)
    if isinstance(layer, Dense):
        return Dense(matrix.shape[1], layer.n_out, weight=matrix, bias=layer.bias)
    kernels = layer.kernels if isinstance(layer, Conv2d) else shape[0]
    groups = np.repeat(np.arange(kernels), len(matrix) // kernels)
    bias = layer.bias[groups] if isinstance(layer, Conv2d) else np.zeros(len(matrix))
    return Unrolled(matrix, bias, groups)


def _matrix(layer: Dense | Conv2d | AvgPool2d, shape: Shape) -> Matrix:
    """Matrix of one layer; ``shape`` is that of its frames."""
    if isinstance(layer, Conv2d):
        return _convolution(layer, shape)
    if isinstance(layer, Dense):
        return layer.weight.astype(np.float64)
    return _pooled(np.eye(math.prod(shape)), shape, layer)


def _convolution(layer: Conv2d, shape: Shape) -> Matrix:
    """Matrix of a convolution of images of ``shape``."""
    channels, rows, columns = shape
    down, right = layer.padding
    places = positions((rows, columns), layer.size, layer.stride, layer.padding)
    padded = (channels, rows + 2 * down, columns + 2 * right)
    matrix = np.zeros((layer.kernels, *places, *padded))
    for i, j in np.ndindex(places):
        top, left = i * layer.stride[0], j * layer.stride[1]
        here = slice(top, top + layer.size[0]), slice(left, left + layer.size[1])
        matrix[:, i, j, :, *here] = layer.weight
    inside = matrix[..., down : down + rows, right : right + columns]
    return inside.reshape(layer.kernels * places[0] * places[1], -1)


def _pooled(matrix: Matrix, shape: Shape, pool: AvgPool2d) -> Matrix:
    """Matrix followed by a pool of its results, which are images of ``shape``."""
    channels, rows, columns = shape
    images = np.moveaxis(matrix.reshape(*shape, -1), -1, 0)
    places = positions((rows, columns), pool.size, pool.stride)
    sums = sum(view for _, view in taps(images, pool.size, pool.stride, places))
    mean = np.moveaxis(np.asarray(sums), 0, -1) / (pool.size[0] * pool.size[1])
    return mean.reshape(channels * places[0] * places[1], -1)


def _pooled_before(matrix: Matrix, shape: Shape, pool: AvgPool2d) -> Matrix:
    """Matrix after a pool of images of ``shape``, whose results it takes."""
    channels, rows, columns = shape
    places = positions((rows, columns), pool.size, pool.stride)
    shares = matrix.reshape(-1, channels, *places) / (pool.size[0] * pool.size[1])
    images = np.zeros((len(matrix), *shape))
    for _, view in taps(images, pool.size, pool.stride, places):
        view += shares
    return images.reshape(len(matrix), -1)
