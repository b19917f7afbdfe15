# SPDX-License-Identifier: Apache-2.0
"""Accelerators on a PYNQ board, simulated or real. Needs the pynq extra."""

import importlib
import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.hw.accelerator import Accelerator
from spikewright.hw.folding import fold
from spikewright.hw.verilog import to_verilog
from spikewright.runtime.accelerated import CLOCK_MHZ, AcceleratorDevice
from spikewright.sim.board.bundle import write_bundle
from spikewright.sim.errors import ToolError
from spikewright.sim.program import Program


class _Board:
    """A PYNQ connection that tells how long transfers took."""

    def __init__(self, connection: Any):
        self._connection = connection
        self.name = str(connection.name)
        self.read, self.write = connection.read, connection.write
        self.read_many, self.write_many = connection.read_many, connection.write_many
        self.close = connection.close

    def transfer(
        self, words: NDArray[np.uint32], capacity: int, *, frame_words: int
    ) -> NDArray[np.uint32]:
        """Send a packet and receive one."""
        answer: NDArray[np.uint32] = self._connection.transfer(
            words, capacity, frame_words=frame_words
        )
        return answer

    def transfer_seconds(self) -> float:
        """Seconds of copying to buffers, flushing and programming the DMA."""
        return float(self._connection.times.programming)


class PynqDevice(AcceleratorDevice):
    """A program on the accelerator of a .bit file, through stock pynq.

    Parameters
    ----------
    program : Program
    lanes : mapping of str to int
        Of every node, as the accelerator was generated.
    bitfile : Path
    simulated : bool
        Whether on a simulated PYNQ-Z2 or on the board that pynq finds.
    clock_mhz : float

    Raises
    ------
    ToolError
        If pynq is not installed.
    DeviceError
        If there is no board, or it holds another design.
    """

    def __init__(
        self,
        program: Program,
        lanes: Mapping[str, int],
        bitfile: Path,
        *,
        simulated: bool,
        clock_mhz: float = CLOCK_MHZ,
    ):
        connection = _driver().PynqConnection.open(bitfile, simulated)
        super().__init__(program, lanes, _Board(connection), clock_mhz=clock_mhz)


class SimulatedBoard(PynqDevice):
    """A program on a simulated PYNQ-Z2, its design made on the spot.

    Parameters
    ----------
    program : Program
    lanes : int or mapping of str to int, optional
        As :func:`spikewright.hw.folding.fold` takes them.
    verilog : str, optional
        The accelerator's text where that was already written.
    clock_mhz : float
    """

    def __init__(
        self,
        program: Program,
        lanes: int | Mapping[str, int] | None = None,
        *,
        verilog: str | None = None,
        clock_mhz: float = CLOCK_MHZ,
    ):
        _driver()
        folded = fold(program, lanes)
        text = to_verilog(Accelerator(program, folded)) if verilog is None else verilog
        with tempfile.TemporaryDirectory() as folder:
            bitfile = write_bundle(
                Path(folder), "spikewright", text, len(program.layers), clock_mhz
            )
            super().__init__(program, folded, bitfile, simulated=True, clock_mhz=clock_mhz)


def pynq_missing() -> str | None:
    """Why there is no pynq, or None."""
    if importlib.util.find_spec("pynq") is not None:
        return None
    return "pynq is not installed: run pip install 'spikewright[pynq]' with Python 3.11 or 3.12"


def _driver() -> Any:
    """The driver's module, which imports pynq."""
    missing = pynq_missing()
    if missing is not None:
        raise ToolError(missing)
    return importlib.import_module("spikewright.runtime.pynq_driver")
