# SPDX-License-Identifier: Apache-2.0
"""A program on the emulator."""

import time
from collections.abc import Mapping

from spikewright.runtime.device import Device, Run, Times
from spikewright.sim.emulator import Emulator
from spikewright.sim.primitive import Codes
from spikewright.sim.program import Program


class EmulatorDevice(Device):
    """The integer program in NumPy, or compiled where Numba is installed; no clock is simulated.

    Parameters
    ----------
    program : Program
    """

    def __init__(self, program: Program):
        self.program = program
        self._emulator = Emulator(program)
        self.name = f"emulator ({self._emulator.engine})"

    def run_codes(self, inputs: Mapping[str, Codes]) -> Run:
        """Run input codes."""
        start = time.perf_counter()
        outputs = self._emulator.run(inputs)
        elapsed = time.perf_counter() - start
        frames = len(next(iter(inputs.values())))
        return Run(self.program, outputs, frames, None, Times(None, 0.0, elapsed))

    def close(self) -> None:
        """Nothing to let go of."""
