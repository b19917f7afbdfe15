# SPDX-License-Identifier: Apache-2.0
"""Runs in pieces, again and with sub-steps; and what a simulator refuses."""

import math
import re
from typing import Any

import numpy as np
import pytest
from nef_models import filtered, player, rms, simulated, white_noise

from spikewright import nef
from spikewright.sim.errors import DeviceError, FormatError, ProgramError, SpikewrightWarning


def taught(*, seed: int = 2) -> tuple[nef.Network, Any]:
    """A network with noise on its stimulus, a node that hears it, and decoders that learn."""
    signal = white_noise(0.3, seed=7)
    with nef.Network(seed=seed) as model:
        u, heard = player(signal), nef.Node(size_in=1)
        a, b = nef.Ensemble(30, 1, label="a"), nef.Ensemble(30, 1, label="b")
        nef.Connection(u, a, synapse=0.01)
        c = nef.Connection(a, b, learning_rule=nef.PES(learning_rate=1e-3), synapse=nef.Alpha(0.01))
        nef.Connection(b, c.learning_rule, synapse=0.01)
        nef.Connection(u, c.learning_rule, transform=-1, synapse=0.01)
        nef.Connection(b, heard, synapse=0.01)
        for probe in (a, b, heard):
            nef.Probe(probe, synapse=0.02)
        nef.Probe(a.neurons, synapse=0.02)
        nef.Probe(b.neurons)
        nef.Probe(b.neurons, "voltage", sample_every=0.003)
    return model, c


def kept(sim: nef.Simulator, connection: Any) -> list[Any]:
    return [*(sim.data[p] for p in sim.network.probes), sim.decoders(connection)]


