# SPDX-License-Identifier: Apache-2.0
"""Gateware neurons equal the golden ones, over the whole set of options."""

from typing import Any

import numpy as np
import pytest
from bench.codes import random_tensors
from bench.lifs import lifs
from bench.streams import read_back
from bench.vectors import compare_with_golden
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.lif import Lif
from spikewright.sim import lif
from spikewright.sim.fixed import QFormat

MEMBRANE = QFormat(width=9, frac=2)


def neurons(size: int, **options: Any) -> lif.Lif:
    fields: dict[str, Any] = {
        "input": QFormat(width=7, frac=2),
        "membrane": MEMBRANE,
        "leak": "leak",
        "threshold": "threshold",
        "leak_frac": 6,
        **options,
    }
    return lif.Lif(size=size, **fields)


def lively(primitive: lif.Lif, seed: int) -> dict[str, np.ndarray]:
    """Tensors for which neurons spike now and then."""
    rng = np.random.default_rng(seed)
    ranges = {"leak": (2, 12), "threshold": (20, 60), "reset": (-10, 10), "step": (1, 30)}
    return {
        name: rng.integers(*ranges[name], spec.shape) for name, spec in primitive.tensors().items()
    }


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "per neuron": {"per_neuron": True},
    "to a value": {"reset": "value", "reset_tensor": "reset"},
    "to its own amount": {"reset": "subtract", "reset_tensor": "reset", "per_neuron": True},
    "no reset": {"reset": "none"},
    "next step": {"reset_next": True},
    "next step to a value": {"reset_next": True, "reset": "value", "reset_tensor": "reset"},
    "leak after input": {"leak_after_input": True},
    "strict": {"strict": True},
    "refractory": {"refractory": 3},
    "refractory keeps": {"refractory": 2, "refractory_input": "keep", "reset_next": True},
    "lower": {"lower": -5},
    "adaptive": {
        "adaptation": QFormat(width=8, frac=2),
        "adaptation_leak": "leak",
        "adaptation_step": "step",
    },
    "adaptive next": {
        "adaptation": QFormat(width=8, frac=2, signed=False),
        "adaptation_leak": "leak",
        "adaptation_step": "step",
        "reset_next": True,
        "per_neuron": True,
    },
    "before": {"voltage": "before"},
    "after": {"voltage": "after", "refractory": 1},
    "after, next step": {"voltage": "after", "reset_next": True},
}


@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (2, 1), (7, 3), (8, 4), (13, 13)])
@pytest.mark.parametrize("name", OPTIONS)
def test_each_option(name: str, size: int, lanes: int) -> None:
    primitive = neurons(size, **OPTIONS[name])
    compare_with_golden(
        Lif(primitive, lanes=lanes), seed=size, steps=6, tensors=lively(primitive, size)
    )


@settings(max_examples=60)
@given(lifs(most=9, width=14, leak_frac=12), st.integers(1, 9), st.integers(0, 99))
def test_any_options(primitive: lif.Lif, lanes: int, seed: int) -> None:
    component = Lif(primitive, lanes=min(lanes, primitive.size))
    compare_with_golden(component, seed=seed, frames=2, steps=5)


def test_widest() -> None:
    fmt = QFormat(width=32)
    primitive = neurons(
        3,
        input=fmt,
        membrane=fmt,
        leak_frac=24,
        adaptation=fmt,
        adaptation_leak="leak",
        adaptation_step="step",
        voltage="before",
        leak_after_input=True,
    )
    compare_with_golden(Lif(primitive, lanes=2), seed=3, steps=8)


@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (3, 1), (2, 2), (4, 2)])
def test_fewer_tiles_than_stages(size: int, lanes: int) -> None:
    """A step may enter only when the one before has left, stalls or not."""
    primitive = neurons(size, voltage="after")
    for seed in (2, 3):
        compare_with_golden(
            Lif(primitive, lanes=lanes), seed=seed, steps=20, tensors=lively(primitive, seed)
        )
    compare_with_golden(
        Lif(primitive, lanes=lanes), seed=4, steps=20, stalls=False, tensors=lively(primitive, 4)
    )


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_parameters_read_back(lanes: int) -> None:
    primitive = neurons(5, per_neuron=True, reset="value", reset_tensor="reset")
    tensors = random_tensors(np.random.default_rng(0), primitive)
    codes = {f"host_{k}": tensors[n].tolist() for k, n in enumerate(primitive.tensors())}
    for port, wanted in codes.items():
        assert read_back(Lif(primitive, lanes=lanes), port, 5, tensors=codes) == wanted


def test_shared_parameters_read_back() -> None:
    codes = {"host_0": [77], "host_1": [-200]}
    component = Lif(neurons(5), lanes=2)
    assert read_back(component, "host_0", 1, tensors=codes) == [77]
    assert read_back(component, "host_1", 1, tensors=codes) == [-200]
