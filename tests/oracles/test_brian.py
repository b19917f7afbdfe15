# SPDX-License-Identifier: Apache-2.0
"""Integer neurons against Brian2, which integrates the same equation on its own."""

from typing import Any

import numpy as np
import pytest
from bench.codes import golden_run

from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import leak_format
from spikewright.sim.lif import Lif

brian2 = pytest.importorskip("brian2", reason="Brian2 is not installed: pip install brian2")

# Brian2 calls its own dependencies by deprecated names.
pytestmark = pytest.mark.filterwarnings("ignore")

DT_MS, TAU_MS = 1.0, 20.0
SIZE, STEPS = 100, 500
FRAC = 18


@pytest.fixture(autouse=True)
def numpy_only() -> None:
    """No compiler: a run this small takes longer to compile than to interpret."""
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()


def drives(seed: int) -> np.ndarray:
    """Random currents in thresholds, (STEPS, SIZE), from silent neurons to lively ones."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 6, SIZE) + rng.normal(0, 3, (STEPS, SIZE))


def in_brian(drive: np.ndarray, reset: str, refractory: int, method: str) -> np.ndarray:
    """Spikes, (STEPS, SIZE)."""
    ms = brian2.ms
    namespace = {"tau": TAU_MS * ms, "drive": brian2.TimedArray(drive, dt=DT_MS * ms)}
    options: dict[str, Any] = {}
    equations = "dv/dt = (drive(t, i) - v) / tau : 1"
    if refractory:
        equations += " (unless refractory)"
        # Brian2 counts from the spike's own step, which is not refractory in ours.
        options["refractory"] = (refractory + 1) * DT_MS * ms
    group = brian2.NeuronGroup(
        SIZE,
        equations,
        threshold="v >= 1",
        reset=reset,
        method=method,
        dt=DT_MS * ms,
        namespace=namespace,
        **options,
    )
    monitor = brian2.SpikeMonitor(group)
    network = brian2.Network(group, monitor)
    network.run(STEPS * DT_MS * ms)
    spikes = np.zeros((STEPS, SIZE), np.int64)
    spikes[np.round(monitor.t / (DT_MS * ms)).astype(int), np.asarray(monitor.i)] = 1
    return spikes


def in_integers(drive: np.ndarray, reset: str, refractory: int) -> np.ndarray:
    """Spikes of neurons whose input gain ``1 - exp(-dt/τ)`` is folded into the current."""
    leak = 1 - np.exp(-DT_MS / TAU_MS)
    membrane = QFormat(width=26, frac=FRAC)
    primitive = Lif(
        size=SIZE,
        input=membrane,
        membrane=membrane,
        leak="leak",
        threshold="threshold",
        leak_frac=20,
        reset="subtract" if reset == "v -= 1" else "value",
        reset_tensor=None if reset == "v -= 1" else "zero",
        refractory=refractory,
    )
    tensors = {
        "leak": leak_format(20).encode([leak]),
        "threshold": membrane.encode([1.0]),
        "zero": np.array([0]),
    }
    tensors = {name: tensors[name] for name in primitive.tensors()}
    return golden_run(primitive, tensors, [membrane.encode(leak * drive)[None]])[0][0]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("refractory", [0, 2])
@pytest.mark.parametrize("reset", ["v = 0", "v -= 1"])
def test_spike_counts(reset: str, refractory: int, seed: int) -> None:
    """Every neuron within one spike of Brian2, and 19 of 20 spike in just the same steps."""
    drive = drives(seed)
    theirs = in_brian(drive, reset, refractory, "exponential_euler")
    ours = in_integers(drive, reset, refractory)
    assert theirs.sum() > 20 * SIZE
    assert np.abs(ours.sum(0) - theirs.sum(0)).max() <= 1
    assert (ours == theirs).all(0).mean() >= 0.95


def test_constant_drive_integrated_exactly() -> None:
    """Brian2's exact integrator, on currents that do not change."""
    drive = np.broadcast_to(np.linspace(0.5, 8, SIZE), (STEPS, SIZE))
    group_drive = np.ascontiguousarray(drive)
    theirs = in_brian_constant(group_drive[0])
    ours = in_integers(group_drive, "v = 0", 0)
    assert np.array_equal(ours.sum(0), theirs)