def assert_same(one: list[Any], other: list[Any]) -> None:
    for wanted, found in zip(one, other, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_pieces_are_the_whole() -> None:
    """Also of what is learned, and of filters on the host."""
    model, c = taught()
    with nef.Simulator(model) as whole, nef.Simulator(model) as pieces:
        whole.run_steps(150)
        for steps in (1, 0, 2, 47, 100):
            pieces.run_steps(steps)
        wanted = kept(whole, c)
        assert_same(wanted, kept(pieces, c))
    assert all(values.any() for values in wanted)
    assert not np.array_equal(wanted[-1], whole.data[c].decoders)


def test_reset_is_a_fresh_run() -> None:
    model, c = taught()
    with nef.Simulator(model) as sim:
        before = sim.decoders(c)
        sim.run_steps(80)
        first = kept(sim, c)
        sim.reset()
        assert (sim.n_steps, sim.time, sim.trange().size) == (0, 0, 0)
        assert all(sim.data[probe].size == 0 for probe in model.probes)
        np.testing.assert_array_equal(sim.decoders(c), before)
        sim.run_steps(80)
        assert_same(first, kept(sim, c))


def test_forgotten_samples_do_not_change_what_comes() -> None:
    model, _ = taught()
    with nef.Simulator(model) as sim, nef.Simulator(model) as other:
        sim.run_steps(60)
        sim.clear_probes()
        sim.run_steps(60)
        other.run_steps(120)
        probe = model.probes[1]
        np.testing.assert_array_equal(sim.data[probe], other.data[probe][60:])


def test_the_seed_decides_all_and_0_is_one() -> None:
    def spikes(**seed: int) -> Any:
        with nef.Network(**seed) as model:
            nef.Connection(nef.Node([0.3]), e := nef.Ensemble(20, 1))
            probe = nef.Probe(e.neurons)
        return simulated(model, 50).data[probe]

    np.testing.assert_array_equal(spikes(seed=0), spikes(seed=0))
    np.testing.assert_array_equal(spikes(), spikes(seed=0))
    assert not np.array_equal(spikes(seed=0), spikes(seed=1))


@pytest.mark.parametrize("every", [None, 0.001, 0.003, 0.0025])
def test_times_are_those_of_the_samples(every: float | None) -> None:
    with nef.Network() as model:
        probe = nef.Probe(nef.Node(lambda t: t), sample_every=every)
    sim = simulated(model, 20)
    assert sim.trange()[[0, -1]] == pytest.approx([0.001, 0.02])
    assert sim.data[probe][:, 0] == pytest.approx(sim.trange(every))
    wanted = {0.003: [0.003, 0.006], 0.0025: [0.003, 0.005]}.get(every or 0, [0.001, 0.002])
    assert sim.trange(every)[:2] == pytest.approx(wanted)


def test_spikes_have_the_height_of_a_step() -> None:
    with nef.Network(seed=1) as model:
        a = nef.Ensemble(30, 1, max_rates=300.0)
        nef.Connection(nef.Node([0.9]), a, synapse=None)
        probe = nef.Probe(a.neurons)
    for dt, substeps in ((1e-3, 1), (2e-3, 8)):
        found = simulated(model, 200, dt=dt, substeps=substeps).data[probe]
        heights = np.unique(found * dt)
        assert heights == pytest.approx(np.round(heights))
        assert found.mean(axis=0).max() == pytest.approx(280, abs=25)


def test_substeps_let_neurons_fire_faster_and_leave_the_host_its_steps() -> None:
    signal, times = white_noise(0.3), []

    def play(t: float) -> Any:
        times.append(t)
        return signal[min(round(t / 1e-3), 300) - 1]

    with nef.Network(seed=1) as model:
        a = nef.Ensemble(100, 1, max_rates=nef.Uniform(350, 450))
        nef.Connection(nef.Node(play, size_out=1), a, synapse=None)
        probe = nef.Probe(a, synapse=0.01)
    times.clear()
    sim = simulated(model, 300, substeps=8)
    assert times == pytest.approx(np.arange(1, 301) * 1e-3)
    assert sim.compiled.dt == 1.25e-4
    assert rms(sim.data[probe] - filtered(signal, 0.01)) < 0.05


def test_substeps_are_shorter_steps_of_which_the_last_is_kept() -> None:
    """Of spikes their sum, and their mean where no synapse filters them."""
    with nef.Network(seed=1) as model:
        a = nef.Ensemble(20, 1)
        nef.Connection(nef.Node([0.6]), a, synapse=None)
        nef.Connection(a, a, synapse=0.02, transform=0.5)
        smooth, raw, spikes = nef.Probe(a, synapse=0.01), nef.Probe(a), nef.Probe(a.neurons)
        voltages = nef.Probe(a.neurons, "voltage")
    sub, short = simulated(model, 50, substeps=4), simulated(model, 200, dt=2.5e-4)
    for probe in (smooth, voltages):
        np.testing.assert_array_equal(sub.data[probe], short.data[probe][3::4])
    for probe in (raw, spikes):
        means = short.data[probe].reshape(50, 4, -1).mean(axis=1)
        np.testing.assert_allclose(sub.data[probe], means, atol=1e-12)
    assert sub.data[raw].any()


def test_a_whole_number_of_steps_is_run_and_told() -> None:
    with nef.Network() as model:
        nef.Node([1.0])
    sim = nef.Simulator(model)
    sim.run(0.003)
    sim.run(0.1 + 0.2)
    assert sim.n_steps == 303
    with pytest.warns(
        SpikewrightWarning,
        match=r"^Runs for 0\.002 s, 2 steps of 0\.001 s, not 0\.0016 s$",
    ):
        sim.run(0.0016)
    assert sim.n_steps == 305


def test_an_input_that_saturates_is_told_once() -> None:
    with nef.Network() as model:
        a = nef.Ensemble(10, 1, label="a")
        nef.Connection(nef.Node(lambda t: 30.0 if t > 0.0025 else 0.1), a, synapse=None)
        nef.Probe(a)
    sim = nef.Simulator(model)
    sim.run_steps(2)
    with pytest.warns(
        SpikewrightWarning,
        match=r"^Input a_x_in is 30 at 0\.003 s and saturates at 2: use a larger radius or more "
        r"headroom$",
    ):
        sim.run_steps(2)
    sim.run_steps(2)


def any_network() -> nef.Network:
    with nef.Network(seed=1) as model:
        a = nef.Ensemble(20, 1, label="a")
        nef.Connection(nef.Node([0.5], label="u"), a, synapse=None, label="c")
        nef.Probe(a, label="p")
    return model


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dt": 0}, "Time step must be positive and finite, not 0 s"),
        ({"dt": "0.001"}, "Time step must be positive and finite, not '0.001' s"),
        ({"dt": math.inf}, "Time step must be positive and finite, not inf s"),
        ({"substeps": 0}, "Substeps must be an integer from 1, not 0"),
        ({"substeps": 1.5}, "Substeps must be an integer from 1, not 1.5"),
        ({"seed": 0}, "Seed belongs to the network: nef.Network(seed=0)"),
        ({"precision": 16}, "Precision must be a nef.Precision(), not 16"),
        ({"neuron_reset": "zero"}, "Reset belongs to the neurons: nef.LIF(reset='zero')"),
        (
            {"substeps": 1000},
            "Refractory period of a must be at most 255 steps (0.000255 s), not 0.002 s",
        ),
    ],
)
def test_options_that_are_refused(options: Any, sentence: str) -> None:
    with pytest.raises(ProgramError) as caught:
        nef.Simulator(any_network(), **options)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("wrong", [3, None, nef.Network])
