# SPDX-License-Identifier: Apache-2.0
"""`python -m formal`: prove everything, and say how each property was proved."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from formal.catalogue import PROOFS
from formal.sby import FormalError, Proof, Result, run


def attempt(proof: Proof, keep: Path | None, timeout: float) -> list[Result]:
    """Results of a proof; one that says so where it did not finish."""
    try:
        return run(proof, keep=keep, timeout=timeout)
    except subprocess.TimeoutExpired:
        how = f"not finished in {timeout:.0f} s"
    except FormalError as error:
        how = str(error).splitlines()[-1]
    return [Result(proof.component, proof.shape, "all", how, False, timeout)]


@click.command()
@click.option("--only", default="", help="Only proofs whose component and shape contain this.")
@click.option("--quick", is_flag=True, help="Only those that the ordinary tests run too.")
@click.option("--jobs", default=1, show_default=True, help="Proofs at a time.")
@click.option("--timeout", default=600.0, show_default=True, help="Seconds for each run.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Write the results there too."
)
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for traces of what fails.")
def main(
    only: str, quick: bool, jobs: int, timeout: float, file: Path | None, keep: Path | None
) -> None:
    """Prove the gateware's components; fails if anything does not hold."""
    chosen = [p for p in PROOFS if only in str(p) and (p.quick or not quick)]
    console = Console(width=150)
    table = Table("component", "shape", "property", "how", "s")
    results: list[Result] = []
    with ThreadPoolExecutor(jobs) as pool:
        for proof, found in zip(
            chosen, pool.map(lambda p: attempt(p, keep, timeout), chosen), strict=True
        ):
            results += found
            failed = [r for r in found if not r.holds]
            console.print(f"{proof}: {'holds' if not failed else 'FAILS'}", highlight=False)
            for result in failed:
                console.print(f"  {result.name}: {result.method} {result.trace}", style="red")
    for r in results:
        method = r.method if r.holds else f"FAILS ({r.method})"
        table.add_row(r.component, r.shape, r.name, method, f"{r.seconds:.1f}")
    console.print(table)
    console.print(_summary(results))
    if file is not None:
        file.write_text(json.dumps([asdict(r) for r in results], indent=2))
    sys.exit(0 if all(r.holds for r in results) else 1)


def _summary(results: list[Result]) -> str:
    """How many properties were proved which way."""
    ways = {
        "by induction": [r for r in results if r.method.startswith("induction")],
        "for so many cycles from the reset": [r for r in results if r.method.startswith("bounded")],
        "reached": [r for r in results if r.method.startswith("reached")],
    }
    said = [f"{sum(r.holds for r in found)} of {len(found)} {way}" for way, found in ways.items()]
    return f"{len(results)} properties: {', '.join(said)}"


if __name__ == "__main__":
    main()
