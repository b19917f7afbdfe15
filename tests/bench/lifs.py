# SPDX-License-Identifier: Apache-2.0
"""Neurons over the whole set of options, for Hypothesis."""

from typing import Any

from hypothesis import strategies as st

from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import LeakForm
from spikewright.sim.lif import Lif


def leaks(frac: int, *names: str) -> st.SearchStrategy[LeakForm]:
    """A tensor of one of these names, or shifts that so many fraction bits express."""
    shifts = st.sets(st.integers(1, frac), max_size=4)
    return st.sampled_from(names) | shifts.map(lambda found: tuple(sorted(found)))


@st.composite
def lifs(
    draw: st.DrawFn, most: int = 5, width: int = 32, leak_frac: int = 24, refractory: int = 4
) -> Lif:
    """A Lif of at most so many neurons and bits; every option that it has is drawn."""
    membrane = QFormat(width=draw(st.integers(2, width)), frac=3)
    current = QFormat(width=draw(st.integers(1, width)), frac=3, signed=draw(st.booleans()))
    reset = draw(st.sampled_from(["subtract", "value", "none"]))
    own = draw(st.sampled_from(["reset", "threshold"]))
    frac = draw(st.integers(1, leak_frac))
    fields: dict[str, Any] = {}
    if draw(st.booleans()):
        fields["synapse"] = QFormat(width=draw(st.integers(2, width)), frac=3)
        fields["synapse_leak"] = draw(leaks(frac, "synapse_leak", "leak"))
        if draw(st.booleans()):
            fields["synapse_order"] = 2
            fields["synapse_leak_2"] = draw(st.none() | leaks(frac, "synapse_leak_2", "leak"))
    if draw(st.booleans()):
        fields["adaptation"] = QFormat(
            width=draw(st.integers(1, width)), frac=3, signed=draw(st.booleans())
        )
        fields["adaptation_leak"] = draw(leaks(frac, "adaptation_leak", "leak"))
        fields["adaptation_step"] = draw(st.sampled_from(["adaptation_step", "threshold"]))
    return Lif(
        size=draw(st.integers(1, most)),
        input=current,
        membrane=membrane,
        leak=draw(leaks(frac, "leak")),
        threshold="threshold",
        leak_frac=frac,
        per_neuron=draw(st.booleans()),
        reset=reset,
        reset_tensor=own if reset == "value" else draw(st.sampled_from([own, None])),
        reset_next=reset != "none" and draw(st.booleans()),
        leak_after_input=draw(st.booleans()),
        strict=draw(st.booleans()),
        refractory=draw(st.integers(0, refractory)),
        refractory_input=draw(st.sampled_from(["drop", "keep"])),
        lower=draw(st.none() | st.integers(membrane.lo, membrane.hi)),
        voltage=draw(st.sampled_from(["none", "before", "after"])),
        **fields,
    )
