# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
from nengo_models import SLOW, nengo, quiet, reference, refuses

from spikewright import nef
from spikewright.nef.nengo.translate import from_nengo
from spikewright.nef.placement import Placement
from spikewright.sim.errors import ProgramError


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
            "Maximum rates of fast must be below 496.1 Hz, 64 substeps in 0.001 s, not 499.9: "
            "use lower ones",
        )


class TestRefused:
    def test_gain_without_bias(self) -> None:
        with nengo.Network() as model:
            nengo.Ensemble(9, 1, label="a", gain=np.ones(9))
        refuses(model, "Gain and bias of a must be given together, or neither")

    def test_intercepts_without_gain(self) -> None:
        with nengo.Network() as model:
            nengo.Ensemble(9, 1, label="a", intercepts=np.full(9, 1.5))
        with pytest.raises(
            ProgramError,
            match=r"^Gain of a must be positive and finite, not -[\d.]+: use lower intercepts or "
            r"other maximum rates$",
        ):
            quiet(model)
