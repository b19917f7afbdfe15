# SPDX-License-Identifier: Apache-2.0
"""Speed of the Neural Engineering Framework's two heavy parts beside their peers, in one run.

Decoders against Nengo's LstsqL2 at the same regularisation; an ensemble and an integrator on the
emulator against Brian2's C++ standalone. One thread, medians, ratios of CPU times. Peers' rows
need ``pip install nengo scipy brian2`` and a C++ compiler.
"""

import argparse
import importlib.util
from pathlib import Path

import _nef_decoders
import _nef_emulator
from _timing import single_thread, table, write_json


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the tables to this file")
    given = parser.parse_args()
    options = {"rounds": given.rounds, "seed": given.seed}
    emulator = [
        row
        for recurrent in (False, True)
        for row in _nef_emulator.measure(**options, recurrent=recurrent)
    ]
    print(table(emulator), end="\n\n")
    decoders = [
        row
        for neurons, samples in _nef_decoders.SIZES
        for rates in _nef_decoders.MAX_RATES
        for row in _nef_decoders.measure(neurons, samples, rates, **options)
    ]
    print(table(decoders))
    write_json(given.json, [*emulator, *decoders])
    for peer in ("nengo", "brian2"):
        if importlib.util.find_spec(peer) is None:
            print(f"\nWithout its rows, because it is not installed: pip install {peer}")


if __name__ == "__main__":
    main()
