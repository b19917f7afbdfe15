# SPDX-License-Identifier: Apache-2.0
"""`python -m mutation`: plant faults, see which the vectors find, prove the rest to be none."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mutation.campaign import Core, run
from mutation.cores import CORES
from mutation.equivalence import Finding, examine

TARGET = 0.95
"""Share of the mutants not proven equivalent that must be killed."""


@dataclass(frozen=True)
class Score:
    """What became of a core's mutants."""

    core: str
    mutants: int
    killed: dict[str, int]
    survivors: list[tuple[str, Finding]]
    seconds: float

    @property
    def equivalent(self) -> int:
        """Mutants proven to be the design itself."""
        return sum(finding.state == "equivalent" for _, finding in self.survivors)

    @property
    def score(self) -> float:
        """Killed of those that are not."""
        return sum(self.killed.values()) / (self.mutants - self.equivalent)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "core": self.core,
            "mutants": self.mutants,
            "killed": self.killed,
            "equivalent": self.equivalent,
            "score": round(self.score, 4),
            "seconds": round(self.seconds, 1),
            "survivors": [
                {"fault": fault, "state": finding.state, "how": finding.how}
                for fault, finding in self.survivors
            ],
        }


def campaign(core: Core, *, count: int, seed: int, prove: bool, jobs: int) -> Score:
    """All that is done to one core."""
    start = time.monotonic()
    design, verdicts = run(core, count=count, seed=seed)
    killed: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.reason is not None:
            killed[verdict.reason] = killed.get(verdict.reason, 0) + 1
    left = [verdict for verdict in verdicts if verdict.reason is None]
    with ThreadPoolExecutor(jobs) as pool:
        findings = list(
            pool.map(
                lambda verdict: (
                    examine(core, design, verdict.number)
                    if prove
                    else Finding("open", "not examined")
                ),
                left,
            )
        )
    survivors = [(str(v.fault), f) for v, f in zip(left, findings, strict=True)]
    return Score(core.name, len(verdicts), killed, survivors, time.monotonic() - start)


@click.command()
@click.option("--core", "cores", multiple=True, type=click.Choice(list(CORES)), help="Only these.")
@click.option("--count", default=150, show_default=True, help="Mutants of each core, at most.")
@click.option("--seed", default=1, show_default=True, help="Of the choice of faults and vectors.")
@click.option("--prove/--no-prove", default=True, help="Examine the mutants that nothing killed.")
@click.option("--jobs", default=1, show_default=True, help="Proofs at a time.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Write the results there too."
)
def main(
    cores: tuple[str, ...], count: int, seed: int, prove: bool, jobs: int, file: Path | None
) -> None:
    """Mutation score of every core; fails below 95 %."""
    console = Console(width=150)
    scores = []
    for name in cores or CORES:
        score = campaign(CORES[name], count=count, seed=seed, prove=prove, jobs=jobs)
        scores.append(score)
        console.print(
            f"{name}: {sum(score.killed.values())} of {score.mutants} killed, "
            f"{score.equivalent} proven equivalent, score {100 * score.score:.1f} %"
        )
        for fault, finding in score.survivors:
            if finding.state != "equivalent":
                console.print(f"  {finding.state}: {fault} ({finding.how})", style="yellow")
        if file is not None:
            file.write_text(json.dumps([s.as_json() for s in scores], indent=2))
    total = _table(scores, console)
    sys.exit(0 if total >= TARGET else 1)


def _table(scores: list[Score], console: Console) -> float:
    """Print the table of cores; the score of all together."""
    table = Table("core", "mutants", "killed", "equivalent", "left", "score", "how they died")
    for s in scores:
        died = sum(s.killed.values())
        ways = ", ".join(f"{reason} {n}" for reason, n in sorted(s.killed.items()))
        left = s.mutants - died - s.equivalent
        row = (s.core, s.mutants, died, s.equivalent, left, f"{100 * s.score:.1f} %", ways)
        table.add_row(*map(str, row))
    console.print(table)
    died = sum(sum(s.killed.values()) for s in scores)
    total = died / sum(s.mutants - s.equivalent for s in scores)
    console.print(f"All cores: {100 * total:.1f} % of the mutants not proven equivalent are killed")
    return total


if __name__ == "__main__":
    main()
