# SPDX-License-Identifier: Apache-2.0
"""What the host runs of a Nengo network is what Nengo runs."""

from typing import Any

import numpy as np
import pytest
from nengo_models import SLOW, both, nengo, values

from spikewright.nef import Simulator


class TestOnTheHost:
    @pytest.mark.parametrize(
        "neurons", [nengo.LIFRate(amplitude=0.7), nengo.RectifiedLinear(), nengo.Sigmoid()]
    )
    def test_neurons_with_rates_are_those_of_nengo(self, neurons: Any) -> None:
        with nengo.Network(seed=1) as model:
            model.config[nengo.Ensemble].neuron_type = neurons
            a = nengo.Ensemble(30, 2, seed=1, radius=1.5)
            b = nengo.Ensemble(20, 1, seed=2)
            nengo.Connection(nengo.Node(lambda t: [np.sin(9 * t), 0.5]), a)
            nengo.Connection(a, b, function=lambda x: x[0] * x[1], synapse=0.01)
            nengo.Connection(b, b, transform=0.5, synapse=0.1)
            nengo.Connection(a.neurons[:3], b.neurons[2:5], transform=0.01)
            probes = [nengo.Probe(a), nengo.Probe(b), nengo.Probe(b.neurons)]
        ours, theirs = both(model, 0.3)
        assert ours.program is None
        for probe in probes:
            assert theirs.data[probe].any()
            assert np.allclose(ours.data[probe], theirs.data[probe], atol=1e-4)

    def test_spiking_ones_start_from_a_state_and_start_anew(self) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(50, 1, seed=1, neuron_type=nengo.AdaptiveLIF(), **SLOW)
            nengo.Connection(nengo.Node([0.7]), a)
            spikes, adaptation = nengo.Probe(a.neurons), nengo.Probe(a.neurons, "adaptation")
        ours, theirs = both(model, 0.5)
        first = ours.data[spikes]
        rates = [s.data[spikes].mean(axis=0) for s in (ours, theirs)]
        assert np.abs(rates[0] - rates[1]).max() <= 4
        wanted = theirs.data[adaptation][-1]
        assert ours.data[adaptation][-1] == pytest.approx(wanted, rel=0.2, abs=0.05)
        ours.reset()
        ours.run(0.5)
        assert np.array_equal(ours.data[spikes], first)

    def test_direct_mode_computes(self) -> None:
        with nengo.Network(seed=1) as model:
            model.config[nengo.Ensemble].neuron_type = nengo.Direct()
            a, b = nengo.Ensemble(1, 2), nengo.Ensemble(1, 1)
            nengo.Connection(nengo.Node(lambda t: [np.sin(9 * t), t]), a, synapse=None)
            nengo.Connection(a[[1, 0]], b, function=lambda x: x[0] - x[1] ** 2, synapse=0.02)
            probe = nengo.Probe(b, synapse=None)
        ours, theirs = values(model, probe, 0.3)
        assert np.allclose(ours, theirs)

    def test_processes_are_those_of_nengo_and_start_anew(self) -> None:
        with nengo.Network(seed=1) as model:
            process = nengo.processes.WhiteSignal(1.0, high=10, seed=3)
            node = nengo.Node(process, size_out=2)
            probe = nengo.Probe(node)
        ours, theirs = both(model, 0.2)
        assert np.allclose(ours.data[probe], theirs.data[probe])
        ours.reset()
        ours.run(0.2)
        assert np.allclose(ours.data[probe], theirs.data[probe])

    def test_a_process_may_have_an_input(self) -> None:
        with nengo.Network(seed=1) as model:
            node = nengo.Node(nengo.Lowpass(0.05), size_in=1)
            nengo.Connection(nengo.Node([1.0]), node, synapse=None)
            probe = nengo.Probe(node)
        ours, theirs = values(model, probe, 0.2)
        assert np.allclose(ours, theirs)

    @pytest.mark.parametrize(
        "synapse", [nengo.synapses.Triangle(0.02), nengo.LinearFilter([1], [0.02, 1])]
    )
    def test_other_synapses_filter_what_comes_from_nodes(self, synapse: Any) -> None:
        with nengo.Network(seed=1) as model:
            source, node = nengo.Node(np.sin), nengo.Node(lambda t, x: x, size_in=1, size_out=1)
            nengo.Connection(source, node, synapse=synapse, function=np.cos, transform=2)
            probe = nengo.Probe(node)
        ours, theirs = values(model, probe, 0.1)
        assert np.allclose(ours, theirs)

    def test_sparse_transforms(self) -> None:
        with nengo.Network(seed=1) as model:
            node = nengo.Node(size_in=2)
            transform = nengo.Sparse((2, 2), indices=[(0, 1)], init=[0.8])
            nengo.Connection(nengo.Node([1.0, 2.0]), node, transform=transform, synapse=None)
            probe = nengo.Probe(node)
        ours, theirs = values(model, probe, 0.01)
        assert np.array_equal(ours, theirs)
        assert ours[-1, 0] == 1.6

    def test_noise_moves_the_neurons(self) -> None:
        with nengo.Network(seed=1) as model:
            noise = nengo.processes.WhiteNoise(nengo.dists.Gaussian(0, 0.5), scale=False)
            pair = [nengo.Ensemble(20, 1, seed=1, noise=n, **SLOW) for n in (None, noise)]
            probes = [nengo.Probe(ensemble.neurons) for ensemble in pair]
        simulator = Simulator(model, quiet=True)
        simulator.run(0.3)
        still, noisy = (simulator.data[probe] for probe in probes)
        assert not np.array_equal(still, noisy)
        assert noisy.mean() == pytest.approx(still.mean(), rel=0.3)

    @pytest.mark.parametrize(
        "neurons",
        [
            nengo.Izhikevich(),
            nengo.RegularSpiking(nengo.LIFRate()),
            nengo.RegularSpiking(nengo.AdaptiveLIFRate()),
            nengo.StochasticSpiking(nengo.LIFRate()),
            nengo.PoissonSpiking(nengo.RectifiedLinear()),
        ],
    )
    def test_spiking_ones_decode_what_they_do_in_nengo(self, neurons: Any) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(100, 1, seed=1, neuron_type=neurons, **SLOW)
            nengo.Connection(nengo.Node([0.5]), a)
            probe = nengo.Probe(a, synapse=0.1)
        ours, theirs = (v[500:].mean() for v in values(model, probe, 1.0))
        assert ours == pytest.approx(theirs, abs=0.06)
        assert ours > 0.35

    def test_presets(self) -> None:
        preset = nengo.Config(nengo.Ensemble, nengo.Connection)
        preset[nengo.Ensemble].neuron_type = nengo.LIFRate()
        preset[nengo.Connection].synapse = 0.02
        with nengo.Network(seed=1) as model:
            with preset:
                a = nengo.Ensemble(30, 1, seed=1)
            with nengo.presets.ThresholdingEnsembles(0.3):
                b = nengo.Ensemble(30, 1, seed=2, neuron_type=nengo.LIFRate())
            nengo.Connection(nengo.Node([0.5]), a)
            nengo.Connection(a, b)
            probe = nengo.Probe(b)
        ours, theirs = values(model, probe, 0.2)
        assert np.allclose(ours, theirs)
