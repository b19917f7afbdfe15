# SPDX-License-Identifier: Apache-2.0
"""What the host computes: nodes in order, one step late where they hear ensembles."""

import math
from typing import Any

import numpy as np
import pytest
from nef_models import filtered, player, simulated, white_noise

from spikewright import nef
from spikewright.sim.errors import ProgramError


def test_nodes_find_their_inputs_of_the_same_step_in_whatever_order_they_are_made() -> None:
    with nef.Network() as model:
        last = nef.Node(lambda t, x: 10 * x, size_in=1)
        middle = nef.Node(lambda t, x: x + 1, size_in=1)
        first = nef.Node(lambda t: t)
        nef.Connection(middle, last, synapse=None)
        nef.Connection(first, middle, synapse=None)
        probe = nef.Probe(last)
    sim = simulated(model, 4)
    assert sim.data[probe][:, 0] == pytest.approx(10 * (sim.trange() + 1))


@pytest.mark.parametrize(("synapse", "order"), [(nef.Lowpass(0.01), 1), (nef.Alpha(0.02), 2)])
def test_a_filter_between_nodes_brings_what_it_held_a_step_before(synapse: Any, order: int) -> None:
    signal = white_noise(0.1, dimensions=2)
    with nef.Network() as model:
        heard = nef.Node(size_in=2)
        nef.Connection(player(signal), heard, synapse=synapse)
        probe = nef.Probe(heard)
    found = simulated(model, 100).data[probe]
    assert not found[0].any()
    assert found[1:] == pytest.approx(filtered(signal, synapse.tau, order=order)[:-1], abs=1e-12)


def test_a_probe_s_filter_is_that_of_the_same_step() -> None:
    signal = white_noise(0.1)
    with nef.Network() as model:
        probe = nef.Probe(player(signal), synapse=0.01)
    assert simulated(model, 100).data[probe] == pytest.approx(filtered(signal, 0.01), abs=1e-12)


def test_functions_and_transforms_of_what_nodes_send() -> None:
    with nef.Network() as model:
        u, heard = nef.Node([1.0, 2.0, 3.0]), nef.Node(size_in=2)
        nef.Connection(
            u[[2, 0]], heard, function=lambda x: x**2, transform=[[1, 1], [0, 5]], synapse=None
        )
        nef.Connection(u[1], heard[1], synapse=None)
        probe = nef.Probe(heard)
    assert simulated(model, 2).data[probe].tolist() == [[10, 7], [10, 7]]


def test_a_node_hears_ensembles_one_step_late() -> None:
    with nef.Network(seed=1) as model:
        a, heard = nef.Ensemble(30, 1), nef.Node(size_in=1)
        nef.Connection(nef.Node([0.8]), a, synapse=None)
        nef.Connection(a, heard, synapse=0.02)
        probes = nef.Probe(a, synapse=0.02), nef.Probe(heard)
    sim = simulated(model, 60)
    sent, found = (sim.data[p] for p in probes)
    assert not found[0].any()
    assert found[1:] == pytest.approx(sent[:-1], abs=1e-4)
    assert found[-1, 0] > 0.5


def test_lockstep_is_where_a_node_that_hears_ensembles_drives_one() -> None:
    """A loop through the host decays as one of the same filter on hardware does, one step later."""

    def model(through_host: bool) -> tuple[nef.Network, Any]:
        with nef.Network(seed=1) as made:
            a, host = nef.Ensemble(80, 1, label="a"), nef.Node(size_in=1)
            u = nef.Node(lambda t: 1.0 if t < 0.05 else 0.0)
            nef.Connection(u, a, synapse=None)
            nef.Connection(a, host if through_host else a, transform=0.7, synapse=0.05)
            if through_host:
                nef.Connection(host, a, synapse=None)
            return made, nef.Probe(a, synapse=0.02)

    models = [model(False), model(True)]
    sims = [simulated(m, 200) for m, _ in models]
    assert [sum(p.what == "simulation" for p in sim.placements) for sim in sims] == [0, 1]
    found = [sim.data[probe][:, 0] for sim, (_, probe) in zip(sims, models, strict=True)]
    assert np.abs(found[0] - found[1]).max() < 0.1
    assert found[1][100] > 0.15


