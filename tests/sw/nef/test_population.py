# SPDX-License-Identifier: Apache-2.0
"""What ensembles draw, and their integer neurons beside the same ones in floating point."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from nef_models import joined, player, recorded, simulated, white_noise

from spikewright import nef
from spikewright.nef.lowering.population import Population
from spikewright.sim import golden
from spikewright.sim.errors import FormatError, SpikewrightWarning


def population_of(n: int = 50, dimensions: int = 1, *, dt: float = 1e-3, **options: Any) -> Any:
    """An ensemble as it is built, its label ``e``."""
    with nef.Network(seed=4) as model:
        e = nef.Ensemble(n, dimensions, label="e", **options)
        nef.Probe(e)
    return nef.Simulator(model, dt).compiled.populations[e]


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_encoders_are_even_on_the_sphere(dimensions: int) -> None:
    encoders = population_of(2000, dimensions).draw.encoders
    assert np.linalg.norm(encoders, axis=1) == pytest.approx(1)
    # A mean of n directions has the standard deviation 1 / sqrt(n d) in each of d dimensions.
    assert np.abs(encoders.mean(axis=0)).max() < 4 / math.sqrt(2000 * dimensions)
    assert encoders.T @ encoders / 2000 == pytest.approx(np.eye(dimensions) / dimensions, abs=0.04)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_evaluation_points_fill_the_ball(dimensions: int) -> None:
    points = population_of(20, dimensions, n_eval_points=4000).draw.eval_points
    lengths = np.linalg.norm(points, axis=1)
    assert lengths.max() <= 1
    # Of an even ball, the share within half the radius is 2^-d.
    assert (lengths < 0.5).mean() == pytest.approx(0.5**dimensions, abs=0.03)


def test_given_encoders_are_brought_to_length_1() -> None:
    given = np.array([[3.0, 4.0], [0.0, -2.0]])
    draw = population_of(2, 2, encoders=given).draw
    assert draw.encoders.tolist() == [[0.6, 0.8], [0.0, -1.0]]


@pytest.mark.parametrize("radius", [1.0, 0.1, 8.0])
def test_rates_are_the_highest_at_the_radius_and_zero_at_the_intercept(radius: float) -> None:
    p = population_of(
        radius=radius, max_rates=nef.Uniform(80, 150), intercepts=nef.Uniform(-0.5, 0.6)
    )
    d = p.draw
    assert (d.max_rates.min(), d.max_rates.max()) == pytest.approx((80, 150), abs=5)
    assert (d.intercepts.min(), d.intercepts.max()) == pytest.approx((-0.5, 0.6), abs=0.1)
    for at, wanted in ((1.0, d.max_rates), (d.intercepts - 1e-6, np.zeros(50))):
        current = d.gain * at + d.bias
        assert nef.LIF().rates(current) == pytest.approx(wanted, rel=1e-6)
    # As integers too: encoders have 16 bits, values an LSB of radius 2^-14.
    codes = p.currents(radius * d.encoders * np.ones((50, 1)))[np.arange(50), np.arange(50)]
    exact = p.drive * (d.gain + d.bias)
    bound = p.drive * d.gain * 2**-13 + exact.max() * 2**-14 + p.current.lsb
    assert (np.abs(codes * p.current.lsb - exact) <= bound).all()


def test_gain_and_bias_that_are_given() -> None:
    draw = population_of(3, gain=[2.0, 1.0, 4.0], bias=[1.0, 2.0, -1.0]).draw
    assert draw.gain.tolist() == [2, 1, 4]
    assert draw.bias.tolist() == [1, 2, -1]
    assert draw.intercepts.tolist() == [0, -1, 0.5]
    assert draw.max_rates == pytest.approx(nef.LIF().rates([3.0, 3.0, 3.0]))


def test_an_ensemble_s_own_seed_decides_and_the_network_s_does_not() -> None:
    def gains(network_seed: int, seed: int | None) -> Any:
        with nef.Network(seed=network_seed) as model:
            e = nef.Ensemble(10, 1, seed=seed)
            nef.Probe(e)
        return nef.Simulator(model).data[e].gain.tolist()

    assert gains(0, 0) == gains(1, 0)
    assert gains(0, 0) != gains(0, 1)
    assert gains(0, None) != gains(1, None)
    assert gains(2, None) == gains(2, None)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_integer_neurons_beside_floating_point(reset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same currents, voltages stay within 1e-3 until rounding moves a spike."""
    with nef.Network(seed=2) as model:
        a = nef.Ensemble(40, 2, neuron_type=nef.LIF(reset=reset), label="a")
        nef.Connection(player(white_noise(0.2, dimensions=2)), a, synapse=None)
        nef.Probe(a.neurons, "voltage")
    with nef.Simulator(model, precision=nef.Precision(membrane=24)) as sim:
        given = recorded(sim, monkeypatch)
        sim.run_steps(200)
    streams = golden.run(sim.program, joined(given))
    p = sim.compiled.populations[a]
    drive = streams["a_current.y"][0] * p.current.lsb
    spikes, voltages = streams["a.spike"][0], streams["a.v"][0] * p.membrane.lsb
    v, waiting, differ = np.zeros(40), np.zeros(40), 0
    for step in range(200):
        moved = np.maximum(v * math.exp(-1e-3 / 0.02) + drive[step], 0)
        v = np.where(waiting > 0, v, moved)
        waiting = np.maximum(waiting - 1, 0)
        fired = v >= 1
        assert (np.abs(v - 1)[fired != spikes[step]] < 1e-3).all()
        differ += int((fired != spikes[step]).sum())
        # Where rounding decided, floating point goes on as the integers did.
        v = np.where(spikes[step], v - 1 if reset == "subtract" else 0, v)
        waiting[spikes[step] == 1] = 2
        assert np.abs(voltages[step] - v).max() < 1e-3
    assert spikes.sum() > 200
    assert differ <= 5


