# SPDX-License-Identifier: Apache-2.0
"""What hardware runs of a Nengo network is near what Nengo runs."""

from typing import Any

import numpy as np
import pytest
from nengo_models import SLOW, both, nengo, refuses, values

from spikewright.nef import Simulator
from spikewright.nef.nengo.translate import from_nengo
from spikewright.nef.placement import Placement


class TestOnHardware:
    def decoded(self, connect: Any, *, x: Any = (0.5,), dimensions: int = 1) -> list[float]:
        """Means of what connections from an ensemble bring to a node, ours and Nengo's."""
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(100, len(x), seed=1, **SLOW)
            nengo.Connection(nengo.Node(list(x)), a)
            node = nengo.Node(lambda t, x: x, size_in=dimensions, size_out=dimensions)
            connect(a, node)
            probe = nengo.Probe(node)
        found = values(model, probe, 1.0)
        return [v[300:].mean(axis=0) for v in found]

    def agrees(self, connect: Any, bound: float, **options: Any) -> None:
        ours, theirs = self.decoded(connect, **options)
        assert np.abs(theirs).max() > 0.1
        assert np.abs(ours - theirs).max() <= bound

    @pytest.mark.parametrize(
        "solver",
        [
            nengo.solvers.LstsqL2(reg=0.05),
            nengo.solvers.Lstsq(rcond=0.05),
            nengo.solvers.LstsqNoise(),
            nengo.solvers.NnlsL2(),
            nengo.solvers.LstsqL2nz(),
        ],
    )
    def test_solvers(self, solver: Any) -> None:
        def connect(a: Any, node: Any) -> None:
            nengo.Connection(a, node, solver=solver, synapse=0.03, function=lambda x: x + 1)

        self.agrees(connect, 0.05)

    @pytest.mark.parametrize(
        "transform",
        [
            nengo.Dense((2, 2), init=nengo.dists.Choice([[0.5, 1]])),
            [[0, 1], [2, 0]],
            0.5,
        ],
    )
    def test_transforms(self, transform: Any) -> None:
        def connect(a: Any, node: Any) -> None:
            nengo.Connection(a, node, transform=transform, synapse=nengo.Alpha(0.03))

        self.agrees(connect, 0.05, x=(0.5, -0.4), dimensions=2)

    def test_slices(self) -> None:
        def connect(a: Any, node: Any) -> None:
            nengo.Connection(a[::-1], node[[2, 0]], synapse=0.03)
            nengo.Connection(a[0], node[1], function=np.square, synapse=0.03)

        self.agrees(connect, 0.05, x=(0.5, -0.4), dimensions=3)

    def test_tabulated_functions_and_points_of_a_connection(self) -> None:
        points = np.linspace(-1, 1, 200)[:, None]

        def connect(a: Any, node: Any) -> None:
            nengo.Connection(a, node[0], eval_points=points, function=points**2, synapse=0.03)
            few = nengo.dists.Uniform(0.2, 0.9)
            nengo.Connection(a, node[1], eval_points=few, function=np.sqrt, synapse=0.03)

        self.agrees(connect, 0.05, dimensions=2)

    def test_known_decoders_and_neurons_on_their_own(self) -> None:
        rng = np.random.default_rng(1)
        decoders = rng.uniform(0, 1e-4, (100, 1))

        def connect(a: Any, node: Any) -> None:
            nengo.Connection(a, node[0], solver=nengo.solvers.NoSolver(decoders), synapse=0.03)
            nengo.Connection(
                a.neurons[:40], node[1], transform=np.full((1, 40), 2e-4), synapse=0.03
            )

        self.agrees(connect, 0.02, dimensions=2)

    @pytest.mark.parametrize("where", [nengo.LIF(), nengo.LIFRate()])
    @pytest.mark.parametrize("solver", ["LstsqL2", "NnlsL2"])
    def test_weights_from_neurons_to_neurons(self, solver: str, where: Any) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(50, 1, seed=1, **SLOW)
            b = nengo.Ensemble(60, 1, seed=2, neuron_type=where, **SLOW)
            nengo.Connection(nengo.Node([0.5]), a)
            weights = getattr(nengo.solvers, solver)(weights=True)
            function, transform = (lambda x: 0.5 - x**2), [[1.0]]
            nengo.Connection(
                a, b, solver=weights, function=function, transform=transform, synapse=0.03
            )
            probe = nengo.Probe(b, synapse=0.03)
        ours, theirs = (v[500:].mean() for v in values(model, probe, 1.0))
        assert ours == pytest.approx(theirs, abs=0.08)

    def test_neurons_hear_in_units_of_their_gain(self) -> None:
        with nengo.Network(seed=1) as model:
            drive = nengo.Ensemble(50, 1, seed=1, **SLOW)
            hears = [nengo.Ensemble(20, 1, seed=k, **SLOW) for k in (2, 3)]
            nengo.Connection(nengo.Node([0.4]), hears[0].neurons[3:9], transform=np.ones((6, 1)))
            weights = np.full((20, 50), 2e-4)
            nengo.Connection(drive.neurons, hears[1].neurons, transform=weights, synapse=0.05)
            probes = [nengo.Probe(ensemble.neurons) for ensemble in hears]
        ours, theirs = both(model, 1.0)
        for probe in probes:
            assert np.abs((ours.data[probe] - theirs.data[probe]).mean(axis=0)).max() <= 3

    def test_spikes_without_a_synapse_are_announced(self) -> None:
        with nengo.Network() as model:
            a, b = (nengo.Ensemble(9, 1, label=x) for x in "ab")
            nengo.Connection(a, b, synapse=None)
        why = "decoders; without a synapse single spikes may saturate"
        note = Placement("connection from a to b", "hardware", why)
        assert note in from_nengo(model).placements

    def test_inhibition_of_neurons(self) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(50, 1, seed=1, **SLOW)
            nengo.Connection(nengo.Node([0.9]), a)
            nengo.Connection(nengo.Node(lambda t: t > 0.2), a.neurons, transform=[[-5]] * 50)
            probe = nengo.Probe(a.neurons)
        simulator = Simulator(model, quiet=True)
        simulator.run(0.4)
        assert simulator.data[probe][:200].any()
        assert not simulator.data[probe][250:].any()

    def test_neurons_that_reset_to_zero(self) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(10, 1)
        made = [from_nengo(model, reset=r).ensembles[a].ensemble for r in ("subtract", "zero")]
        assert [e.neuron_type.reset for e in made if e is not None] == ["subtract", "zero"]


