# SPDX-License-Identifier: Apache-2.0
"""Integer neurons against formulas and floating point, with stated bounds.

With a constant drive ``J`` (in thresholds) a discrete LIF neuron is, n steps after a reset to 0, at
``v[n] = J θ (1 - (1 - λ)^n)``. It fires in the first step with ``v >= θ``, so every
``n* + refractory`` steps, ``n* = ceil(ln(1 - 1/J) / ln(1 - λ))``. With ``λ = 1 - exp(-dt/τ)`` that
is the period ``1/G(J) = τ_ref - τ ln(1 - 1/J)`` of the continuous neuron, in whole steps.
"""

import math

import numpy as np
import pytest
from bench.codes import golden_run
from hypothesis import assume, given
from hypothesis import strategies as st

from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import leak_format
from spikewright.sim.lif import Lif

DT, TAU = 1e-3, 20e-3
FRAC = 20
LEAK_FRAC = 24
MEMBRANE = QFormat(width=26, frac=FRAC)
THETA = 1 << FRAC


def neurons(size: int, **options: object) -> Lif:
    return Lif(
        size=size,
        input=MEMBRANE,
        membrane=MEMBRANE,
        leak="leak",
        threshold="threshold",
        leak_frac=LEAK_FRAC,
        **options,
    )


def leak_code(tau: float) -> int:
    return int(leak_format(LEAK_FRAC).encode(1 - math.exp(-DT / tau)))


def spikes_of(currents: np.ndarray, tau: float, **options: object) -> np.ndarray:
    """Spikes of (steps, size) current codes."""
    primitive = neurons(currents.shape[1], **options)
    tensors = {"leak": np.array([leak_code(tau)]), "threshold": np.array([THETA])}
    tensors |= {"zero": np.array([0])} if "zero" in primitive.tensors() else {}
    return golden_run(primitive, tensors, [currents[None]])[0][0]


@given(
    st.floats(1.01, 20.0),
    st.sampled_from([2e-3, 5e-3, TAU, 100e-3]),
    st.integers(0, 5),
)
def test_the_period_is_the_closed_form(drive: float, tau: float, refractory: int) -> None:
    leak = leak_code(tau) / 2**LEAK_FRAC
    current = round(drive * leak * THETA)
    drive = current / (leak * THETA)
    wanted = math.log(1 - 1 / drive) / math.log(1 - leak)
    steps = math.ceil(wanted)
    # Rounding moves the voltage by at most half an LSB a step, so 1/(2 λ) in all; nearer than that
    # to the threshold the formula cannot say which step comes first.
    slack = 0.5 / leak + 1
    for n in (steps - 1, steps):
        assume(abs(drive * THETA * (1 - (1 - leak) ** n) - THETA) > slack)
    period = steps + refractory
    currents = np.full((3 * period + 1, 1), current)
    options = {"reset": "value", "reset_tensor": "zero", "refractory": refractory}
    fired = np.flatnonzero(spikes_of(currents, tau, **options)) + 1
    assert fired.tolist()[:3] == [steps, steps + period, steps + 2 * period]


@pytest.mark.parametrize("drive", [1.1, 1.5, 2.0, 3.7, 10.0])
@pytest.mark.parametrize("refractory", [0, 2])
def test_the_rate_curve_is_that_of_the_continuous_neuron(drive: float, refractory: int) -> None:
    """``1/G(J)`` lies within one step below the discrete period."""
    currents = np.full((4000, 1), round(drive * leak_code(TAU) / 2**LEAK_FRAC * THETA))
    options = {"reset": "value", "reset_tensor": "zero", "refractory": refractory}
    fired = np.flatnonzero(spikes_of(currents, TAU, **options))
    period = np.diff(fired).mean() * DT
    continuous = refractory * DT - TAU * math.log(1 - 1 / drive)
    assert continuous - 1e-6 < period < continuous + DT + 1e-6


def test_below_the_threshold_it_never_fires() -> None:
    current = math.floor(0.999 * leak_code(TAU) / 2**LEAK_FRAC * THETA)
    assert not spikes_of(np.full((2000, 1), current), TAU).any()


@pytest.mark.parametrize("after_input", [False, True])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tau", [2e-3, TAU, 200e-3])
def test_the_voltage_stays_within_the_bound(tau: float, seed: int, after_input: bool) -> None:
    """Without spikes ``|v - v_float| <= 1/(2 λ)`` LSB: a step rounds once and forgets λ of it."""
    primitive = neurons(50, leak_after_input=after_input, voltage="after", reset="none")
    code = leak_code(tau)
    tensors = {"leak": np.array([code]), "threshold": np.array([MEMBRANE.hi])}
    currents = np.random.default_rng(seed).integers(-40_000, 40_000, (1, 3000, 50))
    _, voltages = golden_run(primitive, tensors, [currents])
    leak = code / 2**LEAK_FRAC
    v = np.zeros(50)
    worst = 0.0
    for t in range(3000):
        i = currents[0, t]
        v = (v + i) * (1 - leak) if after_input else v * (1 - leak) + i
        worst = max(worst, float(np.abs(voltages[0, t] - v).max()))
    assert worst <= 0.5 / leak
    assert worst > 0


@pytest.mark.parametrize("reset", ["subtract", "value"])
@pytest.mark.parametrize("seed", range(3))
def test_spike_counts_of_floating_point(seed: int, reset: str) -> None:
    """On random currents integer and float neurons differ by at most one spike in 2000 steps."""
    rng = np.random.default_rng(seed)
    drive = rng.uniform(0, 4, 200) + rng.normal(0, 2, (2000, 200))
    leak = leak_code(TAU) / 2**LEAK_FRAC
    currents = np.round(drive * leak * THETA).astype(np.int64)
    options = {"reset": reset, "reset_tensor": "zero" if reset == "value" else None}
    counts = spikes_of(currents, TAU, **options).sum(0)
    v, expected = np.zeros(200), np.zeros(200, np.int64)
    for row in drive:
        v = v * (1 - leak) + leak * row
        fired = v >= 1
        v = np.where(fired, v - 1 if reset == "subtract" else 0, v)
        expected += fired
    assert expected.sum() > 2000
    assert np.abs(counts - expected).max() <= 1
    assert (counts == expected).mean() > 0.95
