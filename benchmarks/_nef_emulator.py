# SPDX-License-Identifier: Apache-2.0
"""An ensemble on the emulator and in Brian2's C++ standalone, one thread, one run.

1,000 LIF neurons represent 2 dimensions, dt = 1 ms, 10 s: encoders, neurons, decoders and a 50 ms
synapse. Brian2 computes the same equations in floating point, with the same gains, encoders and
decoders; its inner loop reports its own CPU time. It needs ``pip install brian2`` and a C++
compiler. The emulator's codes with NumPy and with Numba must be equal.
"""

import importlib.util
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _brian import inner_loop
from _timing import interleave
from numpy.typing import NDArray

from spikewright import nef
from spikewright.sim.emulator import Emulator

NEURONS, STEPS, DT, TAU, TAU_BACK = 1000, 10_000, 1e-3, 0.05, 0.1


def stimulus() -> NDArray[np.float64]:
    """What is represented in every step, (steps, 2)."""
    t = np.arange(1, STEPS + 1) * DT
    return 0.7 * np.stack([np.sin(6 * t), np.cos(5 * t)], axis=1)


def filtered(x: NDArray[np.float64], tau: float) -> NDArray[np.float64]:
    """A signal (steps, 2) through a synapse."""
    held, found = np.zeros(2), np.zeros_like(x)
    for k, value in enumerate(x):
        held = held + (1 - np.exp(-DT / tau)) * (value - held)
        found[k] = held
    return found


def drive(recurrent: bool) -> NDArray[np.float64]:
    """What is fed in, (steps, 2): the stimulus, or what an integrator makes the stimulus of."""
    x = stimulus()
    if recurrent:
        x[1:] -= filtered(x, TAU_BACK)[:-1]
    return x


def build(seed: int, *, recurrent: bool) -> tuple[nef.Simulator, nef.Probe, nef.Ensemble]:
    """The ensemble, compiled."""
    with nef.Network(seed=seed) as model:
        source = nef.Node(lambda t: stimulus()[0], size_out=2)
        ensemble = nef.Ensemble(NEURONS, 2, label="a")
        nef.Connection(source, ensemble, synapse=None)
        if recurrent:
            nef.Connection(ensemble, ensemble, synapse=TAU_BACK)
        probe = nef.Probe(ensemble, synapse=TAU)
    return nef.Simulator(model, DT), probe, ensemble


def build_brian(
    folder: Path, sim: nef.Simulator, probe: nef.Probe, of: nef.Ensemble, *, recurrent: bool
) -> None:
    """Generate and compile Brian2's C++ program of the same ensemble."""
    import brian2 as b2

    built, x = sim.data[of], drive(recurrent)
    b2.BrianLogger.log_level_error()
    b2.device.reinit()
    b2.set_device("cpp_standalone", directory=str(folder), build_on_run=False)
    b2.defaultclock.dt = DT * b2.second
    names = {
        "tau_rc": 0.02 * b2.second,
        "x0": b2.TimedArray(x[:, 0], dt=DT * b2.second),
        "x1": b2.TimedArray(x[:, 1], dt=DT * b2.second),
    }
    heard = ("x0(t) + r0", "x1(t) + r1") if recurrent else ("x0(t)", "x1(t)")
    group = b2.NeuronGroup(
        NEURONS,
        f"dv/dt = (gain * (e0 * ({heard[0]}) + e1 * ({heard[1]})) + bias - v) / tau_rc : 1"
        " (unless refractory)\n"
        "gain : 1 (constant)\nbias : 1 (constant)\ne0 : 1 (constant)\ne1 : 1 (constant)\n"
        "r0 : 1 (linked)\nr1 : 1 (linked)",
        threshold="v >= 1",
        reset="v -= 1",
        refractory=3 * DT * b2.second,
        method="exponential_euler",
        namespace=names,
    )
    group.gain, group.bias = built.gain, built.bias
    group.e0, group.e1 = built.encoders.T
    connections = {"probe": (sim.compiled.decoded[probe].decoders, TAU)}
    if recurrent:
        (back,) = (c for c in sim.network.connections if c.pre is of)
        connections["back"] = (sim.compiled.decoded[back].decoders, TAU_BACK)
    parts, held = [group], {}
    for name, (decoders, tau) in connections.items():
        held[name] = b2.NeuronGroup(
            2,
            "dy/dt = -y / tau : 1",
            method="exact",
            namespace={"tau": tau * b2.second},
            name=name,
        )
        synapses = b2.Synapses(group, held[name], "d : 1", on_pre="y_post += d")
        synapses.connect()
        synapses.d = (decoders / tau).ravel()
        parts += [held[name], synapses]
    zeros = np.zeros(NEURONS, int)
    source = held["back" if recurrent else "probe"]
    group.r0 = b2.linked_var(source, "y", index=zeros)
    group.r1 = b2.linked_var(source, "y", index=zeros + 1)
    recorded = b2.StateMonitor(held["probe"], "y", record=True, name="decoded")
    b2.Network(*parts, recorded).run(STEPS * DT * b2.second)
    b2.device.build(compile=True, run=False, directory=str(folder))


def brian_error(folder: Path) -> float:
    """RMSE of Brian2's decoded vector after the first second, against the stimulus as it was."""
    (path,) = (folder / "results").glob("_dynamic_array_decoded_y_*")
    y = np.fromfile(path).reshape(-1, 2)
    return error(y)


def error(decoded: NDArray[np.float64]) -> float:
    """RMSE after the first second, against the stimulus through the synapse."""
    return float(np.sqrt(np.square(decoded - filtered(stimulus(), TAU))[1000:].mean()))


def measure(rounds: int, seed: int, *, recurrent: bool) -> list[dict[str, Any]]:
    """Rows: CPU time of a step, and how often that goes into Brian2's."""
    sim, probe, ensemble = build(seed, recurrent=recurrent)
    if sim.program is None:
        raise SystemExit("The ensemble must be heard")
    codes = {"a_x_in": np.round(drive(recurrent) * 2**14).astype(np.int64)[None]}
    engines = ["NumPy", *(["Numba"] if importlib.util.find_spec("numba") else [])]
    emulators = {f"emulator, {name}": Emulator(sim.program, engine=name) for name in engines}
    (output,) = sim.program.outputs
    found = [emulator.run(codes)[output] for emulator in emulators.values()]
    if not all((one == found[0]).all() for one in found):
        raise SystemExit("NumPy and Numba must be equal")
    decoded = sim.program.port(sim.program.outputs[output]).format.decode(found[0][0])
    candidates: dict[str, Any] = {n: lambda e=e: e.run(codes) for n, e in emulators.items()}
    loops: list[float] = []
    errors = dict.fromkeys(emulators, error(decoded))
    with tempfile.TemporaryDirectory(prefix="brian-") as folder:
        if importlib.util.find_spec("brian2") is not None:
            build_brian(Path(folder), sim, probe, ensemble, recurrent=recurrent)
            candidates["Brian2"] = lambda: loops.append(inner_loop(Path(folder)))
        seconds = interleave(candidates, rounds=rounds)
        if loops:
            seconds["Brian2"] = statistics.median(loops[1:])
            errors["Brian2"] = brian_error(Path(folder))
    peer = seconds.get("Brian2")
    names = {"Brian2": "Brian2 C++ standalone, inner loop"}
    return [
        {
            "1,000 LIF, 2 dimensions": "integrator" if recurrent else "feed-forward",
            "simulator": names.get(name, name),
            "us a step": s / STEPS * 1e6,
            "times Brian2": "" if peer is None else peer / s,
            "RMSE": errors[name],
        }
        for name, s in seconds.items()
    ]
