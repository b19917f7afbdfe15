# SPDX-License-Identifier: Apache-2.0
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nef_models import rms, simulated
from numpy.typing import NDArray
from scipy.linalg import expm

from spikewright import nef
from spikewright.nef.dynamics import (
    System,
    controlled_integrator,
    feedback,
    integrator,
    linear_system,
    low_pass,
    oscillator,
)
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]


def pulse(height: float, begin: float, end: float) -> nef.Node:
    return nef.Node(lambda t: height * float(begin < t <= end))


def built(make: Callable[[], Any]) -> Any:
    with nef.Network():
        return make()


def run(make: Callable[[], System], seconds: float, *, seed: int = 1, tau: float = 0.02) -> Array:
    """What the ensemble decodes, in every step."""
    with nef.Network(seed=seed) as model:
        system = make()
        probe = nef.Probe(system.ensemble, synapse=tau)
    return np.asarray(simulated(model, round(seconds * 1000)).data[probe])


def test_an_integrator_takes_its_input_up_and_holds_it() -> None:
    """Up by 0.8 and down by 0.4; the drift of 500 neurons is below 0.05 in a second."""
    x = np.mean(
        [
            run(
                lambda: integrator(
                    500, u=nef.Node(lambda t: 2.0 * (0.2 < t <= 0.6) - 1.0 * (1.6 < t <= 2.0))
                ),
                3.0,
                seed=seed,
            )[:, 0]
            for seed in (1, 2)
        ],
        axis=0,
    )
    assert x[:200] == pytest.approx(0, abs=0.06)
    np.testing.assert_allclose(x[420], 0.4, atol=0.05)
    np.testing.assert_allclose(x[[700, 1550]], 0.8, atol=0.06)
    np.testing.assert_allclose(x[[2100, 2950]], 0.4, atol=0.08)


@pytest.mark.parametrize("frequency", [1.0, -2.5])
def test_an_oscillator_starts_by_itself_and_keeps_frequency_and_amplitude(frequency: float) -> None:
    x = run(lambda: oscillator(500, frequency, radius=0.8), 5.0)[2000:]
    phase = np.unwrap(np.arctan2(x[:, 1], x[:, 0]))
    turns = (phase[-1] - phase[0]) / (2 * math.pi)
    assert turns / 3 == pytest.approx(frequency, rel=0.02)
    # The probe's filter of 20 ms takes a part.
    seen = 0.8 / math.hypot(1, 2 * math.pi * frequency * 0.02)
    assert np.hypot(*x.T).mean() == pytest.approx(seen, abs=0.04)
    assert np.hypot(*x.T).std() < 0.06


@pytest.mark.parametrize("constant", [0.04, 0.4])
def test_a_low_pass_is_slower_or_faster_than_its_synapses(constant: float) -> None:
    """The response to a step, beside ``1 - exp(-t / T)`` through the probe's filter."""
    x = np.mean(
        [
            run(
                lambda: low_pass(300, time_constant=constant, u=pulse(0.8, 0.3, 9)),
                0.3 + 3 * constant,
                seed=seed,
                tau=0.005,
            )[300:, 0]
            for seed in (1, 2)
        ],
        axis=0,
    )
    t = 1e-3 * np.arange(1, len(x) + 1)
    # Of two filters, one after the other.
    ideal = 0.8 * (
        1 - (constant * np.exp(-t / constant) - 0.005 * np.exp(-t / 0.005)) / (constant - 0.005)
    )
    assert rms(x - ideal) < 0.03
    # Another time constant would not do.
    other = 0.8 * (1 - np.exp(-t / (1.4 * constant + 0.005)))
    assert rms(x - other) > 0.05


def test_a_controlled_integrator_holds_then_lets_go() -> None:
    def make() -> System:
        found = controlled_integrator(800, u=pulse(1.0, 0.1, 0.8))
        nef.Connection(nef.Node(lambda t: -2.0 * (t > 1.6)), found.control, synapse=None)
        return found

    x = np.mean([run(make, 2.6, seed=seed)[:, 0] for seed in (1, 2)], axis=0)
    assert x[[950, 1600]] == pytest.approx(0.7, abs=0.07)
    for after in (0.3, 0.6, 0.9):
        left = x[1620 + round(1000 * after)] / x[1600]
        assert left == pytest.approx(math.exp(-2 * after), abs=0.08)


