# SPDX-License-Identifier: Apache-2.0
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from spikewright import nef
from spikewright.nef import Simulator
from spikewright.nef.nengo.translate import from_nengo
from spikewright.nef.placement import Placement
from spikewright.sim.errors import ProgramError

nengo: Any = pytest.importorskip("nengo", reason="Nengo is not installed: pip install nengo")

SLOW = {"max_rates": nengo.dists.Uniform(60, 120)}


def quiet(model: Any, **options: Any) -> Simulator:
    return Simulator(model, quiet=True, **options)


def reference(model: Any, seconds: float) -> Any:
    with nengo.Simulator(model, progress_bar=False) as simulator:
        simulator.run(seconds)
    return simulator


def refuses(model: Any, sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        from_nengo(model)


class TestDraw:
    def test_ensembles_with_seeds_draw_what_they_draw_in_nengo(self) -> None:
        with nengo.Network(seed=1) as model:
            ensembles = [
                nengo.Ensemble(30, 3, seed=5, radius=2.0, intercepts=nengo.dists.Uniform(0, 0.5)),
                nengo.Ensemble(20, 1, seed=6, encoders=nengo.dists.Choice([[1]]), **SLOW),
                nengo.Ensemble(20, 1, seed=7, gain=np.full(20, 2.0), bias=np.linspace(0, 3, 20)),
                nengo.Ensemble(20, 2, seed=8, eval_points=np.eye(2), neuron_type=nengo.LIFRate()),
            ]
            for ensemble in ensembles:
                nengo.Probe(ensemble)
        ours, theirs = quiet(model), reference(model, 0.001)
        for ensemble in ensembles:
            for name in ("gain", "bias", "encoders", "eval_points", "max_rates", "intercepts"):
                got, wanted = (getattr(s.data[ensemble], name) for s in (ours, theirs))
                assert np.allclose(got, wanted), name

    def test_the_seed_decides_the_rest(self) -> None:
        with nengo.Network() as model:
            a = nengo.Ensemble(20, 1)
        gains = [quiet(model, seed=s).data[a].gain for s in (1, 1, 2)]
        assert np.array_equal(gains[0], gains[1])
        assert not np.array_equal(gains[0], gains[2])

    def test_the_config_of_a_network_is_read(self) -> None:
        with nengo.Network() as model:
            model.config[nengo.Ensemble].radius = 3.0
            model.config[nengo.Ensemble].neuron_type = nengo.LIF(tau_rc=0.03)
            a = nengo.Ensemble(20, 1)
        made = from_nengo(model).ensembles[a].ensemble
        assert made is not None
        assert (made.radius, made.neuron_type) == (3.0, nef.LIF(tau_rc=0.03))

    def test_encoders_that_are_not_normalized_keep_their_length(self) -> None:
        with nengo.Network(seed=1) as model:
            options = {"normalize_encoders": False, "seed": 1, **SLOW}
            a = nengo.Ensemble(
                50, 1, encoders=0.5 * np.sign(np.arange(50) - 24.5)[:, None], **options
            )
            nengo.Connection(nengo.Node([0.8]), a, synapse=None)
            spikes = nengo.Probe(a.neurons)
        ours = quiet(model)
        ours.run(1.0)
        rates = [s.data[spikes].mean(axis=0) for s in (ours, reference(model, 1.0))]
        assert np.abs(rates[0] - rates[1]).max() <= 2


class TestSubsteps:
    def made(self, largest: float) -> Any:
        with nengo.Network(seed=1) as model:
            nengo.Ensemble(10, 1, label="fast", max_rates=np.linspace(100, largest, 10))
        return model

    @pytest.mark.parametrize(("largest", "substeps"), [(330, 1), (340, 2), (399, 2), (401, 3)])
    def test_they_are_the_fewest_that_the_rates_allow(self, largest: float, substeps: int) -> None:
        assert quiet(self.made(largest)).substeps == substeps

    def test_they_are_told(self) -> None:
        why = "2 substeps of 0.0005 s in each step: fast has rates up to 340 Hz"
        assert Placement("time step", "hardware", why) in quiet(self.made(340)).placements

    def test_those_of_the_user_must_be_enough(self) -> None:
        assert quiet(self.made(340), substeps=5).substeps == 5
        with pytest.raises(
            ProgramError,
            match=r"^Maximum rates of fast must be below 333\.3 Hz in steps of 0\.001 s, "
            r"not 340\.0: use substeps=2 or lower rates$",
        ):
            quiet(self.made(340), substeps=1)

    def test_rates_that_no_substeps_allow_are_refused(self) -> None:
        refuses(
            self.made(499.9),
            "Maximum rates of fast must be below 496.1 Hz in 64 substeps of 0.001 s, not 499.9: "
            "use lower ones",
        )


def mixed() -> Any:
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(np.sin, label="stimulus")
        a = nengo.Ensemble(30, 1, label="a", **SLOW)
        rate = nengo.Ensemble(30, 1, label="rate", neuron_type=nengo.LIFRate())
        direct = nengo.Ensemble(1, 1, label="direct", neuron_type=nengo.Direct())
        nengo.Connection(stimulus, a)
        nengo.Connection(a, rate)
        nengo.Connection(rate, direct)
    return model


class TestPlacements:
    def test_they_tell_what_runs_where(self) -> None:
        assert quiet(mixed()).placements == [
            Placement("a", "hardware", "30 LIF neurons"),
            Placement("rate", "host", "LIFRate neurons, stepped by their own type"),
            Placement("direct", "host", "direct mode: functions are computed"),
            Placement("stimulus", "host", "a function"),
            Placement("connection from stimulus to a", "host", "comes from the host"),
            Placement("connection from a to rate", "hardware", "decoders"),
            Placement("connection from rate to direct", "host", "comes from the host"),
        ]

    def test_they_are_shown_on_standard_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown = Simulator(mixed()).where()
        out, err = capsys.readouterr()
        assert (out, err) == ("", shown + "\n")
        assert "connection from rate to direct" in shown

    @pytest.mark.parametrize("option", [{"quiet": True}, {"progress_bar": False}])
    def test_they_need_not_be(
        self, option: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        Simulator(mixed(), **option)
        assert capsys.readouterr() == ("", "")

    def test_a_host_in_the_loop_is_told(self) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(20, 1, label="a", **SLOW)
            node = nengo.Node(lambda t, x: -x, size_in=1, size_out=1)
            nengo.Connection(a, node)
            nengo.Connection(node, a)
        why = "a node that hears ensembles drives one: hardware waits for the host in every step"
        assert quiet(model).placements[-1] == Placement("simulation", "host", why)

    @pytest.mark.parametrize(
        ("neurons", "why"),
        [
            (nengo.LIF(amplitude=0.5), "LIF neurons with an amplitude of 0.5, not 1"),
            (nengo.LIF(min_voltage=-1), "LIF neurons with a min_voltage of -1, not 0"),
            (
                nengo.SpikingRectifiedLinear(initial_state={"voltage": nengo.dists.Choice([0.5])}),
                "SpikingRectifiedLinear neurons with an initial state",
            ),
            (nengo.Izhikevich(), "Izhikevich neurons, stepped by their own type"),
        ],
    )
    def test_neurons_that_hardware_has_not_run_on_the_host(self, neurons: Any, why: str) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(10, 1, label="a", neuron_type=neurons, **SLOW)
            probe = nengo.Probe(a.neurons)
        simulator = quiet(model)
        assert simulator.placements == [Placement("a", "host", why)]
        simulator.run(0.2)
        assert simulator.data[probe].shape == (200, 10)
        assert simulator.data[probe].max() > 0

    def test_a_network_of_ours_tells_too(self) -> None:
        with nef.Network(seed=1) as model:
            node, a = nef.Node([0.5], label="in"), nef.Ensemble(20, 1, label="a")
            heard = nef.Node(size_in=1, label="out")
            nef.Connection(node, a)
            learned = nef.Connection(a, heard, learning_rule=nef.PES())
            nef.Connection(heard, learned.learning_rule)
            nef.Connection(a, heard)
        simulator = Simulator(model)
        assert simulator.placements == [
            Placement("a", "hardware", "20 LIF neurons"),
            Placement("in", "host", "needs no ensemble"),
            Placement("out", "host", "hears ensembles, one step late"),
            Placement("connection from in to a", "host", "comes from a node"),
            Placement("connection from a to out", "hardware", "decoders that learn"),
            Placement(
                "connection from out to learning rule of connection from a to out",
                "host",
                "comes from a node",
            ),
            Placement("connection from a to out", "hardware", "decoders"),
            Placement(
                "simulation",
                "host",
                "a node that hears ensembles drives one: hardware waits for the host in every step",
            ),
        ]
        assert "connection from in to a" in simulator.where()


class TestInterface:
    def test_it_is_that_of_nengo(self) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(20, 2, **SLOW)
            whole, part = nengo.Probe(a, synapse=0.01), nengo.Probe(a[1], sample_every=0.01)
            spikes = nengo.Probe(a.neurons[[3, 1]])
        with Simulator(model, 0.001, seed=3, progress_bar=False, optimize=True) as simulator:
            simulator.run(0.05, progress_bar=False)
            simulator.run_steps(49)
            simulator.step()
            assert (simulator.n_steps, simulator.dt) == (100, 0.001)
            assert simulator.time == pytest.approx(0.1)
            assert simulator.data[whole].shape == (100, 2)
            assert simulator.data[part].shape == (10, 1)
            assert simulator.data[spikes].shape == (100, 2)
            assert len(simulator.trange()) == 100
            assert len(simulator.trange(sample_every=0.01)) == 10
            first = simulator.data[whole]
            simulator.clear_probes()
            assert len(simulator.data[whole]) == 0
            simulator.reset()
            simulator.run(0.1)
            assert np.array_equal(simulator.data[whole], first)
        assert {whole, part, spikes, a} <= set(simulator.data)

    def test_what_is_probed_in_part_is_that_part(self) -> None:
        with nengo.Network(seed=1) as model:
            a = nengo.Ensemble(20, 2, **SLOW)
            whole, part = nengo.Probe(a.neurons), nengo.Probe(a.neurons[[3, 1]], "output")
        simulator = quiet(model)
        simulator.run(0.3)
        assert simulator.data[whole].any()
        assert np.array_equal(simulator.data[part], simulator.data[whole][:, [3, 1]])

    def test_nothing_imports_nengo(self) -> None:
        code = "import sys, spikewright.nef; sys.exit('nengo' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_what_is_no_network_is_refused(self) -> None:
        with pytest.raises(ProgramError, match=r"^from_nengo takes a nengo\.Network, not 3$"):
            from_nengo(3)
        with pytest.raises(
            ProgramError, match=r"^Network must be one of spikewright\.nef or of Nengo, not 3$"
        ):
            Simulator(3)
        with pytest.raises(
            ProgramError, match=r"^Seed belongs to the network: nef\.Network\(seed=4\)$"
        ):
            Simulator(nef.Network(), seed=4)

    def test_a_reset_keeps_the_seed(self) -> None:
        with pytest.raises(
            ProgramError, match=r"^Reset keeps the seed: make another Simulator for a new one$"
        ):
            quiet(nengo.Network(seed=1)).reset(seed=2)


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
