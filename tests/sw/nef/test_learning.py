# SPDX-License-Identifier: Apache-2.0
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nef_models import filtered, joined, recorded, rms, simulated

from spikewright import nef
from spikewright.nef.learning import Pes, delta_rule, learn_codes
from spikewright.nef.precision import LeakCode
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import DataError, ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.learn import LEARNED, Learn

WEIGHT = QFormat(width=16, frac=14)


def test_pes_by_hand() -> None:
    pes = Pes(learning_rate=0.2, n_neurons=4, dt=0.5)
    got = pes.change(np.array([0.0, 10.0, 20.0, 0.0]), np.array([1.0, -2.0]))
    # -0.2 * 0.5 / 4 = -1/40 times rate times error.
    np.testing.assert_allclose(got, [[0, 0], [-0.25, 0.5], [-0.5, 1.0], [0, 0]])


@pytest.mark.parametrize("gain", [1.0, 0.18, 0.02])
@pytest.mark.parametrize("dt", [1e-3, 2.5e-4])
def test_a_spike_changes_decoders_as_it_changes_weights(gain: float, dt: float) -> None:
    pes = Pes(learning_rate=3e-4, n_neurons=5, dt=dt, gain=gain)
    spikes, error = np.array([0, 1, 0, 1, 1]), np.array([0.5, -0.25])
    decoders = pes.change(spikes / dt, error)
    weights = pes.per_spike * np.multiply.outer(error, spikes)
    np.testing.assert_allclose(weights, decoders.T * gain / dt, rtol=1e-12)
    # A decoder's change by one spike does not depend on the step.
    np.testing.assert_allclose(decoders[1], -3e-4 / 5 * error, rtol=1e-12)


def test_error_shrinks_in_a_geometric_series() -> None:
    """With constant rates, each step leaves 1 - κ dt |a|^2 / N of the error."""
    rates, wanted = np.array([40.0, 100.0, 0.0]), np.array([0.7, -0.2])
    pes = Pes(learning_rate=1e-2, n_neurons=3)
    left = 1 - 1e-2 * 1e-3 * (rates @ rates) / 3
    decoders = np.zeros((3, 2))
    for step in range(30):
        error = rates @ decoders - wanted
        np.testing.assert_allclose(error, -wanted * left**step, rtol=1e-9)
        decoders += pes.change(rates, error)
    assert 0 < left**30 < 0.5


def test_pes_reaches_the_least_squares_decoders() -> None:
    rng = np.random.default_rng(3)
    rates, noise = rng.uniform(0, 200, (12, 4)), rng.normal(size=(12, 2))
    wanted = rates @ rng.normal(size=(4, 2)) / 100 + 0.1 * noise
    exact = np.linalg.lstsq(rates, wanted, rcond=None)[0]
    assert np.abs(rates @ exact - wanted).max() > 0.01
    pes, decoders = Pes(learning_rate=4e-3, n_neurons=4), np.zeros((4, 2))
    for _ in range(4000):
        # All samples' changes together: the gradient of the squares, with no noise of their order.
        errors = rates @ decoders - wanted
        decoders = decoders + sum(pes.change(a, e) for a, e in zip(rates, errors, strict=True))
    np.testing.assert_allclose(decoders, exact, rtol=1e-6)


def test_delta_rule_by_hand_and_beside_pes() -> None:
    weights, a, target = np.array([[1.0, 2.0]]), np.array([3.0, -1.0]), np.array([5.0])
    # 5 - (3 - 2) = 4.
    got = delta_rule(weights, a, target, learning_rate=0.5)
    np.testing.assert_allclose(got, [[6.0, -2.0]])
    pes = Pes(learning_rate=0.3, n_neurons=2, dt=0.01)
    change = pes.change(a, weights @ a - target)
    eta = 0.3 * 0.01 / 2
    np.testing.assert_allclose(delta_rule(weights, a, target, learning_rate=eta), change.T)


