# SPDX-License-Identifier: Apache-2.0
"""A program on the emulator."""

import time
from collections.abc import Mapping

from spikewright.runtime.device import Device, Run, Times
from spikewright.sim.emulator import Emulator
from spikewright.sim.learn import LEARNED
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
        self._state: dict[str, Codes] = {}
        self.name = f"emulator ({self._emulator.engine})"

    def run_codes(self, inputs: Mapping[str, Codes]) -> Run:
        """Run input codes."""
        self._check_streams(inputs)
        start = time.perf_counter()
        if self.program.steps is None:
            outputs = self._emulator.stream(inputs, self._state)
        else:
            outputs = self._emulator.run(inputs)
        elapsed = time.perf_counter() - start
        frames = len(next(iter(inputs.values())))
        return Run(self.program, outputs, frames, None, Times(None, 0.0, elapsed))

    def reset(self) -> None:
        """Start the program's state anew, with what it has learned forgotten."""
        self._state = {}

    def read_tensor(self, name: str) -> Codes:
        """Codes of a tensor, with what was learned since the last reset."""
        self._spec(name)
        codes: Codes = self.program.tensors[name].copy()
        learned = self._state.get(f"{self.program.learned.get(name)}.{LEARNED}")
        if learned is not None:
            codes += learned[0]
        return codes

    def close(self) -> None:
        """Nothing to let go of."""
