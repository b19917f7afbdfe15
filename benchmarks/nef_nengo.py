# SPDX-License-Identifier: Apache-2.0
"""Six well-known networks written for Nengo, run by Nengo and by spikewright.nef.Simulator.

RMSE against the ideal: the same network computed without neurons, by Nengo's direct mode, so that
the filters' lag counts for nobody. Each ensemble has the same neurons in both. Nengo's networks
take its defaults, rates of 200 to 400 Hz among them. Ours run in the emulator, bit for bit as on
hardware. Needs ``pip install nengo``.
"""

import argparse
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
from _timing import seeds_of, single_thread, table, write_json
from numpy.typing import NDArray

LIMIT = 1.2
"""Our RMSE, in Nengo's, that is still as good."""
Build = Callable[[Any, bool], Any]
"""Adds to an open network, given Nengo and whether no neurons are wanted; returns the probe."""


@dataclass(frozen=True)
class Case:
    """A network, for how long it runs, and from when it is judged, in s."""

    name: str
    build: Build
    seconds: float
    since: float = 0.2


def channel(nengo: Any, ideal: bool) -> Any:
    """Hand a sine on."""
    stimulus = nengo.Node(lambda t: np.sin(2 * np.pi * t))
    a, b = nengo.Ensemble(100, 1), nengo.Ensemble(100, 1)
    nengo.Connection(stimulus, a)
    nengo.Connection(a, b)
    return nengo.Probe(b, synapse=0.01)


def squaring(nengo: Any, ideal: bool) -> Any:
    """Square a sine."""
    stimulus = nengo.Node(lambda t: np.sin(2 * np.pi * t))
    a, b = nengo.Ensemble(100, 1), nengo.Ensemble(100, 1)
    nengo.Connection(stimulus, a)
    nengo.Connection(a, b, function=np.square)
    return nengo.Probe(b, synapse=0.01)


def product(nengo: Any, ideal: bool) -> Any:
    """Multiply two signals in one population of two dimensions."""
    first = nengo.Node(lambda t: np.sin(2 * np.pi * t))
    second = nengo.Node(lambda t: np.cos(3 * np.pi * t))
    a, b = nengo.Ensemble(100, 1), nengo.Ensemble(100, 1)
    both = nengo.Ensemble(200, 2, radius=1.5)
    result = nengo.Ensemble(100, 1)
    nengo.Connection(first, a)
    nengo.Connection(second, b)
    nengo.Connection(a, both[0])
    nengo.Connection(b, both[1])
    nengo.Connection(both, result, function=lambda x: x[0] * x[1])
    return nengo.Probe(result, synapse=0.01)


def integrator(nengo: Any, ideal: bool) -> Any:
    """Integrate pulses."""
    tau = 0.1
    stimulus = nengo.Node(lambda t: 1.0 * (0.2 <= t < 1) - 1.0 * (2 <= t < 3.4))
    a = nengo.Ensemble(100, 1)
    nengo.Connection(stimulus, a, transform=tau, synapse=tau)
    nengo.Connection(a, a, synapse=tau)
    return nengo.Probe(a, synapse=0.01)


def oscillator(nengo: Any, ideal: bool) -> Any:
    """Turn a kick into a rotation of 10 rad/s."""
    kick = nengo.Node(lambda t: [8.0 * (t < 0.1), 0.0])
    a = nengo.Ensemble(200, 2)
    nengo.Connection(kick, a, transform=0.1, synapse=0.1)
    nengo.Connection(a, a, transform=[[1, 1], [-1, 1]], synapse=0.1)
    return nengo.Probe(a, synapse=0.01)


def learned(nengo: Any, ideal: bool) -> Any:
    """Learn to hand a signal on, by PES."""
    stimulus = nengo.Node(lambda t: 0.8 * np.sin(2 * np.pi * t) * np.cos(1.3 * t))
    pre, post = nengo.Ensemble(100, 1), nengo.Ensemble(100, 1)
    nengo.Connection(stimulus, pre)
    if ideal:
        nengo.Connection(pre, post)
        return nengo.Probe(post, synapse=0.01)
    rule = nengo.PES(learning_rate=3e-4)
    learns = nengo.Connection(pre, post, function=lambda x: [0.0], learning_rule_type=rule)
    error = nengo.Ensemble(100, 1)
    nengo.Connection(post, error)
    nengo.Connection(pre, error, transform=-1)
    nengo.Connection(error, learns.learning_rule)
    return nengo.Probe(post, synapse=0.01)


CASES = (
    Case("communication channel", channel, 2.0),
    Case("squaring", squaring, 2.0),
    Case("product", product, 2.0),
    Case("integrator", integrator, 4.0),
    Case("oscillator", oscillator, 3.0),
    Case("learned communication channel", learned, 12.0, since=8.0),
)


def network(case: Case, seed: int, *, ideal: bool) -> tuple[Any, Any]:
    """A network and its probe."""
    import nengo

    with nengo.Network(seed=seed) as model:
        if ideal:
            model.config[nengo.Ensemble].neuron_type = nengo.Direct()
        probe = case.build(nengo, ideal)
    for k, ensemble in enumerate(model.all_ensembles):
        # What has a seed of its own draws the same in both simulators.
        ensemble.seed = 100 * seed + k
    return model, probe


def by_nengo(model: Any, probe: Any, seconds: float) -> NDArray[np.float64]:
    """What Nengo's simulator finds."""
    import nengo

    with nengo.Simulator(model, progress_bar=False) as simulator:
        simulator.run(seconds, progress_bar=False)
    return np.asarray(simulator.data[probe], np.float64)


def by_ours(model: Any, probe: Any, seconds: float) -> NDArray[np.float64]:
    """What ours finds."""
    from spikewright.nef import Simulator

    with Simulator(model, quiet=True) as simulator:
        simulator.run(seconds)
    return np.asarray(simulator.data[probe], np.float64)


def measure(case: Case, seeds: list[int]) -> dict[str, Any]:
    """A row of the table."""
    ours, theirs = [], []
    for seed in seeds:
        ideal = by_nengo(*network(case, seed, ideal=True), case.seconds)
        times = 1e-3 * (1 + np.arange(len(ideal)))
        model, probe = network(case, seed, ideal=False)
        for run, found in ((by_ours, ours), (by_nengo, theirs)):
            error = (run(model, probe, case.seconds) - ideal)[times >= case.since]
            found.append(float(np.sqrt(np.mean(error**2))))
    ratio = mean(ours) / mean(theirs)
    return {
        "network": case.name,
        "seeds": len(seeds),
        "our RMSE": mean(ours),
        "Nengo's RMSE": mean(theirs),
        "ratio": ratio,
        f"at most {LIMIT}": "yes" if ratio <= LIMIT else "no",
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=[1, 2, 3, 4, 5], help="joined by commas")
    parser.add_argument("--only", help="networks whose name begins so")
    parser.add_argument("--json", metavar="FILE", help="write the rows here, too")
    options = parser.parse_args()
    if importlib.util.find_spec("nengo") is None:
        raise SystemExit("Nengo is not installed: run pip install nengo")
    rows = [
        measure(case, options.seeds) for case in CASES if case.name.startswith(options.only or "")
    ]
    print(table(rows))
    write_json(options.json, rows)


if __name__ == "__main__":
    single_thread()
    main()