def in_brian_constant(drive: np.ndarray) -> np.ndarray:
    """Spike counts of neurons each with its own constant current."""
    ms = brian2.ms
    group = brian2.NeuronGroup(
        SIZE,
        "dv/dt = (drive - v) / tau : 1\ndrive : 1 (constant)",
        threshold="v >= 1",
        reset="v = 0",
        method="exact",
        dt=DT_MS * ms,
        namespace={"tau": TAU_MS * ms},
    )
    group.drive = drive
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, monitor).run(STEPS * DT_MS * ms)
    return np.asarray(monitor.count)


TAU_SYNAPSE_MS = 5.0


def with_synapse_in_brian(arriving: np.ndarray, reset: str) -> np.ndarray:
    """Spikes of neurons driven through an exponential synapse, (STEPS, SIZE); solved exactly."""
    ms = brian2.ms
    group = brian2.NeuronGroup(
        SIZE,
        "dv/dt = (s - v) / tau : 1\nds/dt = -s / tau_synapse : 1",
        threshold="v >= 1",
        reset=reset,
        method="exact",
        dt=DT_MS * ms,
        namespace={
            "tau": TAU_MS * ms,
            "tau_synapse": TAU_SYNAPSE_MS * ms,
            "arriving": brian2.TimedArray(arriving, dt=DT_MS * ms),
        },
    )
    group.run_regularly("s += arriving(t, i)", dt=DT_MS * ms, when="synapses")
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, monitor).run((STEPS + 1) * DT_MS * ms)
    spikes = np.zeros((STEPS + 1, SIZE), np.int64)
    spikes[np.round(monitor.t / (DT_MS * ms)).astype(int), np.asarray(monitor.i)] = 1
    # What arrives in a step of Brian2 moves the membrane in the next.
    return spikes[1:]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("reset", ["v = 0", "v -= 1"])
def test_neurons_with_a_synapse(reset: str, seed: int) -> None:
    """The synapse's own step is exact, and the gain folds what it gives within one."""
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0, 0.4, SIZE)
    arriving = (rng.random((STEPS, SIZE)) < rates) * rng.uniform(0.5, 3, (STEPS, SIZE))
    keep, keep_synapse = np.exp(-DT_MS / TAU_MS), np.exp(-DT_MS / TAU_SYNAPSE_MS)
    gain = TAU_SYNAPSE_MS / (TAU_SYNAPSE_MS - TAU_MS) * (keep_synapse - keep)
    membrane = QFormat(width=26, frac=FRAC)
    primitive = Lif(
        size=SIZE,
        input=membrane,
        membrane=membrane,
        leak="leak",
        threshold="threshold",
        leak_frac=20,
        reset="subtract" if reset == "v -= 1" else "value",
        reset_tensor=None if reset == "v -= 1" else "zero",
        synapse=membrane,
        synapse_leak="synapse",
    )
    tensors = {
        "leak": leak_format(20).encode([1 - keep]),
        "synapse": leak_format(20).encode([1 - keep_synapse]),
        "threshold": membrane.encode([1.0]),
        "zero": np.array([0]),
    }
    tensors = {name: tensors[name] for name in primitive.tensors()}
    ours = golden_run(primitive, tensors, [membrane.encode(gain * arriving)[None]])[0][0]
    theirs = with_synapse_in_brian(arriving, reset)
    assert theirs.sum() > 10 * SIZE
    assert np.abs(ours.sum(0) - theirs.sum(0)).max() <= 1
    assert (ours == theirs).all(0).mean() >= 0.95