def test_a_membrane_s_width_is_its_format_s() -> None:
    assert population_of(max_rates=100.0, intercepts=0.0).membrane.width == 18
    with nef.Network() as model:
        e = nef.Ensemble(10, 1, max_rates=300.0, intercepts=0.9)
        nef.Probe(e)
    sim = nef.Simulator(model, precision=nef.Precision(membrane=12))
    membrane = sim.compiled.populations[e].membrane
    drawn = sim.data[e]
    assert membrane.width == 12
    # A step adds at most drive (gain + bias), to less than the threshold of 1.
    most = 1 + nef.LIF().drive(1e-3) * float((drawn.gain + drawn.bias).max())
    assert most <= membrane.hi * membrane.lsb < 4 * most


def test_biases_too_large_for_the_currents_beside_them_are_refused() -> None:
    with pytest.raises(
        FormatError,
        match=r"^Biases of e must be at most \S+ in magnitude beside its currents of s32\.\d+, "
        r"not 1e\+08$",
    ):
        with_bias(-1e8, membrane=32)


def with_bias(bias: float, *, membrane: int) -> Population:
    with nef.Network() as model:
        e = nef.Ensemble(2, 1, gain=[2.0, 2.0], bias=[0.0, bias], label="e")
        nef.Probe(e)
    sim = nef.Simulator(model, precision=nef.Precision(membrane=membrane))
    return sim.compiled.populations[e]


def test_times_that_are_not_met_are_told() -> None:
    with pytest.warns(
        SpikewrightWarning,
        match=r"^Refractory period of e is 0\.002 s, 2 steps of 0\.001 s, not 0\.0015 s$",
    ):
        population_of(neuron_type=nef.LIF(tau_ref=0.0015))
    with pytest.warns(
        SpikewrightWarning,
        match=r"^Leak of e is 1\.13e-06 a step, not 1\.11e-06: use a smaller tau_rc or longer "
        r"steps$",
    ):
        population_of(neuron_type=nef.LIF(tau_rc=900.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        population_of(neuron_type=nef.LIF(tau_ref=0.003))
        simulated_with_substeps()


def simulated_with_substeps() -> None:
    with nef.Network() as model:
        nef.Probe(nef.Ensemble(10, 1, neuron_type=nef.LIF(tau_ref=0.0015)))
    simulated(model, 1, substeps=2)
