# SPDX-License-Identifier: Apache-2.0
"""Programs of networks: the same integers in every engine, and factors that mean the matrix."""

from typing import Any

import numpy as np
import pytest
from nef_models import filtered, joined, player, recorded, rms, simulated, white_noise

from spikewright import nef
from spikewright.sim import golden
from spikewright.sim.emulator import Emulator
from spikewright.sim.event_matvec import EventMatVec
from spikewright.verify import verify

STEPS = 60


def recurrent() -> nef.Network:
    """Two numbers that turn, pushed by a third."""
    with nef.Network(seed=5) as model:
        u = player(white_noise(0.1))
        a = nef.Ensemble(12, 2, label="a")
        nef.Connection(u, a[0], synapse=None)
        nef.Connection(a, a, transform=[[1.0, 0.3], [-0.3, 1.0]], synapse=0.02)
        nef.Probe(a, synapse=0.01)
        nef.Probe(a.neurons, "voltage")
    return model


def learning() -> nef.Network:
    with nef.Network(seed=6) as model:
        u = player(white_noise(0.1, seed=1))
        a, b = nef.Ensemble(10, 1, label="a"), nef.Ensemble(10, 1, label="b")
        nef.Connection(u, a, synapse=None)
        c = nef.Connection(
            a, b, function=lambda x: -x, learning_rule=nef.PES(learning_rate=1e-2), synapse=0.005
        )
        nef.Connection(b, c.learning_rule, synapse=0.005)
        nef.Connection(u, c.learning_rule, transform=-1, synapse=0.005)
        nef.Probe(b, synapse=0.01)
    return model


def second_order() -> nef.Network:
    with nef.Network(seed=7) as model:
        u = player(white_noise(0.1, seed=2))
        a, b = nef.Ensemble(10, 1, label="a"), nef.Ensemble(8, 1, label="b")
        nef.Connection(u, a, synapse=None)
        nef.Connection(a, b, function=np.square, synapse=nef.Alpha(0.01))
        nef.Probe(b, synapse=nef.Alpha(0.02))
        nef.Probe(b.neurons)
    return model


def to_neurons() -> nef.Network:
    """Currents from a node and from an ensemble, straight to neurons, and full weights."""
    with nef.Network(seed=8) as model:
        u = player(white_noise(0.1, seed=3))
        a = nef.Ensemble(10, 1, label="a", neuron_type=nef.LIF(reset="zero"))
        b = nef.Ensemble(8, 1, label="b", neuron_type=nef.SpikingRectifiedLinear())
        nef.Connection(u, a.neurons, transform=np.linspace(-1, 2, 10)[:, None], synapse=None)
        nef.Connection(a, b.neurons, transform=np.linspace(-50, 90, 8)[:, None], synapse=0.005)
        nef.Connection(a, b, solver=nef.LstsqL2(weights=True), synapse=0.01)
        nef.Probe(b.neurons, synapse=0.01)
        nef.Probe(b)
    return model


def tiny() -> nef.Network:
    """A loop through a second-order synapse, and a current straight to its neurons."""
    with nef.Network(seed=3) as model:
        a = nef.Ensemble(6, 1, label="a")
        gains = np.linspace(-1, 3, 6)[:, None]
        nef.Connection(player(white_noise(0.1)), a.neurons, transform=gains, synapse=None)
        nef.Connection(a, a, transform=0.8, synapse=nef.Alpha(0.01))
        nef.Probe(a.neurons)
    return model


NETWORKS = [tiny, recurrent, learning, second_order, to_neurons]


