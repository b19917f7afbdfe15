# SPDX-License-Identifier: Apache-2.0
"""Measured tuning curves are those of the neurons that run."""

from typing import Any

import numpy as np
import pytest
from nef_models import simulated

from spikewright import nef
from spikewright.nef.decoders.curves import response, tuning_curves
from spikewright.nef.decoders.decoding import Decoding
from spikewright.sim.errors import ProgramError
from spikewright.sim.fixed import QFormat

MEMBRANE = QFormat(width=18, frac=16)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_curves_are_the_rates_of_the_simulation(reset: str) -> None:
    """Spikes of 2 s at constant input, counted: within 1 Hz of the curve for each neuron."""
    with nef.Network(seed=2) as model:
        u = nef.Node([0.37, -0.2])
        a = nef.Ensemble(60, 2, neuron_type=nef.LIF(reset=reset))
        nef.Connection(u, a, synapse=None)
        spikes = nef.Probe(a.neurons)
    sim = simulated(model, 2000)
    counted = sim.data[spikes].mean(axis=0)
    curve = tuning_curves(sim.compiled.populations[a], np.array([[0.37, -0.2]]))[0]
    assert counted.max() > 100
    assert np.abs(counted - curve).max() <= 1


def test_response_to_currents() -> None:
    """None below the onset; never falling; every code of a small range is measured."""
    currents, rates = response(nef.LIF(), dt=1e-3, membrane=MEMBRANE, most=1 << 15)
    onset = nef.LIF().drive(1e-3) * 2**16
    assert (rates[currents < onset] == 0).all()
    assert (np.diff(rates) > -0.26).all()
    assert response(nef.LIF(), dt=1e-3, membrane=MEMBRANE, most=9)[0].tolist() == list(range(10))


def test_alike_ensembles_share_what_is_measured() -> None:
    with nef.Network(seed=2) as model:
        for _ in range(6):
            nef.Probe(nef.Ensemble(30, 1, max_rates=150.0))
    response.cache_clear()
    simulated(model, 1)
    assert response.cache_info().misses <= 3


@pytest.mark.parametrize(("dt", "near"), [(1e-2, 0.13), (2e-5, 1e-3)])
def test_long_and_short_steps(dt: float, near: float) -> None:
    """Silent below a current of 1; at 1.5 near the 46 Hz of continuous time."""
    neuron, membrane = nef.LIF(tau_ref=0), QFormat(width=24, frac=18)
    most = round(1.5 * neuron.drive(dt) * 2**18)
    currents, rates = response(neuron, dt=dt, membrane=membrane, most=most)
    assert currents[-1] == most
    assert rates[-1] == pytest.approx(neuron.rates(1.5), rel=near)
    assert (rates[currents < neuron.drive(dt) * 2**18 * 0.99] == 0).all()


def test_analytic_curves_are_those_of_continuous_time() -> None:
    with nef.Network(seed=2) as model:
        a = nef.Ensemble(30, 1)
        nef.Probe(a)
    population = simulated(model, 1).compiled.populations[a]
    x = np.array([[0.5]])
    d = population.draw
    wanted = nef.LIF().rates(d.gain * d.encoders[:, 0] * 0.5 + d.bias)
    assert Decoding({a: population}, curves="analytic").curve(population, x)[0] == pytest.approx(
        wanted
    )


@pytest.mark.parametrize("wrong", ["guessed", None])
def test_unknown_curves_are_refused(wrong: Any) -> None:
    with nef.Network() as model:
        nef.Probe(nef.Ensemble(10, 1))
    with pytest.raises(
        ProgramError, match=rf"^Curves must be measured or analytic, not {wrong!r}$"
    ):
        nef.Simulator(model, curves=wrong)
