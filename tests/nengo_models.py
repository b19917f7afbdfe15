# SPDX-License-Identifier: Apache-2.0
"""Networks of Nengo's in our simulator and in its own; without Nengo, tests of them are skipped."""

import re
from typing import Any

import pytest

from spikewright.nef import Simulator
from spikewright.nef.nengo.translate import from_nengo
from spikewright.sim.errors import ProgramError

nengo: Any = pytest.importorskip("nengo", reason="Nengo is not installed: pip install nengo")
# Tests run side by side, and Nengo's cache is one for all.
nengo.rc.set("decoder_cache", "enabled", "False")

SLOW = {"max_rates": nengo.dists.Uniform(60, 120)}
"""Rates that steps of 1 ms allow."""


def quiet(model: Any, **options: Any) -> Simulator:
    """Our simulator, without a table."""
    return Simulator(model, quiet=True, **options)


def reference(model: Any, seconds: float) -> Any:
    """Nengo's simulator, after a run."""
    with nengo.Simulator(model, progress_bar=False) as simulator:
        simulator.run(seconds)
    return simulator


def both(model: Any, seconds: float) -> list[Any]:
    """Our simulator and Nengo's, after a run."""
    ours = quiet(model)
    ours.run(seconds)
    return [ours, reference(model, seconds)]


def values(model: Any, probe: Any, seconds: float) -> list[Any]:
    """What a probe keeps, in ours and in Nengo's."""
    return [simulator.data[probe] for simulator in both(model, seconds)]


def refuses(model: Any, sentence: str) -> None:
    """Whether a network is refused, by this sentence."""
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        from_nengo(model)
