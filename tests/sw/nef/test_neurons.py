# SPDX-License-Identifier: Apache-2.0
"""Rate curves in closed form, and integer neurons against them."""

import math
from typing import Any

import numpy as np
import pytest

from spikewright.nef import LIF, Ensemble, Network, Precision, SpikingRectifiedLinear
from spikewright.nef.connection import Probe
from spikewright.nef.decoders.curves import response, tuning_curves
from spikewright.nef.lowering.compiler import compile_network
from spikewright.nef.neurons import gain_bias, most_rate
from spikewright.sim.errors import ProgramError


@pytest.mark.parametrize(
    ("current", "rate"),
    [(0.5, 0.0), (1.0, 0.0), (1.1, 20.0169), (1.5, 41.7153), (2.0, 63.0404), (5.0, 154.7148)],
)
def test_rates_of_the_closed_form(current: float, rate: float) -> None:
    """``G(J) = 1 / (tau_ref - tau_rc ln(1 - 1/J))``, by hand."""
    assert LIF().rates(current) == pytest.approx(rate, rel=1e-4, abs=1e-9)


def test_rates_saturate_at_the_refractory_period() -> None:
    assert LIF(tau_ref=0.004).rates(1e9) == pytest.approx(250, rel=1e-6)


@pytest.mark.parametrize("neuron", [LIF(), LIF(tau_rc=0.05, tau_ref=0), SpikingRectifiedLinear()])
def test_currents_undo_rates(neuron: Any) -> None:
    rates = np.array([5.0, 10, 100, 300])
    assert neuron.rates(neuron.currents(rates)) == pytest.approx(rates, rel=1e-9)


@pytest.mark.parametrize("neuron", [LIF(), SpikingRectifiedLinear()])
def test_gain_and_bias(neuron: Any) -> None:
    """Onset at the intercept, maximum rate at 1."""
    rng = np.random.default_rng(0)
    highest, intercepts = rng.uniform(50, 300, 40), rng.uniform(-1, 0.95, 40)
    gain, bias = gain_bias(neuron, highest, intercepts)
    assert neuron.rates(gain + bias) == pytest.approx(highest, rel=1e-9)
    assert neuron.rates(gain * (intercepts - 1e-6) + bias) == pytest.approx(0)
    assert (neuron.rates(gain * (intercepts + 1e-3) + bias) > 0).all()


def test_most_rate_is_that_of_whole_steps() -> None:
    assert most_rate(LIF(), 1e-3) == pytest.approx(1000 / 3)
    assert most_rate(LIF(), 2e-3) == pytest.approx(250)
    assert most_rate(SpikingRectifiedLinear(), 1e-3) == pytest.approx(1000)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"tau_rc": 0}, r"^tau_rc must be positive and finite, not 0 s$"),
        ({"tau_rc": "0.02"}, r"^tau_rc must be positive and finite, not '0.02' s$"),
        ({"tau_rc": math.nan}, r"^tau_rc must be positive and finite, not nan s$"),
        ({"tau_ref": -1e-3}, r"^tau_ref must be at least 0 and finite, not -0.001 s$"),
        ({"reset": "none"}, r"^Reset must be subtract or zero, not 'none'$"),
    ],
)
def test_refused(wrong: Any, sentence: str) -> None:
    with pytest.raises(ProgramError, match=sentence):
        LIF(**wrong)


@pytest.mark.parametrize("reset", [1, "value", ["zero"]])
def test_rectified_linear_refuses_an_unknown_reset(reset: Any) -> None:
    with pytest.raises(ProgramError, match=r"^Reset must be subtract or zero, not ") as e:
        SpikingRectifiedLinear(reset=reset)
    assert str(e.value) == f"Reset must be subtract or zero, not {reset!r}"


def errors_of_curves(neuron: Any, membrane: int, *, dt: float = 1e-3) -> tuple[float, float]:
    """Largest and RMS error in Hz of 200 neurons' measured curves against ``G``.

    Their maximum rates are 100 to 200 Hz.
    """
    with Network(seed=3) as model:
        a = Ensemble(200, 1, neuron_type=neuron)
        Probe(a)
    precision = Precision(membrane=membrane)
    population = compile_network(model, dt=dt, precision=precision).populations[a]
    points = np.linspace(-1, 1, 101)[:, None]
    drawn = population.draw
    wanted = neuron.rates(drawn.gain * (points @ drawn.encoders.T) + drawn.bias)
    error = tuning_curves(population, points) - wanted
    return float(np.abs(error).max()), float(np.sqrt(np.mean(error**2)))


