# SPDX-License-Identifier: Apache-2.0
import math
import re
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn.layers import LAYERS, Dense, Leaky, Lif, Relu
from spikewright.sim.errors import FormatError, ProgramError


@pytest.mark.parametrize(
    "layer", [Dense(3, 2), Relu(), Leaky(4, 0.05), Lif(4, 0.01, 0.5, "zero", 25.0)]
)
def test_options_rebuild_the_layer(layer: Dense | Relu | Leaky | Lif) -> None:
    again = LAYERS[type(layer).__name__](**layer.options())
    assert repr(again) == repr(layer)


def test_leak_is_the_exact_discretisation() -> None:
    assert Leaky(1, 0.02).leak(1e-3) == pytest.approx(1 - math.exp(-0.05), rel=1e-15)


def test_given_weights_are_not_drawn_again() -> None:
    given, free = Dense(2, 1, weight=[[1.0, 2.0]]), Dense(2, 1)
    for layer in (given, free):
        layer.draw(np.random.default_rng(0))
    np.testing.assert_array_equal(given.weight, [[1, 2]])
    assert free.weight.any()
    drawn = free.weight.copy()
    free.draw(np.random.default_rng(1))
    np.testing.assert_array_equal(free.weight, drawn)


def test_drawn_weights_have_the_stated_variance() -> None:
    layer = Dense(400, 500)
    layer.draw(np.random.default_rng(0), gain=0.25)
    assert layer.weight.var() == pytest.approx(0.25 * 2 / 400, rel=0.02)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: Dense(0, 1), FormatError, "Dense n_in must be a positive integer, not 0"),
        (lambda: Dense(1, 2.0), FormatError, "Dense n_out must be a positive integer, not 2.0"),
        (
            lambda: Dense(2, 1, weight=np.ones((2, 1))),
            FormatError,
            "Dense weight must have shape (1, 2), not (2, 1)",
        ),
        (lambda: Lif(-1), FormatError, "Lif size must be a positive integer, not -1"),
        (
            lambda: Leaky(1, 0.0),
            ProgramError,
            "Membrane time constant must be positive and finite, not 0.0 s",
        ),
        (
            lambda: Lif(1, threshold=math.inf),
            ProgramError,
            "Threshold must be positive and finite, not inf",
        ),
        (
            lambda: Lif(1, slope=-1.0),
            ProgramError,
            "Surrogate slope must be positive and finite, not -1.0",
        ),
        (
            lambda: Lif(1, reset="none"),
            ProgramError,
            "Reset must be subtract or zero, not 'none'",
        ),
    ],
)
def test_constructors_refuse(
    make: Callable[[], object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(sentence)}$"):
        make()
