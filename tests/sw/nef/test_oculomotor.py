# SPDX-License-Identifier: Apache-2.0
import math
import re
from typing import Any

import numpy as np
import pytest
from nef_models import simulated
from numpy.typing import NDArray

from spikewright import nef
from spikewright.nef.dynamics import Oculomotor, oculomotor
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]

LIGHT, SACCADE = 30, 0.1
"""Fixations of 1 s in light, and how long the eye takes from one to the next, in s."""
DARK = (-0.6, 0.0, 0.6)
"""Then it looks here for 1 s in light and 2 s in the dark."""


class Fixations:
    """Where the eye is to look, how fast it turns, and when it is dark."""

    def __init__(self, seed: int):
        drawn = np.random.default_rng(seed).uniform(-0.8, 0.8, LIGHT - 1)
        self.positions = np.concatenate([[0.0], drawn, DARK])

    def at(self, t: float) -> tuple[int, float]:
        """Number of the fixation, and for how long it has been."""
        if t < LIGHT:
            return int(t), t - int(t)
        k, since = divmod(t - LIGHT, 3.0)
        return min(LIGHT + int(k), len(self.positions) - 1), since

    def velocity(self, t: float) -> float:
        k, since = self.at(t)
        way = self.positions[k] - self.positions[max(k - 1, 0)]
        return float(way / SACCADE * (since <= SACCADE))

    def target(self, t: float) -> float:
        k, since = self.at(t)
        before = self.positions[max(k - 1, 0)]
        return float(before + (self.positions[k] - before) * min(since / SACCADE, 1.0))

    def dark(self, t: float) -> float:
        return float(t >= LIGHT and self.at(t)[1] > 1.0)


def looked(seed: int, rate: float | None) -> tuple[Array, Array]:
    """Mean distance from the target in light, and drift in 2 s in the dark.

    Decoders are solved so carelessly that they hold badly.
    """
    eye = Fixations(seed)
    with nef.Network(seed=seed) as model:
        system = oculomotor(
            200, u=nef.Node(eye.velocity), learning_rate=rate, solver=nef.LstsqL2(reg=0.5)
        )
        nef.Connection(nef.Node(eye.target), system.target, synapse=None)
        nef.Connection(nef.Node(eye.dark), system.dark, synapse=None)
        probe = nef.Probe(system.ensemble, synapse=0.02)
    y = simulated(model, 1000 * (LIGHT + 3 * len(DARK))).data[probe][:, 0]
    ends = [1000 * (LIGHT + 3 * k + 1) for k in range(len(DARK))]
    seen = np.array([y[end - 100 : end].mean() for end in ends])
    later = np.array([y[end + 1900 : end + 2000].mean() for end in ends])
    return np.abs(seen - DARK), np.abs(later - seen)


@pytest.mark.slow
def test_what_is_seen_corrects_and_what_is_learned_stays_in_the_dark() -> None:
    found = {
        rate: np.array([looked(seed, rate) for seed in (0, 1)]).mean(axis=(0, 2))
        for rate in (None, 3e-5)
    }
    light, drift = found[None]
    # The correction alone keeps the eye on the target, and without it the eye drifts away.
    assert light < 0.04
    assert drift > 0.12
    better, less = found[3e-5]
    assert better < 0.015
    assert less < 0.5 * drift


def built(**options: Any) -> Oculomotor:
    with nef.Network():
        return oculomotor(20, **options)


def test_connections_by_hand() -> None:
    with nef.Network() as model:
        system = oculomotor(20, tau=0.2, correction=3.0, n_error=30, radius=2.0, lead=0.01)
    by_post = {c.post: c for c in model.connections if c.pre is system.error}
    back = by_post[system.ensemble]
    assert back.transform.item() == pytest.approx(-0.2 * 3)
    assert back.synapse == nef.Lowpass(0.2)
    (rule,) = [c for c in model.connections if c.post not in model.nodes + model.ensembles][1:]
    assert rule.pre is system.error
    assert rule.post.connection is system.recurrent
    assert system.recurrent.rule == nef.PES(learning_rate=3e-5)
    assert system.recurrent.transform.item() == 1
    assert system.inputs[0].transform.item() == pytest.approx(0.19)
    assert (system.error.n_neurons, system.error.radius) == (30, 1.0)
    into = {c.pre: c.transform for c in model.connections if c.post is system.error}
    assert (into[system.ensemble].item(), into[system.target].item()) == (1, -1)
    (silence,) = [c for c in model.connections if c.pre is system.dark]
    np.testing.assert_array_equal(silence.transform, np.full((30, 1), -20.0))


def test_without_a_rate_it_does_not_learn() -> None:
    assert built(learning_rate=None).recurrent.rule is None
    assert built().recurrent.rule is not None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"correction": -1.0}, "Correction must be at least 0 and finite, not -1.0 1/s"),
        ({"correction": math.inf}, "Correction must be at least 0 and finite, not inf 1/s"),
        ({"lead": 0.1}, "Lead must be below the synapse's 0.1 s and finite, not 0.1 s"),
        ({"learning_rate": 0.0}, "Learning rate must be positive and finite, not 0.0"),
        ({"tau": -0.1}, "Synapse time constant must be positive and finite, not -0.1 s"),
    ],
)
def test_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        built(**options)
