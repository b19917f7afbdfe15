# SPDX-License-Identifier: Apache-2.0
"""Every option of the neuron against seven steps in plain Python."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from bench.codes import golden_run, random_inputs, random_tensors
from bench.lifs import lifs
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.lif import Lif


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


class Neuron:
    """One neuron, as the architecture numbers its steps."""

    def __init__(self, p: Lif, values: dict[str, int]):
        self.p = p
        self.values = values
        self.v = self.a = self.wait = 0
        self.pending = False

    def clip(self, v: int, fmt: QFormat) -> int:
        return max(fmt.lo, min(fmt.hi, v))

    def reset(self, v: int) -> int:
        if self.p.reset == "none":
            return v
        amount = self.values[self.p.reset_tensor or self.p.threshold]
        return amount if self.p.reset == "value" else self.clip(v - amount, self.p.membrane)

    def leaked(self, v: int, name: str) -> int:
        return v - half_up(Fraction(self.values[name], 2**self.p.leak_frac) * v)

    def step(self, i: int) -> tuple[int, int, int]:
        """Spike, voltage before the reset, voltage after it."""
        p = self.p
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
            self.a = self.clip(self.leaked(self.a, str(p.adaptation_leak)) + step, p.adaptation)
        return int(fires), before, self.v


@settings(max_examples=400)
@given(lifs(), st.integers(0, 2**32))
def test_seven_steps(primitive: Lif, seed: int) -> None:
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


GOOD: dict[str, Any] = {
    "size": 1,
    "input": QFormat(width=8, frac=4),
    "membrane": QFormat(width=12, frac=4),
    "leak": "l",
    "threshold": "t",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"membrane": QFormat(width=40, frac=4)},
            "Lif membrane width must be between 2 and 32, not 40",
        ),
        ({"leak_frac": 30}, "Lif leak fraction must be between 1 and 24, not 30"),
        (
            {"membrane": QFormat(width=12, frac=4, signed=False)},
            "Lif membrane must be signed, not u12.4",
        ),
        (
            {"input": QFormat(width=8, frac=5)},
            (
                "Lif input must have the membrane's 4 fraction bits and at most 32 bits, "
                "not s8.5: put a Requantize before it"
            ),
        ),
        (
            {"reset": "zero"},
            "Lif reset must be 'subtract' or 'value' or 'none', not 'zero'",
        ),
        (
            {"refractory_input": "hold"},
            "Lif refractory input must be 'drop' or 'keep', not 'hold'",
        ),
        ({"voltage": "v"}, "Lif voltage must be 'none' or 'before' or 'after', not 'v'"),
        ({"refractory": 256}, "Lif refractory must be between 0 and 255, not 256"),
        ({"refractory": -1}, "Lif refractory must be between 0 and 255, not -1"),
        ({"reset": "value"}, "Lif that resets to a value must name its reset_tensor"),
        (
            {"reset": "none", "reset_next": True},
            "Lif without reset cannot reset in the next step: drop reset_next",
        ),
        ({"lower": -2049}, "Lif lower clamp must be between -2048 and 2047, not -2049"),
        (
            {"adaptation_leak": "a"},
            "Lif with adaptation tensors must state the format of adaptation",
        ),
        (
            {"adaptation": QFormat(width=8, frac=4), "adaptation_leak": "a"},
            "Lif with adaptation must name adaptation_leak and adaptation_step",
        ),
        (
            {
                "adaptation": QFormat(width=8, frac=3),
                "adaptation_leak": "a",
                "adaptation_step": "s",
            },
            "Lif adaptation must have the membrane's 4 fraction bits and at most 32 bits, not s8.3",
        ),
        (
            {"threshold": "l"},
            "Lif tensor l must have one shape and format, not (1,) of u17.16 and (1,) of s12.4",
        ),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        Lif(**{**GOOD, **change})
    assert str(caught.value) == message


def test_state_is_what_the_options_need() -> None:
    plain = Lif(**GOOD)
    assert set(plain.init_state(2)) == {"v"}
    full = Lif(
        **GOOD,
        reset_next=True,
        refractory=3,
        adaptation=QFormat(width=8, frac=4),
        adaptation_leak="l",
        adaptation_step="t",
    )
    assert set(full.init_state(2)) == {"v", "pending", "refractory", "a"}
    assert all(array.shape == (2, 1) for array in full.init_state(2).values())
