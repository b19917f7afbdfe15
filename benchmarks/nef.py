# SPDX-License-Identifier: Apache-2.0
"""What populations of neurons represent, compute, hold and learn, in integers.

LIF neurons, dt = 1 ms, reset by subtraction, maximum rates 100 to 200 Hz, default precision.
Errors are root mean squares of what is decoded from spikes, beside the same signal in floating
point through the same synapses; signals reach 1. ``mean`` and ``worst`` are over seeds, which draw
the ensembles and the signals. With ``--rtl`` the gateware runs too, in Verilator, and must give the
emulator's numbers to the bit.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _nef_learning import RATE, STAGES, learn, rtl_learns
from _nef_signals import Array, filtered, player, rms
from _timing import seeds_of, single_thread, table, write_json

from spikewright import nef
from spikewright.nef.dynamics import integrator, oscillator

TAU, LINK = 0.05, 0.005
"""Synapses in s: of what is read, and between populations."""
SECONDS, SETTLING = 2.0, 0.2
TURN = math.radians(60)
ROTATION = np.array([[math.cos(TURN), -math.sin(TURN)], [math.sin(TURN), math.cos(TURN)]])


@dataclass(frozen=True)
class Function:
    """What is decoded from an ensemble of so many dimensions."""

    dimensions: int
    of: Callable[[Array], Any] | None
    bound: float

    def at(self, x: Array) -> Array:
        """Values (steps, size)."""
        values = x if self.of is None else [self.of(v) for v in x]
        return np.asarray(values, np.float64).reshape(len(x), -1)


FUNCTIONS = {
    "x": Function(1, None, 0.009),
    "x²": Function(1, lambda x: x**2, 0.013),
    "xy": Function(2, lambda x: x[0] * x[1], 0.033),
}


def waves(dimensions: int, seed: int) -> Array:
    """Slow sines that reach a length of 1, (steps, dimensions)."""
    t = np.arange(1, round(SECONDS * 1000) + 1) * 1e-3
    if dimensions == 1:
        return np.sin(math.pi * t + seed)[:, None]
    both = [np.sin(math.pi * t + seed), np.cos(2 * math.pi * 0.37 * t + seed)]
    return 0.7 * np.stack(both, axis=1)


def population(function: Function, seed: int, solver: Any) -> tuple[nef.Network, nef.Probe, Array]:
    """200 neurons that hear sines, what reads a function of them, and what it should read."""
    x = waves(function.dimensions, seed)
    with nef.Network(seed=seed) as model:
        a = nef.Ensemble(200, function.dimensions)
        nef.Connection(player(x), a, synapse=None)
        out = nef.Node(size_in=function.at(x).shape[1])
        nef.Connection(a, out, function=function.of, synapse=TAU, solver=solver)
        probe = nef.Probe(out)
    return model, probe, filtered(function.at(x), TAU)


def ran(model: nef.Network, probe: nef.Probe, seconds: float) -> Array:
    """What a probe keeps."""
    with nef.Simulator(model) as sim:
        sim.run(seconds)
    return np.asarray(sim.data[probe])


def read(found: Array, wanted: Array, *, links: int = 0) -> float:
    """Error of what a node hears, late by a step and one for each link, after the first 0.2 s."""
    first, late = round(SETTLING * 1000), 1 + links
    return rms(found[first + late :] - wanted[first:-late])


def represented(name: str, seed: int, solver: Any = None) -> float:
    """Error of a function decoded from one population."""
    model, probe, wanted = population(FUNCTIONS[name], seed, solver)
    return read(ran(model, probe, SECONDS), wanted)


def mapped(matrix: Array, seed: int) -> float:
    """Error of a linear map from one population to another, and read there."""
    x = waves(2, seed)
    with nef.Network(seed=seed) as model:
        a, b = nef.Ensemble(300, 2), nef.Ensemble(300, 2)
        nef.Connection(player(x), a, synapse=None)
        nef.Connection(a, b, transform=matrix, synapse=LINK)
        out = nef.Node(size_in=2)
        nef.Connection(b, out, synapse=TAU)
        probe = nef.Probe(out)
    return read(ran(model, probe, SECONDS), filtered(filtered(x @ matrix.T, LINK), TAU), links=1)


def random_map(seed: int) -> Array:
    """A 2 by 2 matrix of norm 1."""
    matrix = np.random.default_rng(seed).normal(size=(2, 2))
    return np.asarray(matrix / np.linalg.norm(matrix, 2))


def multiplied(seed: int) -> float:
    """Error of the product of what two populations represent, which a third holds together."""
    x = waves(2, seed) / 0.7
    with nef.Network(seed=seed) as model:
        source = player(x)
        both = nef.Ensemble(400, 2, radius=math.sqrt(2))
        for k in range(2):
            one = nef.Ensemble(200, 1)
            nef.Connection(source[k], one, synapse=None)
            nef.Connection(one, both[k], synapse=LINK)
        out = nef.Node(size_in=1)
        nef.Connection(both, out, function=lambda v: v[0] * v[1], synapse=TAU)
        probe = nef.Probe(out)
    product = filtered(x, LINK).prod(axis=1, keepdims=True)
    return read(ran(model, probe, SECONDS), filtered(product, TAU), links=1)


def held(seed: int) -> Array:
    """What an integrator of 500 neurons holds in the 2 s after it was filled to 0.5."""
    with nef.Network(seed=seed) as model:
        memory = integrator(500, tau=0.1, u=nef.Node(lambda t: float(t <= 0.5)))
        probe = nef.Probe(memory.ensemble, synapse=TAU)
    # What is read is 0.2 s behind.
    return ran(model, probe, 2.7)[700:, 0]


def turned(frequency: float, seed: int) -> float:
    """Relative error of an oscillator's frequency in 10 s, after 2 s."""
    with nef.Network(seed=seed) as model:
        probe = nef.Probe(oscillator(500, frequency).ensemble, synapse=0.02)
    x = ran(model, probe, 12.0)[2000:]
    phase = np.unwrap(np.arctan2(x[:, 1], x[:, 0]))
    turns = (phase[-1] - phase[0]) / (2 * math.pi)
    return abs(turns / (1e-3 * (len(x) - 1)) / frequency - 1)