def inputs_of(model: nef.Network, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """A network's program, and what the host gives it in the first steps."""
    with nef.Simulator(model) as sim:
        given = recorded(sim, monkeypatch)
        sim.run_steps(STEPS)
    return sim.program, joined(given)


@pytest.mark.parametrize("make", NETWORKS)
def test_golden_model_and_both_engines_are_equal(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every stream of every node, to the bit."""
    program, inputs = inputs_of(make(), monkeypatch)
    wanted = golden.run(program, inputs)
    assert all(wanted[name].any() for name in wanted if name.endswith(".spike"))
    for engine in ("NumPy", "Numba"):
        found = Emulator(program, engine=engine).trace(inputs, list(wanted))
        for name, codes in wanted.items():
            np.testing.assert_array_equal(found[name], codes, err_msg=f"{engine} {name}")


@pytest.mark.parametrize(
    "make", [tiny, *(pytest.param(make, marks=pytest.mark.slow) for make in NETWORKS[1:])]
)
def test_gateware_runs_the_network(make: Any) -> None:
    """All that is probed, to the bit, in two runs of one device."""
    model, found = make(), []
    for on in ("emulator", "rtl"):
        with nef.Simulator(model, on=on) as sim:
            sim.run_steps(1)
            sim.run_steps(39)
            learned = [sim.decoders(c) for c in sim.compiled.learned]
        found.append([*(sim.data[probe] for probe in model.probes), *learned])
    for probed, wanted in zip(*found, strict=True):
        np.testing.assert_array_equal(probed, wanted)
    assert all(values.any() for values in found[0])


def test_verify_compares_what_no_output_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop's last step comes after the last output."""
    program, inputs = inputs_of(tiny(), monkeypatch)
    found = verify(program, inputs)
    assert (found.mismatches, found.first) == (0, None)


@pytest.mark.parametrize("function", [None, np.square])
def test_full_weights_do_what_factors_do(function: Any) -> None:
    """But for the value between, whose 16 bits round: the same vector within 0.03."""
    signal = white_noise(0.5, seed=4)

    def model(solver: Any) -> tuple[nef.Network, Any]:
        with nef.Network(seed=9) as made:
            a, b = nef.Ensemble(60, 1, label="a"), nef.Ensemble(50, 1, label="b", radius=1.5)
            nef.Connection(player(signal), a, synapse=None)
            nef.Connection(a, b, function=function, synapse=0.01, solver=solver)
            return made, nef.Probe(b, synapse=0.02)

    factored, full = model(nef.LstsqL2()), model(nef.LstsqL2(weights=True))
    sims = [simulated(m, 500) for m, _ in (factored, full)]
    found = [sim.data[probe] for sim, (_, probe) in zip(sims, (factored, full), strict=True)]
    assert not np.array_equal(*found)
    assert rms(found[0] - found[1]) < 0.03
    wanted = filtered(signal if function is None else signal**2, 0.03)
    assert all(rms(one - wanted) < 0.12 for one in found)
    shapes = [
        {
            (n.primitive.rows, n.primitive.columns)
            for n in sim.program.nodes
            if isinstance(n.primitive, EventMatVec) and n.name.startswith("b")
        }
        for sim in sims
    ]
    assert shapes == [{(1, 60)}, {(50, 60)}]


def test_weights_hold_decoders_encoders_and_the_synapse_s_gain() -> None:
    """``drive · gain · e · D / radius · lambda / dt`` to 2^-15 of the largest."""
    with nef.Network(seed=9) as model:
        a, b = nef.Ensemble(30, 1, label="a"), nef.Ensemble(20, 1, label="b", radius=1.5)
        c = nef.Connection(a, b, synapse=0.01, solver=nef.LstsqL2(weights=True), transform=0.5)
        nef.Probe(b)
    sim = nef.Simulator(model)
    name, codes = next((n, t) for n, t in sim.program.tensors.items() if t.shape == (20, 30))
    spec = next(n for n in sim.program.nodes if getattr(n.primitive, "weight", None) == name)
    weights = spec.primitive.weight_format.decode(codes)
    drawn, p = sim.data[b], sim.compiled.populations[b]
    gain = sim.compiled.populations[b].drive * drawn.gain[:, None] * drawn.encoders / 1.5
    lam = 1 - np.exp(-1e-3 / 0.01)
    exact = gain @ (0.5 * sim.data[c].decoders) * lam / 1e-3
    assert p.current.width == 18
    assert np.abs(weights - exact).max() <= np.abs(exact).max() * (2**-15 + 1e-3)


def test_connections_of_one_synapse_share_a_filter() -> None:
    with nef.Network(seed=1) as model:
        a, b, c = (nef.Ensemble(10, 1, label=k) for k in "abc")
        for pre, synapse in ((a, 0.01), (b, 0.01), (a, 0.01), (b, 0.02)):
            nef.Connection(pre, c, synapse=synapse)
        nef.Probe(c)
    nodes = [n.name for n in nef.Simulator(model).program.nodes]
    assert sum("filter" in n and "rounded" not in n for n in nodes if n.startswith("c_x")) == 2
    products = [n for n in nodes if n in {f"c_x{k}_from_{e}" for k in "01" for e in "ab"}]
    assert products == ["c_x0_from_a", "c_x0_from_b", "c_x1_from_b"]


def test_a_network_without_nodes_or_listeners() -> None:
    with nef.Network(seed=1) as model:
        a = nef.Ensemble(10, 1)
    assert simulated(model, 10).program is None
    with model:
        spikes = nef.Probe(a.neurons)
    assert simulated(model, 50).data[spikes].any()


@pytest.mark.parametrize("label", ["a b", "A_b", "ä", "1", "", "a" * 300, "module"])
def test_any_label_makes_a_name(label: str) -> None:
    with nef.Network(seed=1) as model:
        for _ in range(2):
            nef.Probe(nef.Ensemble(5, 1, label=label), label=label)
    assert simulated(model, 3).n_steps == 3