def test_what_is_no_network_is_refused(wrong: Any) -> None:
    with pytest.raises(ProgramError) as caught:
        nef.Simulator(wrong)
    assert str(caught.value) == f"Network must be one of spikewright.nef or of Nengo, not {wrong!r}"


def test_devices_and_lanes_that_are_not_there_are_refused() -> None:
    with pytest.raises(DeviceError, match=r"^Device must be emulator, rtl, pynq-sim, not 'fpga'$"):
        nef.Simulator(any_network(), on="fpga")
    with pytest.raises(FormatError, match=r"^Lanes can be chosen for a_encode, .*, not for 'b'$"):
        nef.Simulator(any_network(), on="rtl", lanes={"b": 2})


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda sim: sim.run(-1), "Time must be at least 0 s and finite, not -1"),
        (lambda sim: sim.run(math.nan), "Time must be at least 0 s and finite, not nan"),
        (lambda sim: sim.run("1"), "Time must be at least 0 s and finite, not '1'"),
        (lambda sim: sim.run_steps(1.5), "Steps must be an integer from 0, not 1.5"),
        (lambda sim: sim.run_steps(-1), "Steps must be an integer from 0, not -1"),
        (lambda sim: sim.trange(0), "sample_every must be positive and finite, not 0 s"),
        (lambda sim: sim.trange("a"), "sample_every must be positive and finite, not 'a' s"),
        (
            lambda sim: sim.reset(seed=1),
            "Reset keeps the seed: make another Simulator for a new one",
        ),
        (
            lambda sim: sim.decoders(sim.network.connections[0]),
            "Decoders must be those of a connection from an ensemble, not of c",
        ),
        (
            lambda sim: sim.decoders(3),
            "Decoders must be those of a connection from an ensemble, not of 3",
        ),
    ],
)
def test_calls_that_are_refused(call: Any, sentence: str) -> None:
    with nef.Simulator(any_network()) as sim, pytest.raises(ProgramError) as caught:
        call(sim)
    assert str(caught.value) == sentence


def test_a_closed_simulator_keeps_its_data_and_goes_no_further() -> None:
    model, c = taught()
    with nef.Simulator(model) as sim:
        sim.run_steps(10)
    sim.close()
    assert sim.data[model.probes[0]].shape == (10, 1)
    for call in (sim.step, lambda: sim.decoders(c)):
        with pytest.raises(ProgramError, match=r"^Simulator is closed: make another one to go on$"):
            call()


def test_what_was_not_built_has_no_data() -> None:
    model = any_network()
    sim = nef.Simulator(model)
    with model:
        late = nef.Probe(model.ensembles[0], label="late")
    sim.run_steps(3)
    assert late not in sim.data
    for key, name in ((late, "late"), (model.connections[0], "c"), ("p", "p")):
        sentence = (
            f"{name} is no probe, ensemble or connection from an ensemble that was in the network "
            "as it was built"
        )
        with pytest.raises(KeyError, match=re.escape(sentence)):
            sim.data[key]


def test_a_table_says_what_runs_where() -> None:
    shown = nef.Simulator(any_network()).where()
    rows = [re.split(r"\s*[│|]\s*", line.strip("│| ")) for line in shown.splitlines()]
    assert ["a", "hardware", "20 LIF neurons"] in rows
    assert ["u", "host", "needs no ensemble"] in rows
    assert ["c", "host", "comes from a node"] in rows