@pytest.mark.parametrize("synapse", [nef.Lowpass(0.1), nef.Alpha(0.05)])
def test_any_linear_system_follows_its_equation(synapse: Any) -> None:
    """A spiral with two inputs, against ``expm``."""
    a, b = np.array([[-1.0, -6.0], [6.0, -1.0]]), np.array([[5.0, 0.0], [0.0, 3.0]])

    def u(t: float) -> list[float]:
        return [float(t <= 0.3), float(0.8 < t <= 1.1)]

    def make() -> System:
        return linear_system(
            nef.Ensemble(600, 2, radius=1.5),
            a,
            b,
            synapse=synapse,
            u=nef.Node(u),
            dt=1e-3,
            lead=0.0015,
        )

    x = run(make, 1.6, tau=0.01)
    step = expm(np.block([[a, b], [np.zeros((2, 4))]]) * 1e-3)
    state, wanted = np.zeros(2), []
    for k in range(1600):
        state = step[:2, :2] @ state + step[:2, 2:] @ np.array(u(1e-3 * (k + 1)))
        wanted.append(state)
    ideal = np.array(wanted)
    assert np.abs(ideal).max() > 0.6
    # The probe's 10 ms make it late.
    assert rms(x[10:] - ideal[:-10]) < 0.06


def test_connections_have_the_transforms_of_feedback() -> None:
    a, b = np.array([[-1.0, 2.0], [0.0, -3.0]]), np.array([[1.0], [2.0]])
    system = built(
        lambda: linear_system(nef.Ensemble(20, 2), a, b, synapse=0.2, dt=1e-3, lead=0.002)
    )
    recurrent, drive = feedback(a, b, 0.2, dt=1e-3, lead=0.002)
    np.testing.assert_array_equal(system.recurrent.transform, recurrent)
    (into,) = system.inputs
    np.testing.assert_array_equal(into.transform, drive)
    assert system.recurrent.pre is system.recurrent.post is system.ensemble
    assert system.recurrent.synapse == into.synapse == nef.Lowpass(0.2)
    assert system.input.size_in == 1
    assert into.pre is system.input


def test_alpha_brings_changes_of_the_input_through_one_stage() -> None:
    system = built(lambda: integrator_by_alpha())
    assert [one.synapse for one in system.inputs] == [nef.Alpha(0.1), nef.Lowpass(0.1)]
    # A = 0: tau U twice filtered and tau U once, as much as 2 tau U where nothing changes.
    assert [one.transform.item() for one in system.inputs] == pytest.approx([0.1, 0.1])
    assert system.recurrent.transform.item() == pytest.approx(1)


def integrator_by_alpha() -> System:
    return linear_system(nef.Ensemble(20, 1), 0, synapse=nef.Alpha(0.1), lead=0)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_integrators_and_low_passes_by_hand(dimensions: int) -> None:
    one = np.eye(dimensions)
    system = built(lambda: integrator(20, dimensions, tau=0.05))
    np.testing.assert_allclose(system.recurrent.transform, one, atol=1e-12)
    np.testing.assert_allclose(system.inputs[0].transform, (0.05 - 0.0034) * one, atol=1e-12)
    system = built(lambda: low_pass(20, dimensions, time_constant=0.2, tau=0.1, lead=0))
    np.testing.assert_allclose(system.recurrent.transform, 0.5 * one, atol=1e-12)
    np.testing.assert_allclose(system.inputs[0].transform, 0.5 * one, atol=1e-12)


def test_options_of_the_ensemble_the_solver_and_the_input_are_handed_on() -> None:
    solver = nef.LstsqL2(reg=0.03)
    with nef.Network():
        source = nef.Ensemble(10, 3)
        made = [
            integrator(20, u=source[1], solver=solver, radius=2.0),
            low_pass(20, time_constant=1, u=source[1], solver=solver, radius=2.0),
            oscillator(20, 1.0, u=source[1:], solver=solver, radius=1.6),
            controlled_integrator(20, u=source[1], solver=solver, radius=2.0),
        ]
    for system in made:
        assert system.ensemble.radius == pytest.approx(2.0)
        assert system.ensemble.n_neurons == 20
        assert system.recurrent.solver is solver
        assert system.inputs[0].pre is source
        assert system.inputs[0].pre_indices[0] == 1
        assert system.input.of is source


