# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
from nengo_models import SLOW, both, nengo, quiet

PARAMETERS = (
    "encoders",
    "scaled_encoders",
    "gain",
    "bias",
    "eval_points",
    "intercepts",
    "max_rates",
)


def built(neurons: Any) -> tuple[Any, Any, dict[str, Any]]:
    """A network, an ensemble, and connections whose weights Nengo tells, too."""
    with nengo.Network(seed=1) as model:
        a = nengo.Ensemble(60, 2, seed=1, radius=2.0, neuron_type=neurons, **SLOW)
        b = nengo.Ensemble(20, 2, seed=2, neuron_type=neurons, **SLOW)
        node, weights = nengo.Node([0.5, 0.2]), nengo.solvers.LstsqL2(weights=True)
        connections = {
            "node": nengo.Connection(node, a, transform=[[1, 2], [3, 4]]),
            "product": nengo.Connection(
                a, b[0], function=lambda x: [x[0], x[1], x[0] * x[1]], transform=[[1, 0.5, 2]]
            ),
            "identity": nengo.Connection(a, b),
            "weights": nengo.Connection(a[0], b[1], solver=weights),
            "neurons": nengo.Connection(
                a.neurons[:3], b.neurons[:2], transform=np.arange(6).reshape(2, 3) * 1e-3
            ),
        }
        nengo.Probe(b)
    return model, a, connections


class TestBuilt:
    # On hardware, decoders are those of the integer neurons' tuning curves.
    @pytest.mark.parametrize(("neurons", "bound"), [(nengo.LIF(), 0.03), (nengo.LIFRate(), 1e-9)])
    def test_it_is_that_of_nengo(self, neurons: Any, bound: float) -> None:
        model, a, connections = built(neurons)
        ours, theirs = both(model, 0.001)
        for name in PARAMETERS:
            assert np.allclose(getattr(ours.data[a], name), getattr(theirs.data[a], name)), name
        for name, connection in connections.items():
            got, wanted = (s.data[connection].weights for s in (ours, theirs))
            assert got.shape == wanted.shape, name
            assert np.abs(got - wanted).max() <= bound * np.abs(wanted).max(), name

    @pytest.mark.parametrize("neurons", [nengo.LIF(), nengo.Sigmoid()])
    def test_tuning_curves_are_found_from_it(self, neurons: Any) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(20, 1, seed=1, neuron_type=neurons)
        ours, theirs = both(model, 0.001)
        for curves in (nengo.utils.ensemble.tuning_curves, nengo.utils.ensemble.response_curves):
            assert np.allclose(curves(a, ours)[1], curves(a, theirs)[1])

    def test_folded_connections_have_weights_and_learned_ones_the_first(self) -> None:
        with nengo.Network(seed=1) as model:
            array = nengo.networks.EnsembleArray(20, 2)
            for ensemble in model.all_ensembles:
                ensemble.max_rates = SLOW["max_rates"]
            out = nengo.Node(size_in=1)
            learns = nengo.Connection(
                array.ensembles[0], out, transform=0.5, learning_rule_type=nengo.PES()
            )
            nengo.Connection(out, learns.learning_rule)
            nengo.Connection(array.output[1], array.input[0])
        simulator = quiet(model)
        for connection in model.all_connections:
            assert simulator.data[connection].weights.ndim == 2
        first = simulator.data[learns].weights
        assert np.allclose(first, simulator.decoders(learns), atol=1e-6)
        assert np.abs(first).max() > 1e-4

    def test_all_that_is_listed_is_there(self) -> None:
        model, _, connections = built(nengo.LIF())
        with model:
            direct = nengo.Ensemble(1, 1, neuron_type=nengo.Direct())
        data = quiet(model).data
        assert set(connections.values()) < set(data)
        assert len(data) == len(list(data)) == 5 + 2 + 1
        assert direct not in data
        for key in data:
            assert data[key] is not None
