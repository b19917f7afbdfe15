# SPDX-License-Identifier: Apache-2.0
"""Every option of the neuron against its numbered steps in plain Python."""

import dataclasses
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from bench.codes import golden_run, random_inputs, random_tensors
from bench.lifs import lifs
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import LeakForm, Leaky, leak_codes
from spikewright.sim.lif import Lif


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


class Neuron:
    """One neuron, as the architecture numbers its steps."""

    def __init__(self, p: Lif, values: dict[str, int]):
        self.p = p
        self.values = values
        self.v = self.a = self.wait = self.s1 = self.s2 = 0
        self.pending = False

    def clip(self, v: int, fmt: QFormat) -> int:
        return max(fmt.lo, min(fmt.hi, v))

    def reset(self, v: int) -> int:
        if self.p.reset == "none":
            return v
        amount = self.values[self.p.reset_tensor or self.p.threshold]
        return amount if self.p.reset == "value" else self.clip(v - amount, self.p.membrane)

    def leaked(self, v: int, form: LeakForm) -> int:
        if isinstance(form, str):
            return v - half_up(Fraction(self.values[form], 2**self.p.leak_frac) * v)
        return v - half_up(sum((Fraction(v, 2**shift) for shift in form), Fraction(0)))

    def synapse(self, i: int) -> int:
        p = self.p
        if p.synapse is None:
            return i
        self.s1 = self.clip(self.leaked(self.s1, p.synapse_leak) + i, p.synapse)
        if p.synapse_order == 1:
            return self.s1
        second = p.synapse_leak if p.synapse_leak_2 is None else p.synapse_leak_2
        self.s2 = self.clip(self.leaked(self.s2, second) + self.s1, p.synapse)
        return self.s2

    def step(self, i: int) -> tuple[int, int, int]:
        """Spike, voltage before the reset, voltage after it."""
        p = self.p
        i = self.synapse(i)  # 0
        if p.reset_next and self.pending:  # 1
            self.v = self.reset(self.v)
        waiting = self.wait > 0
        if waiting:  # 2
            self.v += i if p.refractory_input == "keep" else 0
            self.wait -= 1
        elif p.leak_after_input:  # 3
            self.v = self.leaked(self.v + i, p.leak)
        else:
            self.v = self.leaked(self.v, p.leak) + i
        self.v = self.clip(self.v, p.membrane)  # 4
        if p.lower is not None:
            self.v = max(self.v, p.lower)
        limit = self.values[p.threshold] + self.a  # 5
        fires = not waiting and (self.v > limit if p.strict else self.v >= limit)
        before = self.v
        if fires and not p.reset_next:  # 6
            self.v = self.reset(self.v)
        self.pending = fires
        if fires:
            self.wait = p.refractory
        if p.adaptation is not None:  # 7
            step = self.values[str(p.adaptation_step)] if fires else 0
            self.a = self.clip(self.leaked(self.a, p.adaptation_leak) + step, p.adaptation)
        return int(fires), before, self.v


