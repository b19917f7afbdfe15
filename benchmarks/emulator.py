# SPDX-License-Identifier: Apache-2.0
"""The emulator against NumPy integers and Brian2, one thread, CPU time, exactly equal results.

1. An int8 784-128-10 ReLU network, 256 frames: against the same network in NumPy int32 products.
2. 1000 LIF neurons, all connected, dt = 1 ms, 1 s: against Brian2's C++ standalone, whose inner
   loop reports its own CPU time. That row needs ``pip install brian2`` and a C++ compiler.
3. A LIF 784-128-10 network, 20 steps, current input, 1000 frames.
"""

import argparse
import importlib.util
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _brian import inner_loop
from _timing import interleave, single_thread, table, write_json
from numpy.typing import NDArray

from spikewright.sim import primitives as p
from spikewright.sim.emulator import Emulator
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Port, Rate
from spikewright.sim.program import Input, Node, Program

NEURONS, STEPS, DT, TAU_STEPS = 1000, 1000, 1e-3, 16
REPEATS = 10
"""Runs of an emulator for one of what it is compared with."""

PIXEL, WEIGHT = QFormat(width=8, frac=8, signed=False), QFormat(width=8, frac=7)
Weights = dict[str, NDArray[np.int64]]


def dense_weights(rng: np.random.Generator) -> Weights:
    """Random int8 weights and int20 biases of 784-128-10."""
    tensors = {}
    for name, rows, columns in (("fc1", 128, 784), ("fc2", 10, 128)):
        tensors[f"{name}.weight"] = rng.integers(-128, 128, (rows, columns))
        tensors[f"{name}.bias"] = rng.integers(-5000, 5000, rows)
    return tensors


def dense(kind: type[p.MatVec], name: str, rows: int, columns: int, fmt: QFormat) -> p.MatVec:
    """A product with a bias."""
    return kind(
        rows=rows,
        columns=columns,
        input=fmt,
        weight_format=WEIGHT,
        weight=f"{name}.weight",
        bias=f"{name}.bias",
        bias_width=20,
    )


def mlp(tensors: Weights) -> Program:
    """784-128-10 with ReLU."""
    hidden = QFormat(width=8, frac=3, signed=False)
    fc1 = dense(p.MatVec, "fc1", 128, 784, PIXEL)
    fc2 = dense(p.MatVec, "fc2", 10, 128, hidden)
    relu = p.Requantize(size=128, input=fc1.accumulator, output=hidden)
    return Program(
        inputs={"x": Input(Port(size=784, format=PIXEL), Rate.FRAME)},
        nodes=(Node("fc1", fc1, ("x",)), Node("relu", relu, ("fc1",)), Node("fc2", fc2, ("relu",))),
        outputs={"y": "fc2"},
        tensors=tensors,
    )


def mlp_in_int32(tensors: Weights, x: NDArray[Any]) -> NDArray[np.int32]:
    """The same network as one writes it in NumPy."""
    w1, b1, w2, b2 = (tensor.astype(np.int32) for tensor in tensors.values())
    hidden = (x.astype(np.int32) @ w1.T + b1 + (1 << 11)) >> 12
    result: NDArray[np.int32] = np.clip(hidden, 0, 255) @ w2.T + b2
    return result


def prepared(
    program: Program, inputs: dict[str, NDArray[Any]]
) -> tuple[dict[str, Emulator], NDArray[np.int64]]:
    """An emulator with each engine there is, and the output on which they agree."""
    engines = ["NumPy", *(["Numba"] if importlib.util.find_spec("numba") else [])]
    emulators = {f"Emulator, {name}": Emulator(program, engine=name) for name in engines}
    (output,) = program.outputs
    found = [emulator.run(inputs)[output] for emulator in emulators.values()]
    if not all((codes == found[0]).all() for codes in found):
        raise SystemExit("NumPy and Numba must be equal")
    return emulators, found[0]


