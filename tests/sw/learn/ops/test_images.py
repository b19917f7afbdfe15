# SPDX-License-Identifier: Apache-2.0
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.ops import convolution
from spikewright.learn.ops.windows import Pair
from spikewright.learn.tape import Tape, Value
from spikewright.sim.errors import FormatError

GEOMETRIES = [
    ((7, 2, 5, 5), (3, 3), (1, 1), (0, 0)),
    ((5, 2, 5, 4), (3, 2), (1, 1), (1, 1)),
    ((1, 2, 2, 6, 5), (2, 3), (2, 1), (0, 2)),
    ((2, 7, 7), (3, 3), (2, 3), (1, 0)),
]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape)


def correlate(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: Pair, padding: Pair
) -> np.ndarray:
    """One sum for each output pixel."""
    (rows, columns), kernels = weight.shape[2:], len(weight)
    padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p) for p in padding])
    height = (padded.shape[-2] - rows) // stride[0] + 1
    width = (padded.shape[-1] - columns) // stride[1] + 1
    y = np.empty((*x.shape[:-3], kernels, height, width))
    for o, i, j in np.ndindex(kernels, height, width):
        top, left = i * stride[0], j * stride[1]
        patch = padded[..., top : top + rows, left : left + columns]
        y[..., o, i, j] = (patch * weight[o]).sum(axis=(-3, -2, -1)) + bias[o]
    return y


@pytest.mark.parametrize("kept", [0, convolution.KEPT])
@pytest.mark.parametrize("chunk", [1, 5000, convolution.CHUNK])
@pytest.mark.parametrize(("shape", "window", "stride", "padding"), GEOMETRIES)
def test_conv2d(
    monkeypatch: pytest.MonkeyPatch,
    check_gradients: Callable[..., None],
    shape: tuple[int, ...],
    window: Pair,
    stride: Pair,
    padding: Pair,
    chunk: int,
    kept: int,
) -> None:
    """With every image by itself, some together and all of them; patches kept or made again."""
    monkeypatch.setattr(convolution, "CHUNK", chunk)
    monkeypatch.setattr(convolution, "KEPT", kept)
    arrays = normal(*shape), normal(3, 2, *window), normal(3)

    def run(*values: Value) -> Value:
        return ops.conv2d(*values, stride=stride, padding=padding)

    check_gradients(run, *arrays)
    tape = Tape()
    y = run(*(tape.parameter(array) for array in arrays))
    np.testing.assert_allclose(y.data, correlate(*arrays, stride, padding), rtol=1e-10, atol=1e-12)


def test_kernels_are_not_flipped() -> None:
    tape = Tape()
    image = tape.constant(np.array([[[1.0, 2.0, 4.0]]]))
    kernel = tape.parameter(np.array([[[[10.0, 1.0]]]]))
    y = ops.conv2d(image, kernel, tape.parameter(np.zeros(1)))
    np.testing.assert_array_equal(y.data, [[[12, 24]]])


@pytest.mark.parametrize(
    ("shape", "window", "stride"),
    [((2, 2, 4, 4), (2, 2), (2, 2)), ((3, 5, 6), (3, 2), (1, 2)), ((2, 7, 5), (2, 2), (3, 3))],
)
def test_pooling(
    check_gradients: Callable[..., None], shape: tuple[int, ...], window: Pair, stride: Pair
) -> None:
    x, options = normal(*shape), {"window": window, "stride": stride}
    rows = (shape[-2] - window[0]) // stride[0] + 1
    columns = (shape[-1] - window[1]) // stride[1] + 1
    for operation, reduce in ((ops.max_pool2d, np.max), (ops.avg_pool2d, np.mean)):
        check_gradients(lambda v, run=operation: run(v, **options), x)
        y = operation(Tape().parameter(x), **options).data
        assert y.shape == (*shape[:-2], rows, columns)
        for i, j in np.ndindex(rows, columns):
            top, left = i * stride[0], j * stride[1]
            patch = x[..., top : top + window[0], left : left + window[1]]
            np.testing.assert_allclose(y[..., i, j], reduce(patch, axis=(-2, -1)), rtol=1e-12)


def test_first_of_equals_has_the_gradient_of_the_pool() -> None:
    tape = Tape()
    x = tape.parameter(np.array([[3.0, 3.0], [1.0, 3.0]]))
    tape.backward(ops.total(ops.max_pool2d(x, window=(2, 2), stride=(2, 2))))
    np.testing.assert_array_equal(x.gradient(), [[1, 0], [0, 0]])


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        (
            lambda x, w, b: ops.conv2d(x, w, b, stride=(1, 2), padding=(0, 1)),
            "Window of (6, 1) must fit the padded image of (5, 7): make it smaller",
        ),
        (
            lambda x, w, b: ops.conv2d(x, w, b),
            "Window of (6, 1) must fit the padded image of (5, 5): make it smaller",
        ),
        (
            lambda x, _w, _b: ops.max_pool2d(x, window=(1, 7), stride=(1, 1)),
            "Window of (1, 7) must fit the padded image of (5, 5): make it smaller",
        ),
        (
            lambda x, _w, b: ops.conv2d(x, b, b),
            (
                "Convolution operands must have shapes (..., 3, rows, columns), (2, 3, 1, 1) and "
                "(2,), not (1, 2, 5, 5), (2, 3, 1, 1) and (2, 3, 1, 1)"
            ),
        ),
    ],
)
def test_shapes_must_fit(operation: Callable[..., Any], sentence: str) -> None:
    tape = Tape()
    values = [tape.parameter(normal(*s)) for s in ((1, 2, 5, 5), (1, 2, 6, 1), (1,))]
    if "(2, 3, 1, 1)" in sentence:
        values[2] = tape.parameter(normal(2, 3, 1, 1))
    with pytest.raises(FormatError, match=f"^{re.escape(sentence)}$"):
        operation(*values)
