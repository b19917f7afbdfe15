# SPDX-License-Identifier: Apache-2.0
"""Decoders of LIF populations: Spikewright's solvers against Nengo's LstsqL2, one thread.

Both solve the same problem, ``argmin ||A D - Y||^2 + M (reg max(A))^2 ||D||^2``, for ``x``, ``y``
and ``xy`` of points in the unit disk. Solvers run one after the other in every round, in one
process; CPU and wall are medians of the rounds, and ``times Nengo`` is a ratio of CPU times.
``difference`` is the relative one of the decoders, in the Frobenius norm, to a Cholesky factor in
float64. Nengo's rows need Nengo and SciPy.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.decoders.solvers import LstsqL2, rmse
from spikewright.nef.decoders.solving import cholesky

Array = NDArray[np.float64]
REG = 0.1
SIZES = ((1000, 2000), (1000, 8000), (4000, 2000), (4000, 8000))
"""Neurons and samples."""
MAX_RATES = ((100.0, 200.0), (200.0, 400.0))
"""In Hz."""
METHODS = ("auto", "pcg", "refined", "cholesky")
NENGO = "Nengo LstsqL2"
TAU, REFRACTORY = 0.02, 0.002


def rates_of(
    neurons: int, samples: int, max_rates: tuple[float, float], seed: int
) -> tuple[Array, Array]:
    """LIF rates (samples, neurons) in Hz with encoders all around, and what to decode."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, samples), np.sqrt(rng.random(samples))
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    direction = rng.uniform(0, 2 * np.pi, neurons)
    encoders = np.stack([np.cos(direction), np.sin(direction)])
    highest, intercepts = rng.uniform(*max_rates, neurons), rng.uniform(-1, 0.9, neurons)
    top = 1 / -np.expm1((REFRACTORY - 1 / highest) / TAU)
    current = (top - 1) / (1 - intercepts) * (x @ encoders - intercepts) + 1
    rates, fires = np.zeros_like(current), current > 1
    rates[fires] = 1 / (REFRACTORY + TAU * np.log1p(1 / (current[fires] - 1)))
    return rates, np.concatenate([x, x[:, :1] * x[:, 1:]], axis=1)


def candidates_for(rates: Array, targets: Array) -> dict[str, Callable[[], Array]]:
    """What solves, by name."""
    found: dict[str, Callable[[], Array]] = {}
    if importlib.util.find_spec("nengo") is not None:
        from nengo.solvers import LstsqL2 as Theirs

        found[NENGO] = lambda: Theirs(reg=REG)(rates, targets, rng=np.random.RandomState(0))[0]
    for method in METHODS:
        solver = LstsqL2(reg=REG, method=method)
        found[f"Spikewright {method}"] = lambda s=solver: s.solve(rates, targets)
    return found


def timed(run: Callable[[], Array]) -> tuple[float, float, Array]:
    """CPU and wall seconds, and the decoders."""
    wall, cpu = time.perf_counter(), time.process_time()
    decoders = run()
    return time.process_time() - cpu, time.perf_counter() - wall, decoders


def measure(
    neurons: int, samples: int, max_rates: tuple[float, float], *, rounds: int, seed: int
) -> list[dict[str, Any]]:
    """Rows of one size."""
    rates, targets = rates_of(neurons, samples, max_rates, seed)
    exact = cholesky(rates, targets, samples * (REG * float(rates.max())) ** 2)
    if exact is None:
        raise SystemExit("The normal equations must not be singular")
    candidates = candidates_for(rates, targets)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    decoders = {name: run() for name, run in candidates.items()}
    for _ in range(rounds):
        for name, run in candidates.items():
            cpu, wall, decoders[name] = timed(run)
            taken[name].append((cpu, wall))
    seconds = {
        name: [statistics.median(s) for s in zip(*t, strict=True)] for name, t in taken.items()
    }
    return [
        {
            "neurons x samples": f"{neurons}x{samples}",
            "Hz": f"{max_rates[0]:g} to {max_rates[1]:g}",
            "solver": name,
            "CPU ms": seconds[name][0] * 1e3,
            "wall ms": seconds[name][1] * 1e3,
            "times Nengo": seconds[NENGO][0] / seconds[name][0] if NENGO in seconds else "",
            "difference": float(np.linalg.norm(decoders[name] - exact) / np.linalg.norm(exact)),
            "RMSE": rmse(rates, decoders[name], targets),
        }
        for name in candidates
    ]