@pytest.mark.parametrize(
    ("neuron", "membrane", "dt", "most", "rms"),
    [
        (LIF(), 12, 1e-3, 13, 1.5),
        (LIF(), 16, 1e-3, 5.1, 1.25),
        (LIF(), 18, 1e-3, 5.1, 1.25),
        (LIF(reset="zero"), 12, 1e-3, 34, 5),
        (LIF(reset="zero"), 16, 1e-3, 34, 5),
        (LIF(reset="zero"), 18, 1e-3, 34, 5),
        (SpikingRectifiedLinear(), 18, 1e-3, 0.5, 0.02),
        (SpikingRectifiedLinear(reset="zero"), 18, 1e-3, 34, 4.2),
        (LIF(), 18, 2.5e-4, 7.5, 0.32),
        (LIF(reset="zero"), 18, 2.5e-4, 10, 1.4),
    ],
)
def test_integer_curves_are_near_the_closed_form(
    neuron: Any, membrane: int, dt: float, most: float, rms: float
) -> None:
    found = errors_of_curves(neuron, membrane, dt=dt)
    assert found[0] <= most
    assert found[1] <= rms


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("reset", "bits", "rms", "apart"),
    [
        ("subtract", 12, 1.0, 0.25),
        ("subtract", 16, 0.15, 0.01),
        ("subtract", 18, 0.12, 0.01),
        ("zero", 12, 2.6, 0.08),
        ("zero", 16, 1.0, 0.04),
        ("zero", 18, 1.0, 0.04),
    ],
)
def test_integer_curves_against_brian(reset: str, bits: int, rms: float, apart: float) -> None:
    """The same equations and steps: RMS in Hz, and the share of currents over 0.6 Hz apart.

    Neurons that return to zero fire every whole number of steps: a current beside a jump of the
    rate may land on its other side.
    """
    brian2 = pytest.importorskip("brian2", reason="Brian2 is not installed: pip install brian2")
    neuron = LIF(reset=reset)
    with Network(seed=3) as model:
        a = Ensemble(20, 1, neuron_type=neuron, max_rates=200.0, intercepts=-1.0)
        Probe(a)
    compiled = compile_network(model, dt=1e-3, precision=Precision(membrane=bits))
    population = compiled.populations[a]
    j = np.linspace(0, 0.999 * neuron.currents(200.0), 300)
    codes = np.round(j * population.drive * 2.0**population.membrane.frac)
    currents, rates = response(neuron, dt=1e-3, membrane=population.membrane, most=int(codes.max()))
    theirs = brian_rates(brian2, j, reset, dt_ms=1.0, refractory_ms=3.0, seconds=4.0)
    error = np.interp(codes, currents, rates) - theirs
    assert np.sqrt(np.mean(error**2)) <= rms
    assert (np.abs(error) > 0.6).mean() <= apart


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_closed_form_against_brian_in_short_steps(reset: str) -> None:
    """Periods are less than a step of 0.05 ms apart."""
    brian2 = pytest.importorskip("brian2", reason="Brian2 is not installed: pip install brian2")
    j = np.linspace(1.2, 9, 30)
    theirs = brian_rates(brian2, j, reset, dt_ms=0.05, refractory_ms=2.0, seconds=0.5)
    assert np.abs(1 / theirs - 1 / LIF().rates(j)).max() < 5e-5


def brian_rates(
    brian2: Any, j: Any, reset: str, *, dt_ms: float, refractory_ms: float, seconds: float
) -> Any:
    """Rates in Hz at constant currents, from first to last spike."""
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()
    ms = brian2.ms
    # Brian2 counts the refractory period from the spike's own step, ours from the next.
    group = brian2.NeuronGroup(
        len(j),
        "dv/dt = (j - v) / tau : 1 (unless refractory)\nj : 1 (constant)",
        threshold="v >= 1",
        reset="v = 0" if reset == "zero" else "v -= 1",
        refractory=refractory_ms * ms,
        method="exact",
        dt=dt_ms * ms,
        namespace={"tau": 20 * ms},
    )
    group.j = j
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, monitor).run(seconds * brian2.second)
    trains = [np.asarray(t / brian2.second) for t in monitor.spike_trains().values()]
    return np.array([(len(t) - 1) / (t[-1] - t[0]) if len(t) > 1 else 0.0 for t in trains])
