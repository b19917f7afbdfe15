# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
from nengo_models import SLOW, both, nengo, refuses


class TestKept:
    @pytest.mark.parametrize("every", [None, 0.0005, 0.001, 0.0025, 0.01])
    def test_as_many_values_as_in_nengo(self, every: float | None) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(10, 2, seed=1, **SLOW)
            probes = [nengo.Probe(x, sample_every=every) for x in (a, a.neurons, a.neurons[:3])]
        ours, theirs = both(model, 0.1)
        for probe in probes:
            assert ours.data[probe].shape == theirs.data[probe].shape
        assert np.allclose(*(s.trange(sample_every=every) for s in (ours, theirs)))

    def test_voltages(self) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(10, 1, seed=1, intercepts=np.full(10, 0.5), **SLOW)
            probe = nengo.Probe(a.neurons, "voltage")
        ours, theirs = both(model, 0.3)
        assert ours.data[probe][-1] == pytest.approx(theirs.data[probe][-1], abs=1e-3)

    @pytest.mark.parametrize("neurons", [nengo.LIF(), nengo.LIFRate()])
    def test_a_solver_of_its_own(self, neurons: Any) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(50, 2, seed=1, neuron_type=neurons, **SLOW)
            nengo.Connection(nengo.Node([0.4, -0.3]), a)
            solvers = (nengo.solvers.LstsqL2(), nengo.solvers.LstsqL2(reg=0.5))
            plain, damped = (nengo.Probe(a[1], synapse=0.03, solver=s) for s in solvers)
        ours, theirs = both(model, 0.4)
        ends = [[s.data[p][-100:].mean() for p in (plain, damped)] for s in (ours, theirs)]
        assert ends[0] == pytest.approx(ends[1], abs=0.02)
        assert abs(ends[0][0] - ends[0][1]) > 0.05


class TestRefused:
    def pair(self, **options: Any) -> Any:
        with nengo.Network(label="top") as model:
            a, b = (nengo.Ensemble(9, 9, label=x) for x in "ab")
            nengo.Connection(a, b, **options)
        return model

    def test_probes(self) -> None:
        nothing = "has no form on hardware or host"
        for of, attr, path, hint in (
            (
                "connection",
                "weights",
                "connection from a to b",
                "read them with Simulator.decoders(connection)",
            ),
            ("connection", "output", "connection from a to b", "probe the ensemble it leads to"),
            (
                "ensemble",
                "input",
                "a",
                "probe its decoded_output, or the spikes or the voltage of its neurons",
            ),
            ("neurons", "refractory_time", "neurons of a", "probe the spikes or the voltage"),
            ("neurons", "input", "neurons of a", "probe the spikes or the voltage"),
        ):
            model = self.pair()
            things = {"connection": model.connections[0], "ensemble": model.ensembles[0]}
            with model:
                nengo.Probe(things.get(of, model.ensembles[0].neurons), attr, label="p")
            refuses(model, f"Probe p of {attr!r} of {path} {nothing}: {hint}")