def test_lockstep_runs_in_pieces_as_at_once() -> None:
    with nef.Network(seed=1) as model:
        a, host = nef.Ensemble(20, 1), nef.Node(lambda t, x: np.sin(9 * t) - x, size_in=1)
        nef.Connection(a, host, synapse=0.01)
        nef.Connection(host, a, synapse=0.01)
        probe = nef.Probe(host)
    whole, pieces = nef.Simulator(model), nef.Simulator(model)
    whole.run_steps(40)
    for steps in (1, 0, 30, 9):
        pieces.run_steps(steps)
    np.testing.assert_array_equal(whole.data[probe], pieces.data[probe])


def test_circles_of_nodes_need_a_synapse() -> None:
    with nef.Network() as model:
        a, b = nef.Node(size_in=1, label="a"), nef.Node(size_in=1, label="b")
        nef.Connection(a, b, synapse=None)
        back = nef.Connection(b, a, synapse=None)
    with pytest.raises(ProgramError, match=r"^Circle of a, b must have a synapse somewhere$"):
        nef.Simulator(model)
    back.synapse = nef.Lowpass(0.01)
    assert simulated(model, 3).n_steps == 3


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([1.0, 2.0], "Output of n at 0.003 s must have 1 numbers, not 2"),
        (math.nan, "Output of n at 0.003 s must be finite, not [nan]"),
        ([-math.inf], "Output of n at 0.003 s must be finite, not [-inf]"),
        ("a", "Output of n at 0.003 s must be numbers, not 'a'"),
        (None, "Output of n at 0.003 s must be numbers, not None"),
        ([[1.0]], "Output of n at 0.003 s must be a vector, not of shape (1, 1)"),
        ([[1], [1, 2]], "Output of n at 0.003 s must be numbers, not [[1], [1, 2]]"),
    ],
)
def test_what_nodes_must_return(value: Any, sentence: str) -> None:
    with nef.Network() as model:
        n = nef.Node(lambda t: value if t > 0.0025 else 0.5, label="n")
        nef.Connection(n, nef.Ensemble(10, 1))
        nef.Probe(n)
    sim = nef.Simulator(model)
    sim.run_steps(2)
    with pytest.raises(ProgramError) as caught:
        sim.step()
    assert str(caught.value) == sentence
    # Filters of the host have gone on, and others have not.
    for _ in range(2):
        with pytest.raises(
            ProgramError, match=r"^Simulator stopped within a step: reset it to go on$"
        ):
            sim.step()
    sim.reset()
    sim.run_steps(2)
    assert sim.n_steps == 2


def test_functions_that_are_not_finite_on_the_way_to_an_ensemble() -> None:
    with nef.Network() as model:
        a = nef.Ensemble(10, 1, label="a")
        nef.Connection(
            nef.Node(lambda t: t), a, function=lambda x: x / 0 if x > 0.002 else x, synapse=None
        )
        nef.Probe(a)
    sim = nef.Simulator(model)
    with (
        np.errstate(divide="ignore"),
        pytest.raises(ProgramError, match=r"^Nodes that drive a_x_in must give finite numbers$"),
    ):
        sim.run_steps(3)


def test_a_node_without_output_only_listens() -> None:
    heard: list[float] = []
    with nef.Network() as model:
        sink = nef.Node(lambda t, x: heard.append(float(x[0])), size_in=1)
        nef.Connection(nef.Node(lambda t: t), sink, synapse=None)
    simulated(model, 3)
    assert heard[-3:] == pytest.approx([0.001, 0.002, 0.003])
