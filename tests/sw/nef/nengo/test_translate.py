# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from nengo_models import SLOW, nengo, quiet

from spikewright import nef
from spikewright.nef import Simulator
from spikewright.nef.nengo.translate import from_nengo
from spikewright.nef.placement import Placement
from spikewright.sim.errors import ProgramError


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