class TestNetworks:
    """Networks that come with Nengo, of the same neurons in both."""

    def near(self, model: Any, probe: Any, bound: float) -> None:
        for k, ensemble in enumerate(model.all_ensembles):
            ensemble.seed = k
        ours, theirs = values(model, probe, 0.4)
        assert np.abs(theirs[200:].mean(axis=0)).max() > 0.2
        assert np.abs((ours - theirs)[200:].mean(axis=0)).max() <= bound

    @pytest.mark.parametrize(("kind", "size"), [("Product", 2), ("CircularConvolution", 2)])
    def test_products(self, kind: str, size: int) -> None:
        with nengo.Network(seed=1) as model:
            product = getattr(nengo.networks, kind)(40, size)
            nengo.Connection(nengo.Node([0.7, -0.8]), product.input_a)
            nengo.Connection(nengo.Node([0.6, 0.5]), product.input_b)
            probe = nengo.Probe(product.output, synapse=0.03)
        self.near(model, probe, 0.03)

    def test_functions_of_arrays(self) -> None:
        with nengo.Network(seed=1) as model:
            array = nengo.networks.EnsembleArray(40, 2, ens_dimensions=2)
            array.add_output("product", lambda x: x[0] * x[1])
            nengo.Connection(nengo.Node([0.5, -0.8, 0.9, 0.9]), array.input)
            probe = nengo.Probe(array.product, synapse=0.03)
        self.near(model, probe, 0.04)

    def test_neurons_of_arrays(self) -> None:
        with nengo.Network(seed=1) as model:
            array = nengo.networks.EnsembleArray(20, 2)
            heard, sent = array.add_neuron_input(), array.add_neuron_output()
            off = np.kron([1, 0], np.ones(20))[:, None]
            nengo.Connection(nengo.Node([-3]), heard, transform=off, synapse=None)
            probe = nengo.Probe(sent)
        simulator = Simulator(model, quiet=True)
        simulator.run(0.2)
        fired = simulator.data[probe].reshape(200, 2, 20).any(axis=(0, 2))
        assert fired.tolist() == [False, True]

    @pytest.mark.slow
    def test_choice_of_an_action(self) -> None:
        with nengo.Network(seed=1) as model:
            choice, action = nengo.networks.BasalGanglia(3), nengo.networks.Thalamus(3)
            nengo.Connection(choice.output, action.input)
            nengo.Connection(nengo.Node([0.4, 0.8, 0.2]), choice.input)
            probe = nengo.Probe(action.output, synapse=0.03)
        self.near(model, probe, 0.05)

    def test_a_gated_memory(self) -> None:
        with nengo.Network(seed=1) as model:
            memory = nengo.networks.InputGatedMemory(40, 1)
            nengo.Connection(nengo.Node([0.8]), memory.input)
            nengo.Connection(nengo.Node(lambda t: t > 0.3), memory.gate)
            probe = nengo.Probe(memory.output, synapse=0.03)
        self.near(model, probe, 0.05)


class TestRefused:
    def pair(self, **options: Any) -> Any:
        with nengo.Network(label="top") as model:
            a, b = (nengo.Ensemble(9, 9, label=x) for x in "ab")
            nengo.Connection(a, b, **options)
        return model

    def test_synapses_that_hardware_has_not(self) -> None:
        refuses(
            self.pair(synapse=nengo.synapses.Triangle(0.01)),
            "Synapse of connection from a to b must be Lowpass, Alpha or None on hardware, not "
            "Triangle: the nearest is Alpha",
        )
        model = self.pair()
        with model:
            nengo.Probe(model.ensembles[0], synapse=nengo.LinearFilter([1], [0.1, 1]), label="p")
        refuses(
            model,
            "Synapse of probe p must be Lowpass, Alpha or None on hardware, not LinearFilter: the "
            "nearest is Alpha",
        )

    def test_convolutions(self) -> None:
        transform = nengo.Convolution(1, (3, 3, 1), padding="same")
        refuses(
            self.pair(transform=transform),
            "Transform of connection from a to b must be a Dense or Sparse one, not Convolution: "
            "multiply it out into a matrix",
        )

    def test_neurons_of_what_has_none(self) -> None:
        model = self.pair()
        with model:
            nengo.Connection(model.ensembles[0].neurons, model.ensembles[1].neurons)
        model.ensembles[1].neuron_type = nengo.Direct()
        refuses(model, "b is in direct mode and has no neurons: use LIF neurons")
        model = self.pair(solver=nengo.solvers.LstsqL2(weights=True))
        model.ensembles[1].neuron_type = nengo.Direct()
        refuses(model, "Weights of connection from a to b must lead to an ensemble of neurons")