def test_functions_of_what_is_not_linear_by_hand() -> None:
    control = built(lambda: controlled_integrator(20, tau=0.1, largest=4.0, lead=0.002))
    assert control.ensemble.radius == pytest.approx(math.sqrt(2))
    # x (1 + (tau - lead) largest y).
    assert control.recurrent.apply(np.array([0.5, -0.25])) == pytest.approx([0.5 * (1 - 0.098)])
    assert control.recurrent.post_indices == (0,)
    assert control.control.size_in == 1
    circle = built(lambda: oscillator(20, 0.5, tau=0.1, radius=2.0, pull=3.0, lead=0))
    w = 0.1 * math.pi
    found = circle.recurrent.apply(np.array([1.0, 0.0]))
    # x + tau (turn x + 3 (1 - 1/4) x).
    assert found == pytest.approx([1 + 0.1 * 2.25, w])
    # On the circle it only turns; the lead divides by 1 + lead turn.
    ahead = built(lambda: oscillator(20, 0.5, tau=0.1, lead=0.002)).recurrent
    turn, _ = feedback([[0, -math.pi], [math.pi, 0]], np.zeros((2, 0)), 0.1, lead=0.002)
    assert ahead.apply(np.array([0.6, 0.8])) == pytest.approx(turn @ [0.6, 0.8])
    # Inside, and with less of the pull for the lead.
    inside = np.array([0.3, 0.4])
    assert ahead.apply(inside) == pytest.approx(turn @ inside + 0.098 * 5 * 0.75 * inside)


def test_a_control_is_scaled_by_the_largest() -> None:
    with nef.Network() as model:
        source = nef.Ensemble(10, 2)
        given = controlled_integrator(20, largest=4.0, c=source[1])
        made = controlled_integrator(20, largest=4.0)
    from_source, from_node = (
        next(c for c in model.connections if c.post is s.ensemble and c.post_indices == (1,))
        for s in (given, made)
    )
    assert (from_source.pre, from_source.pre_indices) == (source, (1,))
    assert from_node.pre is made.control
    for connection in (from_source, from_node):
        np.testing.assert_array_equal(connection.transform, [[0.0], [0.25]])


def test_inputs_are_scaled_by_the_time_constant_less_the_lead() -> None:
    leads = {0.00164: lambda: oscillator(20, 1.0), 0.0015: lambda: controlled_integrator(20)}
    for lead, make in leads.items():
        (into,) = built(make).inputs
        assert into.transform[0, 0] == pytest.approx(0.1 - lead, abs=1e-5)
        assert into.synapse == nef.Lowpass(0.1)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: linear_system(nef.Ensemble(9, 2, label="e"), 0, synapse=0.1),
        "B must have 1 rows, as A has, not 2",
    ),
    (
        lambda: linear_system(nef.Ensemble(9, 2, label="e"), 0, 1, synapse=0.1),
        "A must have shape (2, 2) for e, not (1, 1)",
    ),
    (
        lambda: low_pass(9, time_constant=0),
        "Time constant of a low-pass must be positive and finite, not 0 s",
    ),
    (lambda: oscillator(9, math.inf), "Frequency must be a finite number, not inf Hz"),
    (lambda: oscillator(9, 1, pull=-1), "Pull must be at least 0 and finite, not -1 1/s"),
    (lambda: oscillator(9, 1, radius=0), "Radius must be positive and finite, not 0"),
    (
        lambda: oscillator(9, 1, lead=0.2),
        "Lead must be below the synapse's 0.1 s and finite, not 0.2 s",
    ),
    (
        lambda: controlled_integrator(9, largest=-2),
        "Largest control must be positive and finite, not -2 1/s",
    ),
    (
        lambda: controlled_integrator(9, lead=math.nan),
        "Lead must be below the synapse's 0.1 s and finite, not nan s",
    ),
    (
        lambda: integrator(9, tau="long"),
        "Synapse time constant must be positive and finite, not 'long' s",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED)
def test_refused(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        built(make)
