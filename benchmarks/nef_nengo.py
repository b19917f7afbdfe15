# SPDX-License-Identifier: Apache-2.0
"""Six networks of Nengo's documentation, run by Nengo and by spikewright.nef.Simulator.

Sizes, radii, signals and synapses are those of the documentation's examples; but a learned channel
begins at 0 and not at random. Two more rows have a weaker pulse and kick, which leave the ideal
within the radius. The same function describes a network to both simulators.

RMSE against the ideal: the same network computed without neurons, by Nengo's direct mode in its
steps of 1 ms, so that the filters' lag counts for nobody; of the learned channel, one that need not
learn. The probe's filter is the same for all. Each ensemble draws the same neurons everywhere.

What differs: our neurons are integers of 16 to 18 bits, run in the emulator, bit for bit as on
hardware, begin at rest, keep what a spike leaves over and fire at the ends of steps; Nengo's begin
at random voltages, return to 0 and fire between steps. Our PES takes the spikes themselves, Nengo's
filters them over 5 ms. Where rates reach 400 Hz, our neurons and synapses take two steps in 1 ms:
a loop hears itself sooner, which turns an oscillator more slowly. The last ratio is of Nengo's
simulator with as many steps. Needs ``pip install nengo``.
"""

import argparse
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import Any

import numpy as np
from _timing import seeds_of, single_thread, table, write_json
from numpy.typing import NDArray

DT = 1e-3
"""Step of Nengo's simulator, in s."""
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


def steps(*times_and_values: tuple[float, float]) -> Callable[[float], float]:
    """A signal that takes each value from its time on, and is 0 before."""
    return lambda t: next((value for start, value in reversed(times_and_values) if t >= start), 0.0)


def channel(nengo: Any, ideal: bool) -> Any:
    """Hand a sine on."""
    stimulus = nengo.Node(np.sin)
    a, b = nengo.Ensemble(100, 1), nengo.Ensemble(100, 1)
    nengo.Connection(stimulus, a)
    nengo.Connection(a, b)
    return nengo.Probe(b, synapse=0.01)


def squaring(nengo: Any, ideal: bool) -> Any:
    """Square a sine."""
    stimulus = nengo.Node(np.sin)
    a, b = nengo.Ensemble(100, 1), nengo.Ensemble(100, 1)
    nengo.Connection(stimulus, a)
    nengo.Connection(a, b, function=np.square)
    return nengo.Probe(b, synapse=0.01)