def measure_mlp(rounds: int) -> list[dict[str, Any]]:
    """Rows of the first table."""
    rng = np.random.default_rng(0)
    tensors = dense_weights(rng)
    x = rng.integers(0, 256, (256, 784)).astype(np.uint8)
    emulator, wide = Emulator(mlp(tensors), engine="NumPy"), x.astype(np.int64)
    if not (emulator.run({"x": x})["y"] == mlp_in_int32(tensors, x)).all():
        raise SystemExit("Emulator and NumPy must be equal")
    seconds = interleave(
        {
            "NumPy int32 products": lambda: mlp_in_int32(tensors, x),
            "Emulator, uint8 input": lambda: [emulator.run({"x": x}) for _ in range(REPEATS)],
            "Emulator, int64 input": lambda: [emulator.run({"x": wide}) for _ in range(REPEATS)],
        },
        rounds=rounds,
    )
    base = seconds["NumPy int32 products"]
    rows = []
    for name, found in seconds.items():
        s = found if name.startswith("NumPy") else found / REPEATS
        row = {"us": s * 1e6, "frames/s": 256 / s, "times": base / s}
        rows.append({"784-128-10, 256 frames": name, **row})
    return rows


def recurrent_parameters() -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Input of each neuron per step, weights (to, from) and the threshold, as codes."""
    rng = np.random.default_rng(1)
    threshold = 1 << 14
    drive = threshold * rng.uniform(0.95, 1.25, NEURONS) / TAU_STEPS
    return drive.astype(np.int64), rng.integers(-127, 128, (NEURONS, NEURONS)).T, threshold


def recurrent() -> Program:
    """LIF neurons that each send spikes to all, one step later."""
    _, weights, threshold = recurrent_parameters()
    current, membrane = QFormat(width=16, frac=14), QFormat(width=20, frac=14)
    weight = QFormat(width=8, frac=14)
    matvec = p.EventMatVec(rows=NEURONS, columns=NEURONS, weight_format=weight, weight="w")
    total = p.Elementwise(size=NEURONS, a=current, b=matvec.accumulator)
    lif = p.Lif(
        size=NEURONS,
        input=total.output,
        membrane=membrane,
        leak="leak",
        threshold="threshold",
        leak_frac=4,
        reset="value",
        reset_tensor="rest",
    )
    return Program(
        inputs={"current": Input(Port(size=NEURONS, format=current), Rate.FRAME)},
        nodes=(
            Node("hold", p.Hold(size=NEURONS, format=current), ("current",)),
            Node("before", p.Delay(size=NEURONS, format=SPIKE), ("lif",)),
            Node("synapses", matvec, ("before",)),
            Node("sum", total, ("hold", "synapses")),
            Node("lif", lif, ("sum",)),
            Node("count", p.Count(size=NEURONS, steps=STEPS), ("lif",)),
        ),
        outputs={"spikes": "count"},
        tensors={
            "w": np.ascontiguousarray(weights),
            "leak": np.array([(1 << 4) // TAU_STEPS]),
            "threshold": np.array([threshold]),
            "rest": np.array([0]),
        },
        dt=DT,
        steps=STEPS,
    )


def build_brian(folder: Path) -> None:
    """Generate and compile Brian2's C++ program of the same network."""
    import brian2 as b2

    drive, weights, threshold = recurrent_parameters()
    b2.BrianLogger.log_level_error()
    b2.set_device("cpp_standalone", directory=str(folder), build_on_run=False)
    b2.defaultclock.dt = DT * b2.second
    names = {"tau": TAU_STEPS * DT * b2.second, "theta": threshold}
    equations = "dv/dt = (drive - v) / tau : 1\ndrive : 1 (constant)"
    group = b2.NeuronGroup(
        NEURONS, equations, threshold="v >= theta", reset="v = 0", method="euler", namespace=names
    )
    group.drive = drive * float(TAU_STEPS)
    synapses = b2.Synapses(group, group, "w : 1", on_pre="v_post += w")
    synapses.connect()
    synapses.w = weights.T.astype(float).ravel()
    counted = b2.SpikeMonitor(group, record=False)
    network = b2.Network(group, synapses, counted)
    network.run(STEPS * DT * b2.second)
    b2.device.build(compile=True, run=False, directory=str(folder))


