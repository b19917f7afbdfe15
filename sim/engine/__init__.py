# SPDX-License-Identifier: Apache-2.0
"""Engines that run an accelerator's Verilog clock by clock."""

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from spikewright.sim.engine.build import verilator_folder
from spikewright.sim.engine.compiler import require_compiler
from spikewright.sim.engine.engine import Design, Engine
from spikewright.sim.engine.verilator import VerilatorEngine
from spikewright.sim.errors import ToolError

if TYPE_CHECKING:
    from amaranth.hdl import Elaboratable, Value

    ComponentFactory = Callable[[], tuple[Elaboratable, Mapping[str, Value]]]

__all__ = ["Design", "Engine", "describe", "open_engine"]


def open_engine(
    design: Design,
    *,
    component_factory: "ComponentFactory | None" = None,
    trace: bool = False,
) -> Engine:
    """Open the fastest engine this machine has.

    Parameters
    ----------
    design : Design
        Verilog for Verilator.
    component_factory : callable, optional
        Returns the same design as an Amaranth component with its ports by flat name, for a
        machine without Verilator or a compiler.
    trace : bool
        Whether waveforms will be written.

    Raises
    ------
    ToolError
        If Verilator or a compiler is missing and there is no `component_factory`, or if a tool
        rejects the design.
    """
    try:
        verilator_folder()
        compiler = require_compiler()
    except ToolError:
        if component_factory is None:
            raise
        # Imported late: Amaranth is the gateware's language, and simulating Verilog needs none.
        module = importlib.import_module("spikewright.sim.engine.amaranth_engine")
        engine: Engine = module.AmaranthEngine(*component_factory())
        return engine
    return VerilatorEngine(design, trace=trace, compiler=compiler)


def describe() -> str:
    """Say in one sentence which engine this machine would use, and why."""
    try:
        verilator_folder()
        compiler = require_compiler()
    except ToolError as error:
        return f"Amaranth simulator, a thousand times slower than Verilator. {error}"
    return f"Verilator with {compiler.name} ({compiler.version})"
