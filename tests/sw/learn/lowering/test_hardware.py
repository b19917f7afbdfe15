# SPDX-License-Identifier: Apache-2.0
import re
import warnings

import numpy as np
import pytest

from spikewright.learn.fit import fit
from spikewright.learn.layers import (
    LAYERS,
    Alif,
    BatchNorm,
    Dense,
    Dropout,
    Layer,
    Leaky,
    Lif,
    Relu,
    Tanh,
)
from spikewright.learn.lowering.hardware import FOLDED, MOVED, NEAREST, PLAIN, UNROLLED
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.errors import ProgramError, SpikewrightWarning

X = np.random.default_rng(0).random((40, 6), np.float32)
Y = X[:, :3].argmax(1)


def test_every_layer_has_a_form_or_an_alternative() -> None:
    assert {*PLAIN, *FOLDED, *UNROLLED, *MOVED, *NEAREST} == set(LAYERS)
    for alternative in NEAREST.values():
        assert alternative.split()[0] in (*PLAIN, *UNROLLED)


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (
            [Dense(6, 5), Tanh(), Dense(5, 3)],
            "Layer 1, Tanh(), has no hardware form: use Relu in its place",
        ),
        (
            [Dense(6, 5), Dropout(), Alif(5), Dense(5, 3), Leaky(3)],
            (f"Layer 2, {Alif(5)!r}, has no hardware form: use Lif in its place"),
        ),
        (
            [Dense(6, 5), Relu()],
            (
                "Layers must alternate Dense and Relu, begin and end with Dense to have a hardware "
                "form, not Dense, Relu"
            ),
        ),
        (
            [Dense(6, 5), Relu(), Dense(5, 3), Leaky(3)],
            (
                'Layers must alternate Dense and Lif and end in Leaky (readout="membrane") to have '
                "a hardware form, not Dense, Relu, Dense, Leaky"
            ),
        ),
    ],
)
def test_quantize_refuses_what_has_no_form(layers: list[Layer], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        quantize(Network(layers), calibrate=X)


def test_fit_warns_once_of_each_kind() -> None:
    layers = [Dense(6, 5), Tanh(), Dense(5, 5), Tanh(), Dense(5, 3)]
    with pytest.warns(SpikewrightWarning) as caught:
        fit(Network(layers), X, Y, epochs=1)
    assert [str(warning.message) for warning in caught] == [
        "Layer 1, Tanh(), has no hardware form and quantize refuses it: use Relu in its place"
    ]
    assert caught[0].filename == __file__


def test_fit_does_not_warn_of_what_has_a_form() -> None:
    layers = [Dense(6, 5), BatchNorm(5), Lif(5), Dropout(), Dense(5, 3), Leaky(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(Network(layers, steps=3), X, Y, epochs=1)
