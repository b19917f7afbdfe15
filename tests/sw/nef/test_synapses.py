# SPDX-License-Identifier: Apache-2.0
"""Filters on the host and on the hardware against their closed form."""

import math
from typing import Any

import numpy as np
import pytest
from nef_models import filtered, white_noise

from spikewright.nef import Alpha, Lowpass
from spikewright.nef.lowering.graph import Graph, gain_of
from spikewright.nef.precision import LeakCode, states_of
from spikewright.nef.synapses import HostFilter, leak_of, synapse_of
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import ProgramError
from spikewright.sim.fixed import QFormat

VALUE = QFormat(width=16, frac=14)


def on_hardware(synapse: Any, signal: Any, *, dt: float = 1e-3, value: QFormat = VALUE) -> Any:
    """What hardware's filter makes of a signal (steps, size), rounded to the value's format."""
    leak = LeakCode.of(leak_of(synapse, dt))
    fmt = states_of(value, leak, synapse.order)[0]
    graph = Graph(dt)
    drive = graph.input("i", signal.shape[1], fmt)
    graph.outputs["o"] = graph.to(value, graph.filter("f", synapse, leak, drive, value))
    codes = fmt.encode(signal * gain_of(synapse, leak))
    return value.decode(Emulator(graph.program({})).run({"i": codes[None]})["o"][0])


@pytest.mark.parametrize(("synapse", "order"), [(Lowpass(0.02), 1), (Alpha(0.02), 2)])
def test_host_filter_is_the_closed_form(synapse: Any, order: int) -> None:
    signal = white_noise(0.3, dimensions=3)
    kept, found = HostFilter(synapse, 3, 1e-3), []
    for value in signal:
        kept.update(value)
        found.append(kept.held)
    assert np.array(found) == pytest.approx(filtered(signal, 0.02, order=order), abs=1e-12)


@pytest.mark.parametrize("dt", [1e-3, 2.5e-4])
@pytest.mark.parametrize(
    ("synapse", "order"), [(Lowpass(0.005), 1), (Lowpass(0.1), 1), (Alpha(0.03), 2)]
)
def test_hardware_filter_is_the_closed_form_within_an_lsb(
    synapse: Any, order: int, dt: float
) -> None:
    """But for the leak as a code, a relative error of at most 1e-3 of what changes."""
    signal = white_noise(0.4, dimensions=2, dt=dt)
    wanted = filtered(signal, synapse.tau, dt, order)
    error = on_hardware(synapse, signal, dt=dt) - wanted
    assert np.abs(error).max() <= VALUE.lsb + 1e-3


@pytest.mark.parametrize("kind", [Lowpass, Alpha])
@pytest.mark.parametrize(("tau", "dt"), [(0.003, 1e-3), (0.03, 1e-3), (0.3, 1e-3), (0.1, 1e-4)])
def test_gain_at_rest_is_1(kind: Any, tau: float, dt: float) -> None:
    """Constants settle within an LSB, also where the leak's rounding would let them stand still."""
    constants = np.random.default_rng(7).uniform(-1.9, 1.9, 200)
    settled = math.ceil(20 * tau / dt)
    found = on_hardware(kind(tau), np.tile(constants, (settled, 1)), dt=dt)[-1]
    assert np.abs(found - constants).max() <= VALUE.lsb


def test_a_time_constant_below_the_step_passes_nearly_all() -> None:
    found = on_hardware(Lowpass(1e-4), np.array([[1.0], [0.0]]))
    assert found == pytest.approx(np.array([[1.0], [0.0]]), abs=2 * VALUE.lsb)


def test_numbers_are_lowpasses() -> None:
    assert synapse_of(0.02) == Lowpass(0.02)
    assert synapse_of(Alpha(0.1)) == Alpha(0.1)
    assert synapse_of(None) is None


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf, "0.1", [0.1]])
def test_what_is_no_synapse_is_refused(wrong: Any) -> None:
    with pytest.raises(ProgramError) as caught:
        synapse_of(wrong)
    assert str(caught.value) == (
        f"Synapse must be a Lowpass, an Alpha, a time constant above 0 s or None, not {wrong!r}"
    )


@pytest.mark.parametrize("kind", [Lowpass, Alpha])
@pytest.mark.parametrize("tau", [0, -0.1, math.inf, "1"])
def test_time_constants_are_checked(kind: Any, tau: Any) -> None:
    with pytest.raises(ProgramError) as caught:
        kind(tau)
    assert str(caught.value) == (
        f"Synapse time constant must be positive and finite, not {tau!r} s"
    )
