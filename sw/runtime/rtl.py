# SPDX-License-Identifier: Apache-2.0
"""Accelerators in an RTL engine."""

from collections.abc import Mapping

from amaranth import Signal

from spikewright.hw.accelerator import Accelerator, Top
from spikewright.hw.folding import fold
from spikewright.hw.verilog import TOP, to_verilog
from spikewright.runtime.accelerated import CLOCK_MHZ, AcceleratorDevice, EngineConnection
from spikewright.sim.engine import Design, Engine, open_engine
from spikewright.sim.program import Program


def engine_for(
    program: Program,
    lanes: Mapping[str, int],
    *,
    verilog: str | None = None,
    trace: bool = False,
) -> Engine:
    """Engine that runs a program's accelerator, weights not yet loaded.

    Parameters
    ----------
    program : Program
    lanes : mapping of str to int
        Of every node.
    verilog : str, optional
        The accelerator's text where that was already written.
    trace : bool
        Whether waveforms will be written.

    Raises
    ------
    ToolError
        If no engine can run it.
    """
    if verilog is None:
        verilog = to_verilog(Accelerator(program, lanes))

    def component() -> tuple[Top, Mapping[str, Signal]]:
        top = Top(Accelerator(program, lanes))
        return top, top.ports()

    design = Design(verilog=verilog, top=TOP, layers=len(program.layers))
    return open_engine(design, component_factory=component, trace=trace)


class RtlDevice(AcceleratorDevice):
    """A program on generated gateware in an RTL engine, clock by clock.

    Parameters
    ----------
    program : Program
    lanes : int or mapping of str to int, optional
        As :func:`spikewright.hw.folding.fold` takes them.
    verilog : str, optional
        The accelerator's text where that was already written.
    clock_mhz : float
    trace : bool
        Whether waveforms will be written.

    Raises
    ------
    ToolError
        If no engine can run it.
    """

    def __init__(
        self,
        program: Program,
        lanes: int | Mapping[str, int] | None = None,
        *,
        verilog: str | None = None,
        clock_mhz: float = CLOCK_MHZ,
        trace: bool = False,
    ):
        folded = fold(program, lanes)
        self.engine = engine_for(program, folded, verilog=verilog, trace=trace)
        super().__init__(program, folded, EngineConnection(self.engine), clock_mhz=clock_mhz)