def row(
    what: str, values: Sequence[float], bound: float | None = None, *, seeds: int | None = None
) -> dict[str, Any]:
    """A row of the table, of a value for each seed if not said else; the mean is bounded."""
    mean = float(np.mean(values))
    met = "" if bound is None else ("yes" if mean <= bound else "no")
    return {
        "what": what,
        "mean": mean,
        "worst": float(np.max(values)),
        "seeds": len(values) if seeds is None else seeds,
        "mean at most": "" if bound is None else bound,
        "met": met,
    }


def computing(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of what is represented and computed."""
    half = nef.LstsqL2(reg=0.05)
    rows = [
        row(
            f"RMSE of {name}, 200 neurons, LstsqL2(reg=0.05)",
            [represented(name, s, half) for s in seeds],
            f.bound,
        )
        for name, f in FUNCTIONS.items()
    ]
    rows += [
        row(f"RMSE of {name}, 200 neurons, default solver", [represented(name, s) for s in seeds])
        for name in FUNCTIONS
    ]
    turns = [mapped(ROTATION, s) for s in seeds]
    maps = [mapped(random_map(s), s) for s in seeds]
    products = [multiplied(s) for s in seeds]
    return [
        *rows,
        row("RMSE of a rotation by 60°, 300 to 300 neurons", turns),
        row("RMSE of random maps of norm 1, 300 to 300 neurons", maps),
        row("RMSE of a product of two, 200 + 200 to 400 neurons", products),
    ]


def holding(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of what is held and turned."""
    x = np.array([held(s) for s in seeds])
    far = np.abs(x - 0.5).max(axis=1)
    together = float(np.abs(x.mean(axis=0) - 0.5).max())
    what = "integrator at 0.5: farthest in 2 s"
    rows = [
        row(f"{what}, of the seeds' mean", [together], 0.05, seeds=len(seeds)),
        row(f"{what}, of each seed", far, 0.05),
    ]
    return rows + [
        row(f"oscillator of {f:g} Hz: frequency's error", [turned(f, s) for s in seeds], 0.02)
        for f in (0.5, 1.0, 2.0)
    ]


def learning(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of what is learned from zero decoders."""
    rows = []
    found = [learn(seed) for seed in seeds]
    for name in found[0]:
        each = [one[name] for one in found]
        rows.append(row(f"RMSE of {name}, learned", [e.learned for e in each]))
        rows.append(row(f"RMSE of {name}, solved", [e.solved for e in each]))
        rows.append(row(f"{name}: learned / solved", [e.learned / e.solved for e in each], 1.5))
        rows.append(row(f"{name}: learned / best solved", [e.learned / e.best for e in each]))
        rows.append(row(f"{name}: still learning / solved", [e.running / e.solved for e in each]))
        rows.append(row(f"{name}: curve learned / solved", [e.curve for e in each]))
    return rows


def in_gateware(seed: int) -> list[dict[str, Any]]:
    """Rows of how many numbers of the RTL are not the emulator's."""
    rows = []
    for name, function in FUNCTIONS.items():
        found = []
        for on in ("emulator", "rtl"):
            model, probe, _ = population(function, seed, None)
            with model:
                spikes = nef.Probe(model.ensembles[0].neurons)
            with nef.Simulator(model, on=on) as sim:
                sim.run(SECONDS)
            found.append(np.hstack([sim.data[probe], sim.data[spikes]]))
        rows.append(unequal(f"{name} and the spikes, {SECONDS:g} s", [found]))
    return [*rows, unequal("learning x, x² and -x for 0.3 s", rtl_learns(seed, 0.3))]


def unequal(what: str, pairs: Sequence[Sequence[Array]]) -> dict[str, Any]:
    """A row of how many numbers are not the same in pairs of arrays, of one seed."""
    numbers = sum(one.size for one, _ in pairs)
    differing = [float((one != other).sum()) for one, other in pairs]
    return row(f"{what}: unequal of {numbers:,} numbers", differing, 0.0, seeds=1)


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=list(range(10)))
    parser.add_argument("--learning-seeds", type=seeds_of, default=[0, 1, 2])
    parser.add_argument("--rtl", action="store_true", help="run the RTL too, some minutes")
    parser.add_argument("--json", type=Path, help="also write the tables to this file")
    given = parser.parse_args()
    rates = ", ".join(f"{RATE * share:g} for {seconds:g} s" for seconds, share in STAGES)
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "Representing and computing": lambda: computing(given.seeds),
        "Holding and turning": lambda: holding(given.seeds),
        f"Learning by PES, at {rates}": lambda: learning(given.learning_seeds),
    }
    if given.rtl:
        parts["Gateware beside the emulator"] = lambda: in_gateware(given.seeds[0])
    rows = []
    for title, measure in parts.items():
        part = measure()
        print(f"\n{title}\n\n{table(part)}", flush=True)
        rows += [{"part": title, **one} for one in part]
    write_json(given.json, rows)


if __name__ == "__main__":
    main()
