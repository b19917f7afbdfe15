# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from nengo_models import SLOW, nengo, quiet, reference

from spikewright.nef.placement import Placement


class TestFolding:
    def test_nodes_that_hand_on_become_direct_connections(self) -> None:
        with nengo.Network(seed=1) as model:
            first, second = (nengo.networks.EnsembleArray(20, 3, label=x) for x in "ab")
            for ensemble in model.all_ensembles:
                ensemble.max_rates = SLOW["max_rates"]
            nengo.Connection(nengo.Node([0.5, -0.5, 0]), first.input)
            nengo.Connection(first.output, second.input[[2, 1, 0]], transform=0.8)
            probe = nengo.Probe(second.output, synapse=0.03)
        simulator = quiet(model)
        simulator.run(0.5)
        assert simulator.data[probe][-200:].mean(axis=0) == pytest.approx([0, -0.4, 0.4], abs=0.05)
        assert simulator.placements[-1].what != "simulation"
        names = "a.input, a.output, b.input, b.output"
        folded = Placement(
            "4 nodes that hand on", "nowhere", f"direct connections instead of {names}"
        )
        assert folded in simulator.placements

    @pytest.mark.parametrize("synapse", [None, 0.01])
    def test_between_two_synapses_they_stay(self, synapse: float | None) -> None:
        with nengo.Network(seed=1) as model:
            a, b = (nengo.Ensemble(40, 1, label=x, **SLOW) for x in "ab")
            node = nengo.Node(size_in=1, label="between")
            nengo.Connection(nengo.Node([0.5]), a)
            nengo.Connection(a, node, synapse=0.01)
            nengo.Connection(node, b, synapse=synapse)
            probe = nengo.Probe(b, synapse=0.03)
        simulator = quiet(model)
        simulator.run(0.5)
        assert simulator.data[probe][-200:].mean() == pytest.approx(0.5, abs=0.06)
        assert (Placement("between", "host", "hands on") in simulator.placements) == bool(synapse)
        assert (simulator.placements[-1].what == "simulation") == bool(synapse)

    def test_a_circle_of_one_stays(self) -> None:
        with nengo.Network(seed=1) as model:
            node = nengo.Node(size_in=1)
            nengo.Connection(node, node, synapse=0.01)
            nengo.Connection(nengo.Node([1.0]), node, transform=0.5, synapse=None)
            probe = nengo.Probe(node)
        simulator, theirs = quiet(model), reference(model, 0.1)
        simulator.run(0.1)
        assert np.allclose(simulator.data[probe], theirs.data[probe])