def product(nengo: Any, ideal: bool) -> Any:
    """Multiply two signals in one population of two dimensions."""
    first = nengo.Node(steps((2.5, 10.0), (4.0, -10.0)))
    second = nengo.Node(steps((0.0, 10.0), (1.5, 2.0), (3.0, 0.0), (4.5, 2.0)))
    a, b = nengo.Ensemble(100, 1, radius=10), nengo.Ensemble(100, 1, radius=10)
    corners = nengo.dists.Choice([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    both = nengo.Ensemble(220, 2, radius=15, encoders=corners)
    result = nengo.Ensemble(100, 1, radius=20)
    nengo.Connection(first, a)
    nengo.Connection(second, b)
    nengo.Connection(a, both[0])
    nengo.Connection(b, both[1])
    nengo.Connection(both, result, function=lambda x: x[0] * x[1])
    return nengo.Probe(result, synapse=0.01)


def integrator(nengo: Any, ideal: bool, pulse: float = -2.0) -> Any:
    """Integrate pulses."""
    tau = 0.1
    stimulus = nengo.Node(
        steps((0.2, 1.0), (1.0, 0.0), (2.0, pulse), (3.0, 0.0), (4.0, 1.0), (5.0, 0.0))
    )
    a = nengo.Ensemble(100, 1)
    nengo.Connection(stimulus, a, transform=tau, synapse=tau)
    nengo.Connection(a, a, synapse=tau)
    return nengo.Probe(a, synapse=0.01)


def oscillator(nengo: Any, ideal: bool, force: float = 1.0) -> Any:
    """Turn a kick into a rotation of 10 rad/s."""
    kick = nengo.Node(lambda t: [force * (t < 0.1), 0.0])
    a = nengo.Ensemble(200, 2)
    nengo.Connection(kick, a)
    nengo.Connection(a, a, transform=[[1, 1], [-1, 1]], synapse=0.1)
    return nengo.Probe(a, synapse=0.01)


def learned(nengo: Any, ideal: bool) -> Any:
    """Learn to hand two signals on, by PES."""
    signal = nengo.processes.WhiteSignal(60.0, high=5, seed=1).run(15.0, d=2, dt=DT)
    # A white signal is another one in other steps: these are the same values.
    stimulus = nengo.Node(nengo.processes.PresentInput(signal, DT))
    pre, post = nengo.Ensemble(60, 2), nengo.Ensemble(60, 2)
    nengo.Connection(stimulus, pre)
    if ideal:
        nengo.Connection(pre, post)
        return nengo.Probe(post, synapse=0.01)
    rule = nengo.PES()
    learns = nengo.Connection(pre, post, function=lambda x: [0.0, 0.0], learning_rule_type=rule)
    error = nengo.Ensemble(60, 2)
    nengo.Connection(post, error)
    nengo.Connection(pre, error, transform=-1)
    nengo.Connection(error, learns.learning_rule)
    return nengo.Probe(post, synapse=0.01)


CASES = (
    Case("communication channel", channel, 5.0),
    Case("squaring", squaring, 5.0),
    Case("product", product, 5.0),
    Case("integrator", integrator, 6.0),
    Case("oscillator", oscillator, 3.0),
    Case("learned communication channel", learned, 15.0, since=10.0),
    Case("integrator, weaker pulse", partial(integrator, pulse=-1.5), 6.0),
    Case("oscillator, weaker kick", partial(oscillator, force=0.5), 3.0),
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


def by_nengo(model: Any, probe: Any, seconds: float, steps: int = 1) -> NDArray[np.float64]:
    """What Nengo's simulator finds, every 1 ms, in so many steps."""
    import nengo

    with nengo.Simulator(model, dt=DT / steps, progress_bar=False) as simulator:
        simulator.run(seconds, progress_bar=False)
    return np.asarray(simulator.data[probe][steps - 1 :: steps], np.float64)


def by_ours(model: Any, probe: Any, seconds: float) -> tuple[NDArray[np.float64], int]:
    """What ours finds, and its steps in 1 ms."""
    from spikewright.nef import Simulator

    with Simulator(model, DT, quiet=True) as simulator:
        simulator.run(seconds)
    return np.asarray(simulator.data[probe], np.float64), simulator.substeps


def errors(case: Case, seed: int) -> tuple[float, float, float]:
    """RMSE of ours, of Nengo's, and of Nengo's in as many steps as ours takes."""
    ideal = by_nengo(*network(case, seed, ideal=True), case.seconds)
    judged = DT * (1 + np.arange(len(ideal))) >= case.since
    model, probe = network(case, seed, ideal=False)
    ours, steps = by_ours(model, probe, case.seconds)
    found = [ours, *(by_nengo(model, probe, case.seconds, n) for n in (1, steps))]
    first, second, third = (float(np.sqrt(np.mean((x - ideal)[judged] ** 2))) for x in found)
    return first, second, third


def measure(case: Case, seeds: list[int]) -> dict[str, Any]:
    """A row of the table."""
    ours, theirs, alike = zip(*(errors(case, seed) for seed in seeds), strict=True)
    ratio, each = mean(ours) / mean(theirs), np.divide(ours, theirs)
    return {
        "network": case.name,
        "seeds": len(seeds),
        "our RMSE": mean(ours),
        "Nengo's RMSE": mean(theirs),
        "ratio": ratio,
        "of single seeds": f"{each.min():.2f} to {each.max():.2f}",
        f"at most {LIMIT}": "yes" if ratio <= LIMIT else "no",
        "ratio in equal steps": mean(ours) / mean(alike),
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
