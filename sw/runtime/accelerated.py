# SPDX-License-Identifier: Apache-2.0
"""A program on an accelerator: in an RTL engine, on a simulated board or on a real one."""

import math
import time
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.runtime.device import Device, Run, Times
from spikewright.sim import registers
from spikewright.sim.engine import Engine
from spikewright.sim.errors import DeviceError
from spikewright.sim.golden import check_inputs
from spikewright.sim.packets import frame_words, pack_frames, unpack_frames
from spikewright.sim.primitive import Codes
from spikewright.sim.program import Program
from spikewright.sim.registers import mask, offset

MOST_WORDS = 1 << 20
"""Words sent at once: 4 MiB, which every board's memory for transfers holds."""
CLOCK_MHZ = 100.0
"""Clock at which counted cycles are turned into seconds where no build states one."""
CYCLES_PER_WORD = 1 << 20
"""Clock cycles allowed for a word in or out before the device counts as stuck."""
POLLS = 10_000
"""Reads of its status before a device that is busy with a frame counts as stuck."""


class Connection(Protocol):
    """Registers and streams of an accelerator."""

    @property
    def name(self) -> str:
        """What it is."""

    def read(self, address: int) -> int:
        """Read a register."""

    def write(self, address: int, value: int) -> None:
        """Write a register."""

    def read_many(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read one address several times."""

    def write_many(self, address: int, words: ArrayLike) -> None:
        """Write one address several times."""

    def transfer(
        self, words: NDArray[np.uint32], capacity: int, *, frame_words: int
    ) -> NDArray[np.uint32]:
        """Send a packet and receive one."""

    def transfer_seconds(self) -> float:
        """Host seconds spent on transfers so far, not counting waits for the accelerator."""

    def close(self) -> None:
        """Let go of it."""


class EngineConnection:
    """An RTL engine as a connection.

    Parameters
    ----------
    engine : Engine
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self.name = f"RTL engine ({engine.name})"
        self.read, self.write = engine.read, engine.write
        self.read_many, self.write_many = engine.read_many, engine.write_many
        self.close = engine.close

    def transfer(
        self, words: NDArray[np.uint32], capacity: int, *, frame_words: int
    ) -> NDArray[np.uint32]:
        """Send a packet and receive one."""
        limit = CYCLES_PER_WORD + (len(words) + capacity) * 4096
        return self.engine.transfer(words, capacity, limit_cycles=limit)

    def transfer_seconds(self) -> float:
        """Words move in the same clock cycles as the computation: nothing apart from it."""
        return 0.0


class AcceleratorDevice(Device):
    """A program loaded onto an accelerator of its structure.

    Parameters
    ----------
    program : Program
    lanes : mapping of str to int
        Of every node, as the accelerator was generated.
    connection : Connection
    clock_mhz : float
        The accelerator's clock, to turn counted cycles into seconds.

    Raises
    ------
    DeviceError
        If the device is no accelerator, of another interface or of another structure.
    """

    def __init__(
        self,
        program: Program,
        lanes: Mapping[str, int],
        connection: Connection,
        *,
        clock_mhz: float,
    ):
        self.program = program
        self.lanes = dict(lanes)
        self.name = connection.name
        self.clock_mhz = clock_mhz
        self._connection = connection
        self._check(program.structure_hash(lanes))
        if program.steps is None:
            # Whoever had the device before may have left a stream's state.
            self._write("CONTROL", mask("CONTROL", "SOFT_RESET"))
        self.load()

    def close(self) -> None:
        """Let go of the device."""
        self._connection.close()

    def load(self) -> None:
        """Write every tensor and then the program's hash, unless the device holds it already.

        A program that learns is always written: the device keeps the hash while its weights move.

        Raises
        ------
        DeviceError
            If a frame stays inside, or a tensor reads back otherwise than it was written.
        """
        loaded = self._read64("PROGRAM_HASH") == self.program.program_hash
        if loaded and not self.program.learned:
            return
        self.settle("loaded", "load")
        for position, name in enumerate(self.program.tensor_specs):
            words = self.program.tensors[name].ravel().astype(np.uint32)
            self._write("PARAM_TENSOR", position)
            self._connection.write_many(offset("PARAM_DATA"), words)
            # The ends tell a wrong width or order at a fraction of the time of reading it all.
            for index in {0, len(words) - 1}:
                self._write("PARAM_START", index)
                got = self._connection.read(offset("PARAM_DATA"))
                if got != words[index]:
                    raise DeviceError(
                        f"Tensor {name} must read back {words[index]:#x} at element {index}, "
                        f"not {got:#x}: reset the device and load again"
                    )
        self._write("PROGRAM_HASH_LO", self.program.program_hash & 0xFFFFFFFF)
        self._write("PROGRAM_HASH_HI", self.program.program_hash >> 32)

    def run_codes(self, inputs: Mapping[str, Codes]) -> Run:
        """Run input codes."""
        self._check_streams(inputs)
        start = time.perf_counter()
        frames, steps = check_inputs(self.program, inputs)
        moved = self._connection.transfer_seconds()
        packing = time.perf_counter()
        words = pack_frames(self.program, inputs)
        packing = time.perf_counter() - packing
        into, out = frame_words(self.program)
        if self.program.steps is None:
            words = words.reshape(-1, into)
        elif steps != self.program.steps:
            raise DeviceError(
                f"Frames must have the program's {self.program.steps} steps to run together, "
                f"not {steps}"
            )
        self._write("CONTROL", mask("CONTROL", "CLEAR_COUNTERS"))
        chunk = max(1, MOST_WORDS // max(into, out))
        received = [np.empty(0, np.uint32)]
        received += [self._transfer(words[k : k + chunk], out) for k in range(0, len(words), chunk)]
        unpacking = time.perf_counter()
        outputs = unpack_frames(self.program, np.concatenate(received).reshape(frames, -1), steps)
        packing += time.perf_counter() - unpacking
        cycles = self._read64("CYCLES")
        moved = self._connection.transfer_seconds() - moved + packing
        elapsed = time.perf_counter() - start
        times = Times(cycles / (self.clock_mhz * 1e6), moved, elapsed)
        return Run(self.program, outputs, frames, cycles, times)

    def layer_crcs(self) -> dict[str, int]:
        """CRC-32 of every layer's stream in the last frame, as the hardware computed it."""
        return {
            layer: self._connection.read(registers.CRC_WINDOW + 4 * k)
            for k, layer in enumerate(self.program.layers)
        }

    def reset(self) -> None:
        """Drop what is inside and start the state anew; tensors stay, but for those that learn.

        Raises
        ------
        DeviceError
            As of :meth:`load`.
        """
        self._write("CONTROL", mask("CONTROL", "SOFT_RESET"))
        if self.program.learned:
            self.load()

    def settle(self, done: str = "settled", verb: str = "settle") -> None:
        """Wait for what is still inside after the last word: delays, and what no output hears.

        Raises
        ------
        DeviceError
            If the device stays busy; ``done`` and ``verb`` are what the sentence says of it.
        """
        busy = mask("STATUS", "BUSY")
        if not any(self._connection.read(offset("STATUS")) & busy == 0 for _ in range(POLLS)):
            raise DeviceError(
                f"Device must be idle to be {done}, and is busy after {POLLS} reads of its "
                f"status: reset it and {verb} again"
            )

    def read_tensor(self, name: str) -> Codes:
        """Codes of a tensor, read back from the device."""
        spec = self._spec(name)
        self.settle("read", "read")
        self._write("PARAM_TENSOR", list(self.program.tensor_specs).index(name))
        words = self._connection.read_many(offset("PARAM_DATA"), math.prod(spec.shape))
        codes = words.astype(np.int64) & ((1 << spec.format.width) - 1)
        if spec.format.signed:
            codes -= codes >> (spec.format.width - 1) << spec.format.width
        return codes.reshape(spec.shape)

    def _transfer(self, words: NDArray[np.uint32], out: int) -> NDArray[np.uint32]:
        self._write("FRAMES_PER_PACKET", len(words))
        capacity = len(words) * out
        got = self._connection.transfer(words.ravel(), capacity, frame_words=words.shape[1])
        if len(got) != capacity:
            raise DeviceError(
                f"Device must answer {capacity} words, not {len(got)}: reset it and run again"
            )
        return got

    def _check(self, structure_hash: int) -> None:
        found = self._connection.read(offset("ID"))
        if found != registers.ID_VALUE:
            raise DeviceError(
                f"Device must read ID {registers.ID_VALUE:#x}, not {found:#x}: "
                "it does not hold an accelerator"
            )
        version = self._connection.read(offset("VERSION"))
        if version != registers.INTERFACE_VERSION:
            raise DeviceError(
                f"Accelerator must have interface version {registers.INTERFACE_VERSION}, "
                f"not {version}: generate it again"
            )
        structure = self._read64("STRUCTURE_HASH")
        if structure != structure_hash:
            raise DeviceError(
                f"Accelerator must have structure {structure_hash:016x}, not {structure:016x}: "
                "it was generated for another program or other lanes"
            )

    def _write(self, register: str, value: int) -> None:
        self._connection.write(offset(register), value)

    def _read64(self, register: str) -> int:
        low = self._connection.read(offset(f"{register}_LO"))
        return self._connection.read(offset(f"{register}_HI")) << 32 | low
