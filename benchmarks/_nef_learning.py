# SPDX-License-Identifier: Apache-2.0
"""Decoders of 200 neurons learned by PES from nothing, beside those that a solver finds.

The error is exact: a node on the host takes what it wants from what it hears. It has the sign and
scale of Nengo's, decoded minus wanted, times a share that falls in stages: with a constant rate the
noise of the spikes keeps moving the decoders.

Three things limit what is learned. A spike changes its decoder by the error that its own last
spikes have left; right before a spike these have decayed most, so the error tells too little of it
and decoders grow: with a synapse of 5 ms and an unfiltered error, in floating point, they diverge
at a rate of 3e-3, and at 1e-3 err a dozen times as much as solved ones. 50 ms leave a seventh of
that, at 100 Hz. What is filtered is late, which forbids fast signals and rates above about 2e-3.
And directions in which curves hardly differ are learned slowly, hence 300 s.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from _nef_signals import Array, filtered, noise, player, rms

from spikewright import nef
from spikewright.nef.decoders.curves import tuning_curves

NEURONS, TAU, FILTER = 200, 0.05, 0.005
"""Synapses in s: of what is decoded, and of its error."""
RATE = 2e-3
STAGES = ((180.0, 1.0), (75.0, 0.3), (45.0, 0.1))
"""Seconds, and share of the rate."""
FASTEST = 2.0
"""Of the signal that is learned from, in Hz."""
TEST, TEST_FASTEST = 20.0, 1.0
SEED = 10_000
"""Of the test's signal: this many above the training's."""
FUNCTIONS = {"x": lambda x: x, "x²": lambda x: x**2, "-x": lambda x: -x}
REGULARIZATIONS = (0.1, 0.05, 0.02, 0.01)


@dataclass(frozen=True)
class Given:
    """A solver that finds the decoders (size, neurons) which it was given; none are all 0."""

    decoders: Array | None = None

    def solve(self, rates: Array, targets: Array) -> Array:
        """Decoders (neurons, size)."""
        zero = np.zeros((rates.shape[1], targets.shape[1]))
        return zero if self.decoders is None else self.decoders.T


@dataclass(frozen=True)
class Found:
    """Errors of a function.

    Attributes
    ----------
    learned, solved : float
        RMSE of a new signal decoded through 50 ms, nothing learning; solved by the default solver.
    best : float
        RMSE of the best of :data:`REGULARIZATIONS`.
    running : float
        RMSE in the last 20 s of the signal that is learned from, still learning at a tenth.
    curve : float
        RMSE of the decoded tuning curve, learned by solved.
    """

    learned: float
    solved: float
    best: float
    running: float
    curve: float


def share_at(t: float) -> float:
    """Share of the rate at a time in s."""
    for seconds, share in STAGES:
        if t <= seconds:
            return share
        t -= seconds
    return STAGES[-1][1]


def learner(seed: int, seconds: float) -> tuple[nef.Network, list[nef.Connection], list[Any]]:
    """A network that learns all functions at once, their connections, and probes of them."""
    x = noise(max(seconds, 2.0), most=FASTEST, seed=seed)
    with nef.Network(seed=seed) as model:
        a = nef.Ensemble(NEURONS, 1)
        nef.Connection(player(x), a, synapse=None)
        learned, probes = [], []
        for function in FUNCTIONS.values():
            wanted = filtered(function(x), TAU)[:, 0]

            def error(t: float, decoded: Array, wanted: Array = wanted) -> Array:
                # What is heard is of the step before.
                return share_at(t) * (decoded - wanted[max(round(t * 1000) - 2, 0)])

            out, told = nef.Node(size_in=1), nef.Node(error, size_in=1)
            rule = nef.PES(learning_rate=RATE)
            made = nef.Connection(a, out, synapse=TAU, solver=Given(), learning_rule=rule)
            nef.Connection(out, told, synapse=None)
            nef.Connection(told, made.learning_rule, synapse=FILTER)
            learned.append(made)
            probes.append(nef.Probe(out))
    return model, learned, probes


def learn(seed: int) -> dict[str, Found]:
    """Learn, and compare on another signal."""
    seconds = sum(s for s, _ in STAGES)
    model, learned, probes = learner(seed, seconds)
    with nef.Simulator(model) as sim:
        sim.run(seconds)
        decoders = [sim.decoders(connection) for connection in learned]
        heard = [sim.data[probe] for probe in probes]
    x, found = noise(seconds, most=FASTEST, seed=seed), {}
    for name, decoder, values in zip(FUNCTIONS, decoders, heard, strict=True):
        wanted = filtered(FUNCTIONS[name](x), TAU)
        solvers = [Given(decoder), None, *(nef.LstsqL2(reg=r) for r in REGULARIZATIONS)]
        (mine, curve), (solved, ideal), *others = [tested(name, seed, s) for s in solvers]
        last = round(TEST * 1000)
        running = rms(values[-last:] - wanted[-last - 1 : -1])
        found[name] = Found(mine, solved, min(one for one, _ in others), running, curve / ideal)
    return found


def tested(name: str, seed: int, solver: Any) -> tuple[float, float]:
    """RMSE of a new signal that the same neurons represent, and of the decoded tuning curve."""
    x = noise(TEST, most=TEST_FASTEST, seed=seed + SEED)
    with nef.Network(seed=seed) as model:
        a = nef.Ensemble(NEURONS, 1)
        nef.Connection(player(x), a, synapse=None)
        out = nef.Node(size_in=1)
        read = nef.Connection(a, out, function=FUNCTIONS[name], synapse=TAU, solver=solver)
        probe = nef.Probe(out)
    with nef.Simulator(model) as sim:
        sim.run(TEST)
    along = np.linspace(-1, 1, 401)[:, None]
    curve = tuning_curves(sim.compiled.populations[a], along) @ sim.decoders(read).T
    wanted = filtered(FUNCTIONS[name](x), TAU)
    return rms(sim.data[probe][1001:] - wanted[1000:-1]), rms(curve - FUNCTIONS[name](along))


def rtl_learns(seed: int, seconds: float) -> list[tuple[Array, Array]]:
    """What the emulator and the RTL decode while they learn, and the decoders at the end."""
    found: list[list[Array]] = []
    for on in ("emulator", "rtl"):
        model, learned, probes = learner(seed, seconds)
        with nef.Simulator(model, on=on) as sim:
            sim.run(seconds)
            decoders = [sim.decoders(connection) for connection in learned]
        found.append([*(sim.data[probe] for probe in probes), *decoders])
    for decoder in found[0][len(FUNCTIONS) :]:
        if not np.abs(decoder).max() > 0:
            raise SystemExit("Decoders must have learned something")
    return list(zip(*found, strict=True))
