# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Array, Tape, Value

STEP = 1e-6


@pytest.fixture
def check_gradients() -> Callable[..., None]:
    """Compare an operation's gradients with central differences, in float64."""

    def check(operation: Callable[..., Value], *arrays: Array) -> None:
        tape = Tape()
        values = [tape.parameter(array) for array in arrays]
        result = operation(*values)
        weights = np.random.default_rng(9).normal(size=result.data.shape)
        loss = ops.total(ops.mul(result, tape.constant(weights)))
        tape.backward(loss)
        gradients = [value.gradient().copy() for value in values]
        for array, gradient in zip(arrays, gradients, strict=True):
            numeric = np.empty_like(array)
            for index in np.ndindex(array.shape):
                ends = []
                for sign in (1, -1):
                    kept = array[index]
                    array[index] = kept + sign * STEP
                    tape.replay()
                    ends.append(float(loss.data))
                    array[index] = kept
                numeric[index] = (ends[0] - ends[1]) / (2 * STEP)
            np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)

    return check
