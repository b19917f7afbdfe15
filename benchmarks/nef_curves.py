# SPDX-License-Identifier: Apache-2.0
"""Tuning curves of integer neurons against the closed form, and against Brian2.

The rates of one neuron at currents from 0 to that of ``--most`` Hz, each held for 4 s, as codes of
an ensemble's membrane. ``closed`` is the error to ``G(J) = 1 / (tau_ref - tau_rc ln(1 - 1/J))``,
which knows no time step: most of it is due to spikes in whole steps, not to the bits. ``Brian2`` is
the difference to the same neurons in the same steps in floating point, which is due to the bits
alone; its columns need ``pip install brian2``. Errors are in Hz; ``at`` is the rate in Hz of the
closed form where the error is the largest, and ``relative`` that error's share of it. Neurons
that return to zero fire every whole number of steps, so that their rates jump: there the last bit
of a current decides, and the maximum is a jump.
"""

import argparse
import importlib
import importlib.util
from typing import Any

import numpy as np
from _timing import single_thread, table, write_json
from numpy.typing import NDArray

from spikewright import nef
from spikewright.nef.decoders.curves import response
from spikewright.nef.neurons import RESETS

Array = NDArray[np.float64]
SECONDS = 4.0


def integer_rates(neuron: nef.LIF, currents: Array, membrane: int, dt: float, most: float) -> Array:
    """Rates in Hz at currents, as an ensemble of that highest rate has them."""
    with nef.Network(seed=0) as model:
        ensemble = nef.Ensemble(20, 1, neuron_type=neuron, max_rates=most, intercepts=-1.0)
        nef.Probe(ensemble)
    compiled = nef.Simulator(model, dt, precision=nef.Precision(membrane=membrane)).compiled
    population = compiled.populations[ensemble]
    codes = np.round(currents * population.drive * 2.0**population.membrane.frac)
    measured, rates = response(
        neuron, dt=dt, membrane=population.membrane, most=max(int(codes.max()), 1)
    )
    return np.interp(codes, measured, rates)


def brian_rates(neuron: nef.LIF, currents: Array, dt: float) -> Array:
    """Rates in Hz of the same neurons in floating point."""
    brian2: Any = importlib.import_module("brian2")
    brian2.prefs.codegen.target = "numpy"
    second = brian2.second
    # Brian2 counts the refractory period from the spike's own step, ours from the next.
    waiting = (round(neuron.refractory(dt)) + 1) * dt
    group = brian2.NeuronGroup(
        len(currents),
        "dv/dt = (j - v) / tau : 1 (unless refractory)\nj : 1 (constant)",
        threshold="v >= 1",
        reset="v = 0" if neuron.reset == "zero" else "v -= 1",
        refractory=waiting * second,
        method="exact",
        dt=dt * second,
        namespace={"tau": neuron.tau_rc * second},
    )
    group.j = currents
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, monitor).run(SECONDS * second)
    trains = [np.asarray(train / second) for train in monitor.spike_trains().values()]
    return np.array([(len(t) - 1) / (t[-1] - t[0]) if len(t) > 1 else 0.0 for t in trains])


def row_of(neuron: nef.LIF, membrane: int, options: argparse.Namespace) -> dict[str, Any]:
    """Errors of one neuron type at one width."""
    top = float(neuron.currents(options.most))
    currents = np.linspace(0, top, options.points)
    ours = integer_rates(neuron, currents, membrane, options.dt, options.most)
    exact = neuron.rates(currents)
    error = ours - exact
    worst = int(np.abs(error).argmax())
    row = {
        "reset": neuron.reset,
        "membrane bits": membrane,
        "dt (ms)": options.dt * 1e3,
        "closed max": float(np.abs(error).max()),
        "closed RMS": float(np.sqrt(np.mean(error**2))),
        "at": float(exact[worst]),
        "relative": float(error[worst] / exact[worst]) if exact[worst] else float("inf"),
    }
    if options.brian:
        theirs = brian_rates(neuron, currents, options.dt)
        row["Brian2 max"] = float(np.abs(ours - theirs).max())
        row["Brian2 RMS"] = float(np.sqrt(np.mean((ours - theirs) ** 2)))
    return row


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--membranes", default="12,16,18", metavar="BITS")
    parser.add_argument("--dt", type=float, default=1e-3, help="in s")
    parser.add_argument("--most", type=float, default=200.0, help="highest rate, in Hz")
    parser.add_argument("--points", type=int, default=400, help="currents")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    options.brian = importlib.util.find_spec("brian2") is not None
    rows = [
        row_of(nef.LIF(reset=reset), int(membrane), options)
        for reset in RESETS
        for membrane in options.membranes.split(",")
    ]
    print(table(rows))
    write_json(options.json, rows)


if __name__ == "__main__":
    single_thread()
    main()
