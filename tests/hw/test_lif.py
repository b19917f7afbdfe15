# SPDX-License-Identifier: Apache-2.0
"""Gateware neurons equal the golden ones, over the whole set of options."""

from typing import Any

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator
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
    ranges = {
        "leak": (2, 12),
        "synapse": (10, 40),
        "threshold": (20, 60),
        "reset": (-10, 10),
        "step": (1, 30),
    }
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
    "adaptive by shifts": {
        "adaptation": QFormat(width=8, frac=2),
        "adaptation_leak": (3,),
        "adaptation_step": "step",
        "leak": (2, 4),
    },
    "a shift": {"leak": (3,)},
    "shifts": {"leak": (2, 3, 6), "leak_after_input": True},
    "no leak": {"leak": (), "voltage": "before"},
    "synapse": {"synapse": QFormat(width=8, frac=2), "synapse_leak": "synapse"},
    "synapse by shifts": {
        "synapse": QFormat(width=8, frac=2),
        "synapse_leak": (1, 3),
        "leak": (3,),
        "voltage": "after",
    },
    "alpha": {
        "synapse": QFormat(width=9, frac=2),
        "synapse_leak": "synapse",
        "synapse_order": 2,
        "per_neuron": True,
    },
    "two poles": {
        "synapse": QFormat(width=10, frac=2),
        "synapse_leak": "synapse",
        "synapse_leak_2": (1,),
        "synapse_order": 2,
        "refractory": 2,
        "refractory_input": "keep",
    },
    "everything": {
        "synapse": QFormat(width=8, frac=2),
        "synapse_leak": "synapse",
        "synapse_leak_2": (2,),
        "synapse_order": 2,
        "per_neuron": True,
        "reset_next": True,
        "reset_tensor": "reset",
        "strict": True,
        "refractory": 2,
        "lower": -20,
        "adaptation": QFormat(width=8, frac=2),
        "adaptation_leak": "leak",
        "adaptation_step": "step",
        "voltage": "before",
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


@pytest.mark.parametrize("leak", ["leak", (1, 5, 24)])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", [32, 19])
def test_widest(width: int, signed: bool, leak: str | tuple[int, ...]) -> None:
    fmt = QFormat(width=width)
    primitive = neurons(
        3,
        leak=leak,
        synapse=fmt,
        synapse_leak="leak",
        input=fmt,
        membrane=fmt,
        leak_frac=24,
        adaptation=QFormat(width=width, signed=signed),
        adaptation_leak="leak",
        adaptation_step="step",
        voltage="before",
        leak_after_input=True,
    )
    compare_with_golden(Lif(primitive, lanes=2), seed=3, steps=8)


@pytest.mark.parametrize(
    ("size", "lanes"), [(1, 1), (3, 1), (2, 2), (4, 2), (9, 1), (10, 1), (11, 1), (12, 1), (26, 2)]
)
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


def beats_until(primitive: lif.Lif, lanes: int, vectors: int) -> int:
    """Cycles in which so many vectors of silent neurons enter, one after the other."""
    component = Lif(primitive, lanes=lanes)
    stream, cycles = component.i_i, 0

    async def bench(ctx: Any) -> None:
        nonlocal cycles
        beats, tiles = 0, -(-primitive.size // lanes)
        for name in primitive.ports().outputs:
            ctx.set(component.output(name).ready, 1)
        ctx.set(stream.valid, 1)
        while beats < vectors * tiles:
            ctx.set(stream.payload.last, (beats + 1) % tiles == 0)
            _, _, ready = await ctx.tick().sample(stream.ready)
            beats += ready
            cycles += 1

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    # Thresholds are 0 after a reset: only a strict neuron at rest is silent.
    simulator.run()
    return cycles


@pytest.mark.parametrize("voltage", ["none", "after"])
@pytest.mark.parametrize("name", ["plain", "a shift", "two poles", "everything"])
def test_a_beat_a_cycle(name: str, voltage: str) -> None:
    """Many tiles: nothing ever waits."""
    primitive = neurons(60, **{**OPTIONS[name], "strict": True, "voltage": voltage})
    assert beats_until(primitive, 2, 8) == 8 * 30


@pytest.mark.parametrize(("name", "stages"), [("plain", 11), ("a shift", 9)])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_few_tiles_once_through_the_pipeline(size: int, name: str, stages: int) -> None:
    primitive = neurons(size, **{**OPTIONS[name], "strict": True})
    assert beats_until(primitive, 1, 21) == 20 * stages + size


def test_shifts_take_no_multiplier() -> None:
    options = {**OPTIONS["synapse by shifts"], **OPTIONS["adaptive by shifts"]}
    text = rtlil.convert(Lif(neurons(4, **options), lanes=2), platform=None)
    assert "cell $mul" not in text
    text = rtlil.convert(Lif(neurons(4), lanes=2), platform=None)
    assert text.count("cell $mul") == 2