@settings(max_examples=400)
@given(lifs(), st.integers(0, 2**32))
def test_numbered_steps(primitive: Lif, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tensors = random_tensors(rng, primitive)
    (currents,) = random_inputs(rng, primitive, 2, 8)
    spikes, *voltages = golden_run(primitive, tensors, [currents])
    for frame in range(2):
        for k in range(primitive.size):
            neuron = Neuron(
                primitive,
                {n: int(np.broadcast_to(x, primitive.size)[k]) for n, x in tensors.items()},
            )
            for t in range(8):
                fires, before, after = neuron.step(int(currents[frame, t, k]))
                assert spikes[frame, t, k] == fires
                for voltage in voltages:
                    shown = before if primitive.voltage == "before" else after
                    assert voltage[frame, t, k] == shown


def one(currents: list[int], tensors: dict[str, int], **options: Any) -> tuple[list[int], ...]:
    """Outputs of a single neuron without leak."""
    primitive = Lif(
        size=1,
        input=QFormat(width=8),
        membrane=QFormat(width=10),
        leak="leak",
        threshold="threshold",
        **options,
    )
    codes = {name: np.array([tensors.get(name, 0)]) for name in primitive.tensors()}
    outputs = golden_run(primitive, codes, [np.array(currents).reshape(1, -1, 1)])
    return tuple(output.ravel().tolist() for output in outputs)


def test_reset_by_subtraction_keeps_the_rest() -> None:
    spikes, v = one([7, 7, 7, 7], {"threshold": 10}, voltage="after")
    assert (spikes, v) == ([0, 1, 1, 0], [7, 4, 1, 8])


def test_reset_to_a_value() -> None:
    spikes, v = one(
        [7, 7, 7], {"threshold": 10, "r": -3}, reset="value", reset_tensor="r", voltage="after"
    )
    assert (spikes, v) == ([0, 1, 0], [7, -3, 4])


def test_no_reset_fires_on() -> None:
    assert one([10, 0, 0], {"threshold": 10}, reset="none") == ([1, 1, 1],)


def test_strict_needs_more_than_the_threshold() -> None:
    assert one([10, 1], {"threshold": 10}) == ([1, 0],)
    assert one([10, 1], {"threshold": 10}, strict=True) == ([0, 1],)


def test_reset_in_the_next_step_shows_the_voltage_that_fired() -> None:
    spikes, v = one([12, 1, 1], {"threshold": 10}, reset_next=True, voltage="after")
    assert (spikes, v) == ([1, 0, 0], [12, 3, 4])


@pytest.mark.parametrize(
    ("kept", "spikes", "v"),
    [
        ("drop", [1, 0, 0, 0, 1], [0, 0, 0, 9, 8]),
        ("keep", [1, 0, 0, 1, 0], [0, 9, 18, 17, 26]),
    ],
)
def test_refractory_steps(kept: str, spikes: list[int], v: list[int]) -> None:
    got = one(
        [10, 9, 9, 9, 9],
        {"threshold": 10},
        refractory=2,
        refractory_input=kept,
        voltage="after",
    )
    assert got == (spikes, v)


def test_lower_clamp() -> None:
    assert one([-20, 5], {"threshold": 100}, lower=-4, voltage="before")[1] == [-4, 1]


def test_adaptation_raises_the_threshold_of_the_next_step() -> None:
    spikes, v = one(
        [10, 10, 10, 10],
        {"threshold": 10, "step": 5},
        adaptation=QFormat(width=8),
        adaptation_leak="leak",
        adaptation_step="step",
        reset="value",
        reset_tensor="r",
        voltage="before",
    )
    assert (spikes, v) == ([1, 0, 1, 0], [10, 10, 20, 10])


def test_a_synapse_smears_a_spike_out() -> None:
    fields = {"synapse": QFormat(width=10), "synapse_leak": (1,), "voltage": "after"}
    tensors = {"threshold": 500}
    assert one([64, 0, 0, 0], tensors, **fields)[1] == [64, 96, 112, 120]
    assert one([64, 0, 0, 0], tensors, synapse_order=2, **fields)[1] == [64, 128, 176, 208]
    # The second stage forgets at once: then it is the first alone.
    forgetful = {"synapse_order": 2, "synapse_leak_2": "one", **fields}
    assert one([64, 0, 0], {**tensors, "one": 1 << 16}, **forgetful)[1] == [64, 96, 112]


@settings(max_examples=150)
@given(lifs(), st.integers(0, 2**32))
def test_a_synapse_is_leaky_nodes_before_the_neurons(primitive: Lif, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tensors = random_tensors(rng, primitive)
    (currents,) = random_inputs(rng, primitive, 2, 8)
    bare = dataclasses.replace(
        primitive, synapse=None, synapse_leak=None, synapse_leak_2=None, synapse_order=1
    )
    want = golden_run(primitive, tensors, [currents])
    for form, fmt in primitive.synapses.values():
        pole = Leaky(
            size=primitive.size,
            input=bare.input,
            membrane=fmt,
            leak=form,
            leak_frac=primitive.leak_frac,
            per_neuron=primitive.per_neuron,
        )
        (currents,) = golden_run(pole, tensors, [currents])
        bare = dataclasses.replace(bare, input=fmt)
    for got, wanted in zip(golden_run(bare, tensors, [currents]), want, strict=True):
        np.testing.assert_array_equal(got, wanted)


@settings(max_examples=150)
@given(lifs(), st.integers(0, 2**32))
def test_shifts_and_the_code_they_add_up_to_are_the_same(primitive: Lif, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (currents,) = random_inputs(rng, primitive, 2, 8)
    loadable, tensors = primitive, random_tensors(rng, primitive)
    for field in ("leak", "adaptation_leak", "synapse_leak", "synapse_leak_2"):
        form = getattr(primitive, field)
        if isinstance(form, tuple):
            loadable = dataclasses.replace(loadable, **{field: f"own {field}"})
            shape = (primitive.size if primitive.per_neuron else 1,)
            code = np.broadcast_to(leak_codes(form, {}, primitive.leak_frac), shape)
            tensors[f"own {field}"] = code.copy()
    got = golden_run(loadable, tensors, [currents])
    for a, b in zip(golden_run(primitive, tensors, [currents]), got, strict=True):
        np.testing.assert_array_equal(a, b)