def test_delta_rule_fits_exactly_where_that_is_possible() -> None:
    rng = np.random.default_rng(5)
    inputs, exact = rng.normal(size=(5, 3)), rng.normal(size=(2, 3))
    weights = np.zeros((2, 3))
    for _ in range(2000):
        for a in inputs:
            weights += delta_rule(weights, a, exact @ a, learning_rate=0.1)
    np.testing.assert_allclose(weights, exact, rtol=1e-9)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 9),
    width=st.integers(2, 12),
    narrower=st.integers(0, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_codes_learn_as_the_primitive_does(
    rows: int, columns: int, width: int, narrower: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    fmt = QFormat(width=width, frac=3)
    change = QFormat(width=max(1, width - narrower), frac=3)
    learn = Learn(rows=rows, columns=columns, weight="w", weight_format=fmt, change=change)
    weights = rng.integers(fmt.lo, fmt.hi + 1, (rows, columns))
    tensors, state, mine = {"w": weights}, learn.init_state(1), weights
    for _ in range(6):
        spikes = rng.integers(0, 2, columns)
        d = rng.integers(change.lo, change.hi + 1, rows)
        state, (y,) = learn.step(tensors, state, spikes[None], d[None])
        np.testing.assert_array_equal(y[0], mine @ spikes)
        mine = learn_codes(mine, spikes, d, fmt)
        np.testing.assert_array_equal(weights + state[LEARNED][0], mine)


def test_codes_saturate_and_leave_silent_columns_alone() -> None:
    fmt = QFormat(width=4)
    weights = np.array([[7, 7, -8], [6, 0, -7]])
    got = learn_codes(weights, np.array([1, 0, 1]), np.array([-3, 5]), fmt)
    np.testing.assert_array_equal(got, [[4, 7, -8], [7, 0, -2]])
    np.testing.assert_array_equal(weights, [[7, 7, -8], [6, 0, -7]])


@pytest.mark.parametrize(
    ("largest", "wanted"), [(4.0, "s11.14"), (0.001, "s4.14"), (1e4, "s16.14")]
)
def test_change_format_holds_the_largest_error(largest: float, wanted: str) -> None:
    """4e-2 · 2^14 is 655, of 11 bits with the sign."""
    pes = Pes(learning_rate=1e-4, n_neurons=10)
    assert str(pes.change_format(largest, WEIGHT)) == wanted


def test_smallest_error_is_where_weights_begin_to_learn() -> None:
    pes = Pes(learning_rate=1e-4, n_neurons=10, gain=0.5)
    least = pes.smallest_error(WEIGHT)
    # 1e-4 / 10 / 1e-3 / 2 = 1/200 a spike: half an LSB of 2^-14 for an error of 100 LSB.
    assert least == pytest.approx(100 * 2.0**-14)
    assert WEIGHT.encode(pes.per_spike * least * np.array([0.999, 1.001])).tolist() == [0, -1]


def test_integers_follow_the_rule_in_floating_point() -> None:
    """A constant, learned from regular spikes: integers stay beside the rule, and both arrive."""
    neurons, dt, target = 20, 1e-3, 0.6
    pes = Pes(learning_rate=2e-3, n_neurons=neurons, dt=dt)
    weight = QFormat(width=24, frac=20)
    change = pes.change_format(1.0, weight)
    rng = np.random.default_rng(8)
    codes, decoders = np.zeros((1, neurons), np.int64), np.zeros((neurons, 1))
    for _ in range(400):
        spikes = (rng.random(neurons) < 0.3).astype(np.int64)
        decoded = weight.decode(codes @ spikes)
        d = change.encode(pes.per_spike * (decoded - target))
        codes = learn_codes(codes, spikes, d, weight)
        decoders += pes.change(spikes / dt, (spikes / dt) @ decoders - target)
    mean = 0.3 * weight.decode(codes).sum()
    assert abs(mean - 0.3 * decoders.sum() / dt) < 0.002
    assert abs(mean - target) < 0.15


def sentence(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_neurons": 0}, "Neurons that learn must be an integer from 1, not 0"),
        (
            {"n_neurons": 5, "learning_rate": 0.0},
            "Learning rate must be positive and finite, not 0.0",
        ),
        ({"n_neurons": 5, "dt": -1e-3}, "Step must be positive and finite, not -0.001"),
        (
            {"n_neurons": 5, "gain": 0},
            "Gain of the synapse must be above 0 and at most 1, not 0",
        ),
        (
            {"n_neurons": 5, "gain": 1.5},
            "Gain of the synapse must be above 0 and at most 1, not 1.5",
        ),
    ],
)
def test_refused_options(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ProgramError, match=sentence(text)):
        Pes(**options)


def test_refused_shapes() -> None:
    with pytest.raises(DataError, match=sentence("Activities must be (3,), not (2,)")):
        Pes(n_neurons=3).change(np.ones(2), np.ones(1))
    text = "Weights must be (outputs, neurons), of changes (3,) and spikes (2,), not (2, 3)"
    ones = np.ones(3, np.int64)
    with pytest.raises(DataError, match=sentence(text)):
        learn_codes(np.ones((2, 3), np.int64), ones[:2], ones, WEIGHT)
    text = "Weights must be (outputs, inputs), of targets (1,) and activities (2,), not (2, 1)"
    with pytest.raises(DataError, match=sentence(text)):
        delta_rule(np.ones((2, 1)), np.ones(2), np.ones(1), learning_rate=0.1)
    with pytest.raises(
        ProgramError, match=sentence("Learning rate must be positive and finite, not nan")
    ):
        delta_rule(np.ones((1, 2)), np.ones(2), np.ones(1), learning_rate=math.nan)


def changes(sim: Any, learned: Any, given: list[Any]) -> Any:
    """Codes (steps, size) of the change of decoders, from what the host gave since the start."""
    node = next(n for n in sim.program.nodes if n.name == f"{learned.tensor}_product")
    return Emulator(sim.program).trace(joined(given), [node.inputs[1]])[node.inputs[1]][0]


def learner(*, transform: Any = 1.0, synapse: Any = 0.01, rate: float = 5e-4) -> Any:
    """Two numbers, sent on by decoders that begin at zero and learn."""
    with nef.Network(seed=3) as model:
        u = nef.Node(lambda t: [0.7 * np.sin(6 * t), 0.5], size_out=2)
        a, b = nef.Ensemble(40, 2, label="a"), nef.Ensemble(40, 2, label="b")
        nef.Connection(u, a, synapse=None)
        taught = nef.Connection(
            a,
            b,
            function=lambda x: [0.0, 0.0],
            transform=transform,
            synapse=synapse,
            learning_rule=nef.PES(learning_rate=rate),
        )
        nef.Connection(b, taught.learning_rule, synapse=0.02)
        nef.Connection(u, taught.learning_rule, transform=-1, synapse=0.02)
        spikes, sent = nef.Probe(a.neurons), nef.Probe(b, synapse=0.02)
    return model, taught, spikes, sent


@pytest.mark.parametrize(
    ("transform", "synapse"),
    [(1.0, 0.01), ([[0.5, 0.2], [0.0, -1.0]], 0.01), (1.0, None), (1.0, nef.Alpha(0.01))],
)
def test_networks_learn_as_codes_do(
    transform: Any, synapse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a device holds after each step is what ``learn_codes`` makes of what it held before."""
    model, taught, spikes, _ = learner(transform=transform, synapse=synapse)
    with nef.Simulator(model) as sim:
        learned, given = sim.compiled.learned[taught], recorded(sim, monkeypatch)
        held = [sim.device.read_tensor(learned.tensor)]
        for _ in range(60):
            sim.step()
            held.append(sim.device.read_tensor(learned.tensor))
    fired, change = sim.data[spikes] > 0, changes(sim, learned, given)
    assert fired.any()
    assert len(np.unique(change)) > 10
    mine = held[0]
    for step, theirs in enumerate(held[1:]):
        mine = learn_codes(mine, fired[step].astype(np.int64), change[step], learned.format)
        np.testing.assert_array_equal(mine, theirs)
    assert np.unique(mine).size > 10


@pytest.mark.parametrize("transform", [1.0, [[0.5, 0.2], [0.0, -1.0]]])
def test_change_in_a_network_is_that_of_the_rule(
    transform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the step before, whatever the transform, within 2 LSB and the leak's own."""
    model, taught, _, sent = learner(transform=transform)
    with nef.Simulator(model) as sim:
        learned, given = sim.compiled.learned[taught], recorded(sim, monkeypatch)
        sim.run_steps(200)
    time = sim.trange()[:, None]
    wanted = filtered(np.hstack([0.7 * np.sin(6 * time), np.full_like(time, 0.5)]), 0.02)
    rule = -5e-4 / 40 * LeakCode.of(1 - math.exp(-0.1)).value / 1e-3
    exact = rule * (sim.data[sent] - wanted)[:-1]
    change = learned.format.decode(changes(sim, learned, given)[1:])
    assert np.abs(exact).max() > 100 * learned.format.lsb
    assert np.abs(change - exact).max() <= 2 * learned.format.lsb + 2e-3 * np.abs(exact).max()


@pytest.mark.parametrize("transform", [0.05, 1.0, 20.0])
def test_what_learns_has_the_range_of_what_does_not(transform: float) -> None:
    """Decoders that could learn and hear no error bring what others do, of any size."""
    found = []
    for rule in (None, nef.PES(learning_rate=1e-4)):
        with nef.Network(seed=3) as model:
            a, b = nef.Ensemble(60, 1), nef.Ensemble(60, 1, radius=transform)
            nef.Connection(nef.Node([0.8]), a, synapse=None)
            c = nef.Connection(a, b, transform=transform, synapse=0.02, learning_rule=rule)
            if rule is not None:
                nef.Connection(nef.Node([0.0]), c.learning_rule)
            probe = nef.Probe(b, synapse=0.05)
        found.append(simulated(model, 300).data[probe][-1, 0] / transform)
    assert found[1] == pytest.approx(found[0], abs=0.002)
    assert found[0] == pytest.approx(0.8, abs=0.03)


def test_a_network_learns_what_it_is_taught() -> None:
    model, taught, _, sent = learner(rate=3e-3)
    with nef.Simulator(model) as sim:
        sim.run(1.5)
        found = sim.decoders(taught)
    target = np.array([0.7 * np.sin(6 * sim.trange()), np.full(1500, 0.5)]).T
    late = sim.data[sent][1200:] - filtered(target, 0.04)[1200:]
    assert rms(late) < 0.15
    assert found.shape == (2, 40)
    assert not sim.data[taught].decoders.any()


def test_a_rate_that_changes_nothing_is_refused() -> None:
    with nef.Network(seed=1) as model:
        a, b = nef.Ensemble(50, 1, label="a"), nef.Ensemble(50, 1, label="b")
        c = nef.Connection(a, b, learning_rule=nef.PES(learning_rate=1e-9))
        nef.Connection(b, c.learning_rule)
        nef.Probe(b)
    with pytest.raises(
        ProgramError,
        match=r"^Learning rate of connection from a to b must be at least \S+, or an error of 4 "
        r"changes no decoder of s24\.\d+, not 1e-09$",
    ) as caught:
        nef.Simulator(model)
    least = float(str(caught.value).split("at least ")[1].split(",")[0])
    assert 1e-9 < least < 1e-5
    c.rule = nef.PES(learning_rate=1.05 * least)
    nef.Simulator(model)
