# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
from nengo_models import SLOW, both, nengo, refuses, values

from spikewright.nef import Simulator
from spikewright.nef.nengo.translate import from_nengo
from spikewright.nef.placement import Placement


class TestLearning:
    def model(self, neurons: Any, rule: Any) -> tuple[Any, Any, Any]:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(50, 2, seed=1, neuron_type=neurons, **SLOW)
            nengo.Connection(nengo.Node([0.5, -0.3]), a)
            node = nengo.Node(size_in=2)
            learns = nengo.Connection(
                a, node[[1, 0]], function=lambda x: [0, 0], learning_rule_type=rule, label="learns"
            )
            nengo.Connection(node[[1, 0]], learns.learning_rule)
            nengo.Connection(nengo.Node([-0.6, 0.2]), learns.learning_rule)
            probe = nengo.Probe(node, synapse=0.05)
        return model, learns, probe

    @pytest.mark.parametrize("neurons", [nengo.LIF(), nengo.LIFRate()])
    def test_pes_learns_and_forgets(self, neurons: Any) -> None:
        model, learns, probe = self.model(neurons, nengo.PES(5e-3))
        simulator = Simulator(model, quiet=True)
        before = simulator.decoders(learns)
        assert simulator.data[learns].weights.shape == before.shape == (2, 50)
        simulator.run(1.0)
        assert simulator.data[probe][-100:].mean(axis=0) == pytest.approx([-0.2, 0.6], abs=0.05)
        assert np.abs(simulator.decoders(learns) - before).max() > 1e-4
        simulator.reset()
        assert np.array_equal(simulator.decoders(learns), before)

    def test_on_the_host_it_is_that_of_nengo(self) -> None:
        model, _, probe = self.model(nengo.LIFRate(), nengo.PES(1e-3, pre_synapse=0.02))
        ours, theirs = values(model, probe, 0.5)
        assert np.abs(ours - theirs).max() <= 0.01

    @pytest.mark.parametrize("neurons", [nengo.LIF(), nengo.LIFRate()])
    def test_what_learns_is_the_transform_times_the_decoders(self, neurons: Any) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(50, 2, seed=1, neuron_type=neurons, **SLOW)
            nengo.Connection(nengo.Node([0.5, 0.3]), a)
            node, rule = nengo.Node(size_in=1), nengo.PES(2e-4, pre_synapse=None)
            learns = nengo.Connection(a, node, transform=[[0.2, 0.1]], learning_rule_type=rule)
            nengo.Connection(node, learns.learning_rule)
            nengo.Connection(nengo.Node([-0.7]), learns.learning_rule)
            probe = nengo.Probe(node, synapse=0.03)
        ours, theirs = both(model, 0.5)
        assert ours.decoders(learns).shape == (1, 50)
        # Not there yet: the speed is what is compared.
        assert 0.2 < theirs.data[probe][-1, 0] < 0.5
        assert ours.data[probe][-50:].mean() == pytest.approx(
            theirs.data[probe][-50:].mean(), abs=0.02
        )

    @pytest.mark.parametrize("neurons", [nengo.LIF(), nengo.LIFRate()])
    def test_known_decoders_learn_with_their_transform(self, neurons: Any) -> None:
        known, transform = np.linspace(-1e-3, 1e-3, 100).reshape(50, 2), np.array([[0.2, 0.1]])
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(50, 2, seed=1, neuron_type=neurons, **SLOW)
            node, solver = nengo.Node(size_in=1), nengo.solvers.NoSolver(known)
            learns = nengo.Connection(
                a, node, solver=solver, transform=transform, learning_rule_type=nengo.PES()
            )
            nengo.Connection(node, learns.learning_rule)
        ours, theirs = both(model, 0.001)
        wanted = theirs.data[learns].weights
        assert np.allclose(wanted, transform @ known.T)
        assert np.allclose(ours.data[learns].weights, wanted)
        assert np.allclose(ours.decoders(learns), wanted, atol=1e-6)

    def test_an_ensemble_may_bring_the_error(self) -> None:
        with nengo.Network(seed=1) as model:
            pre, post, error = (nengo.Ensemble(50, 1, seed=k, **SLOW) for k in range(3))
            nengo.Connection(nengo.Node([0.6]), pre)
            rule = nengo.PES(2e-3)
            learns = nengo.Connection(pre, post, function=lambda x: 0, learning_rule_type=rule)
            nengo.Connection(post, error)
            nengo.Connection(pre, error, transform=-1)
            nengo.Connection(error, learns.learning_rule)
            probe = nengo.Probe(post, synapse=0.05)
        ours, theirs = both(model, 1.0)
        assert ours.placements[-1].what != "simulation"
        for simulator in (ours, theirs):
            assert simulator.data[probe][-200:].mean() == pytest.approx(0.6, abs=0.06)

    def test_on_hardware_the_synapse_of_the_activities_is_announced(self) -> None:
        model, _, _ = self.model(nengo.LIF(), nengo.PES())
        why = "activities are the spikes themselves, not filtered by pre_synapse"
        assert Placement("PES of learns", "hardware", why) in from_nengo(model).placements

    @pytest.mark.parametrize("rule", [nengo.RLS(), nengo.Voja(), nengo.BCM(), nengo.Oja()])
    def test_other_rules_are_refused(self, rule: Any) -> None:
        weights = nengo.solvers.LstsqL2(weights=rule.modifies == "weights")
        with nengo.Network() as model:
            a, b = (nengo.Ensemble(9, 1, label=x) for x in "ab")
            nengo.Connection(a, b, solver=weights, learning_rule_type=rule)
        refuses(
            model,
            f"connection from a to b learns by {type(rule).__name__}, which has no form here: use "
            "one PES",
        )

    def test_several_rules_are_refused(self) -> None:
        model, _, _ = self.model(nengo.LIF(), nengo.PES())
        model.connections[1].learning_rule_type = [nengo.PES(), nengo.PES()]
        refuses(
            model, "learns learns by several learning rules, which has no form here: use one PES"
        )

    def test_each_dimension_learns_once(self) -> None:
        model, _, _ = self.model(nengo.LIF(), nengo.PES())
        with model:
            rule = nengo.PES()
            a, node = model.ensembles[0], model.nodes[1]
            nengo.Connection(a, node[[0, 0]], learning_rule_type=rule, label="twice")
        refuses(model, "twice must name each dimension once to learn by PES")

    def test_only_decoders_learn(self) -> None:
        with nengo.Network(label="outer") as model:
            with nengo.Network(label="inner"):
                a, b = nengo.Ensemble(10, 1, label="a"), nengo.Ensemble(10, 1, label="b")
                weights = nengo.solvers.LstsqL2(weights=True)
                nengo.Connection(a, b, solver=weights, learning_rule_type=nengo.PES())
        refuses(
            model,
            "connection from inner.a to inner.b must lead to an ensemble or a node, without "
            "weights, to learn by PES",
        )
        a.neuron_type = nengo.Direct()
        refuses(
            model,
            "connection from inner.a to inner.b must come from an ensemble of neurons to learn "
            "by PES",
        )
