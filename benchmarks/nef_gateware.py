# SPDX-License-Identifier: Apache-2.0
"""An ensemble as gateware: 1,000 LIF neurons, 2 dimensions, dt = 1 ms.

Clock cycles of a step, counted in the RTL engine whose outputs must be the emulator's; cells of the
whole accelerator from Yosys; on ECP5 the median clock over placement seeds from nextpnr. Neuron
updates a second and how much faster than real time that is are arithmetic: clock by cycles. For
xc7z020 there is no open placer: counts only. ``recurrent`` has a connection to itself, so that a
step cannot begin before the last has ended.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _placing import Placement, measure, shown
from _timing import seeds_of, single_thread, table, write_json

from spikewright import nef
from spikewright.boards.part import ECP5_85K, XC7Z020
from spikewright.hw.accelerator import Accelerator
from spikewright.hw.folding import fold
from spikewright.runtime.rtl import RtlDevice
from spikewright.sim.emulator import Emulator
from spikewright.sim.program import Program

NEURONS, DT, STEPS = 1000, 1e-3, 400
NETWORKS = {"feed-forward": False, "recurrent": True}


def ensemble(*, recurrent: bool) -> Program:
    """One ensemble that is driven and probed, and with a connection to itself or not."""
    with nef.Network(seed=1) as model:
        stimulus = nef.Node(lambda t: [0.7 * np.sin(6 * t), 0.7 * np.cos(5 * t)])
        a = nef.Ensemble(NEURONS, 2, label="a")
        nef.Connection(stimulus, a, synapse=None)
        if recurrent:
            nef.Connection(a, a, synapse=0.1, transform=0.9)
        nef.Probe(a, synapse=0.05)
    program = nef.Simulator(model, DT).program
    if program is None:
        raise SystemExit("The ensemble must be heard")
    return program


def cycles_of_a_step(program: Program, lanes: int) -> float:
    """Cycles of a step in steady state; ends the script where the RTL is not the emulator."""
    t = np.arange(1, 2 * STEPS + 1) * DT
    x = 0.7 * np.stack([np.sin(6 * t), np.cos(5 * t)], axis=1)
    (name,) = program.inputs
    codes = np.round(x * 2 ** program.port(name).format.frac).astype(np.int64)[None]
    wanted = Emulator(program).run({name: codes})
    with RtlDevice(program, lanes) as device:
        first = device.run_codes({name: codes[:, :STEPS]})
        second = device.run_codes({name: codes[:, STEPS:]})
    for output, expected in wanted.items():
        found = np.concatenate([first.outputs[output], second.outputs[output]], axis=1)
        if not (found == expected).all():
            raise SystemExit("RTL and emulator must be equal")
    return (second.cycles or 0) / STEPS


def rows_of(name: str, lanes: int, seeds: tuple[int, ...], reports: Path | None) -> list[Any]:
    """One row for each part."""
    program = ensemble(recurrent=NETWORKS[name])
    cycles = cycles_of_a_step(program, lanes)
    rows = []
    for part, clock in ((ECP5_85K, 150), (XC7Z020, 100)):
        placement = Placement(
            name=f"Ensemble of {NEURONS}, {name}, {lanes} lanes",
            make=partial(Accelerator, program, fold(program, lanes)),
            part=part,
            clock_mhz=clock,
        )
        found = measure(placement, seeds, reports, None)
        fmax = found.get("fmax_mhz")
        speed = {} if fmax is None else of_clock(fmax, cycles)
        rows.append({"name": placement.title, "cycles a step": cycles, **found, **speed})
    return rows


def of_clock(fmax: float, cycles: float) -> dict[str, float]:
    """What follows from a clock in MHz and the cycles of a step."""
    steps = fmax * 1e6 / cycles
    return {"M neuron updates/s": steps * NEURONS / 1e6, "times real time": steps * DT}


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, default=16)
    parser.add_argument("--seeds", type=seeds_of, default=[1, 2, 3, 4, 5], help="of the placements")
    parser.add_argument("--only", choices=list(NETWORKS), help="one of the two networks")
    parser.add_argument("--reports", type=Path, help="keep nextpnr's reports in this folder")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    rows = []
    for name in NETWORKS if given.only is None else [given.only]:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += rows_of(name, given.lanes, tuple(given.seeds), given.reports)
        write_json(given.json, rows)
    cells = [shown(row) for row in rows]
    keys = dict.fromkeys(key for row in cells for key in row)
    print(table([{key: row.get(key, "") for key in keys} for row in cells]))


if __name__ == "__main__":
    main()