def brian_spikes(folder: Path) -> int:
    """Spikes of the last run."""
    (counts,) = (folder / "results").glob("_array_spikemonitor_count_*")
    return int(np.fromfile(counts, np.int32).sum())


def measure_recurrent(rounds: int) -> list[dict[str, Any]]:
    """Rows of the second table: CPU seconds of one simulated second."""
    inputs = {"current": recurrent_parameters()[0][None]}
    emulators, spikes = prepared(recurrent(), inputs)
    candidates: dict[str, Callable[[], object]] = {
        name: lambda e=emulator: [e.run(inputs) for _ in range(REPEATS)]
        for name, emulator in emulators.items()
    }
    loops: list[float] = []
    remark = "not measured: brian2 is not installed"
    with tempfile.TemporaryDirectory(prefix="brian-") as folder:
        if importlib.util.find_spec("brian2") is not None:
            build_brian(Path(folder))
            candidates["Brian2"] = lambda: loops.append(inner_loop(Path(folder)))
        seconds = interleave(candidates, rounds=rounds)
        if loops:
            remark = f"{brian_spikes(Path(folder))} spikes"
    base = statistics.median(loops[1:]) if loops else None
    rows = [{"1000 LIF, 1 s": "Brian2 C++ standalone, inner loop", **speed(base, base, remark)}]
    for name in emulators:
        found = speed(seconds[name] / REPEATS, base, f"{spikes.sum()} spikes")
        rows.append({"1000 LIF, 1 s": name, **found})
    return rows


def speed(seconds: float | None, base: float | None, remark: str) -> dict[str, Any]:
    """Cells of a row of the second table."""
    measured = seconds is not None
    return {
        "us a step": seconds / STEPS * 1e6 if measured else "",
        "steps/s": STEPS / seconds if measured else "",
        "times": base / seconds if measured and base is not None else "",
        "remark": remark,
    }


def spiking(tensors: Weights) -> Program:
    """784-128-10 with Lif, a current for the input, 20 steps."""
    current, membrane = QFormat(width=18, frac=14), QFormat(width=20, frac=14)
    fc1 = dense(p.MatVec, "fc1", 128, 784, PIXEL)
    fc2 = dense(p.EventMatVec, "fc2", 10, 128, SPIKE)
    requantize = [
        p.Requantize(size=fc.rows, input=fc.accumulator, output=current) for fc in (fc1, fc2)
    ]
    lif = [
        p.Lif(size=fc.rows, input=current, membrane=membrane, leak="leak", threshold="threshold")
        for fc in (fc1, fc2)
    ]
    return Program(
        inputs={"x": Input(Port(size=784, format=PIXEL), Rate.FRAME)},
        nodes=(
            Node("fc1", fc1, ("x",)),
            Node("current1", requantize[0], ("fc1",)),
            Node("hold", p.Hold(size=128, format=current), ("current1",)),
            Node("lif1", lif[0], ("hold",)),
            Node("fc2", fc2, ("lif1",)),
            Node("current2", requantize[1], ("fc2",)),
            Node("lif2", lif[1], ("current2",)),
            Node("count", p.Count(size=10, steps=20), ("lif2",)),
        ),
        outputs={"y": "count"},
        tensors={**tensors, "leak": np.array([3196]), "threshold": np.array([50_000])},
        steps=20,
    )


def measure_spiking(rounds: int) -> list[dict[str, Any]]:
    """Rows of the third table."""
    rng = np.random.default_rng(0)
    program = spiking(dense_weights(rng))
    x = rng.integers(0, 256, (1000, 784)).astype(np.uint8)
    emulators, _ = prepared(program, {"x": x})
    seconds = interleave(
        {name: lambda e=e: e.run({"x": x}) for name, e in emulators.items()}, rounds=rounds
    )
    return [
        {"LIF 784-128-10, 20 steps, 1000 frames": name, "ms": s * 1e3, "frames/s": 1000 / s}
        for name, s in seconds.items()
    ]


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    rows = []
    for measure in (measure_mlp, measure_recurrent, measure_spiking):
        found = measure(arguments.rounds)
        print(table(found), end="\n\n")
        rows += found
    write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
