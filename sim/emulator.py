# SPDX-License-Identifier: Apache-2.0
"""The fast emulator: the numbers of :mod:`spikewright.sim.golden`, bit for bit."""

import importlib.util
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from spikewright.sim import golden
from spikewright.sim.emulation.kernels import Array
from spikewright.sim.emulation.plan import Plan
from spikewright.sim.emulation.schedule import Schedule
from spikewright.sim.errors import DataError, ProgramError, ToolError
from spikewright.sim.leaky import Leaky
from spikewright.sim.lif import Lif
from spikewright.sim.primitive import Codes, check_choice
from spikewright.sim.program import Program
from spikewright.sim.requantize import Requantize

PATIENCE = 1.0
"""Seconds of work in NumPy after which compiling is worth while."""

KEPT_SCHEDULES = 6
"""Sets of buffers kept for later calls."""


class Emulator:
    """Runs a program on this machine, exactly and in batches.

    The work is prepared once for each set of wanted streams; keep the object for many runs.

    Parameters
    ----------
    program : Program
    engine : "NumPy", "Numba" or None
        What runs the steps. Numba compiles for seconds when a program's structure is new to this
        machine; ``None`` takes it once NumPy has worked for a second, if it is installed and
        the environment variable ``SPIKEWRIGHT_NUMBA`` is not 0.

    Raises
    ------
    ToolError
        If Numba is asked for and not installed.

    Examples
    --------
    >>> from spikewright.sim.primitives import Requantize
    >>> from spikewright.sim.fixed import QFormat
    >>> from spikewright.sim.ports import Port, Rate
    >>> from spikewright.sim.program import Input, Node
    >>> wide, narrow = QFormat(width=8), QFormat(width=4, signed=False)
    >>> program = Program(
    ...     inputs={"x": Input(Port(size=3, format=wide), Rate.FRAME)},
    ...     nodes=(Node("relu", Requantize(size=3, input=wide, output=narrow), ("x",)),),
    ...     outputs={"y": "relu"},
    ...     tensors={},
    ... )
    >>> Emulator(program).run({"x": np.array([[-5, 7, 99]], np.int8)})
    {'y': array([[ 0,  7, 15]])}
    """

    def __init__(self, program: Program, *, engine: str | None = None):
        check_choice("Emulator engine", engine, (None, "NumPy", "Numba"))
        installed = importlib.util.find_spec("numba") is not None
        if engine == "Numba" and not installed:
            raise ToolError("Numba must be installed to compile the emulator: pip install numba")
        self.program = program
        self._compiled = engine == "Numba"
        allowed = engine is None and os.environ.get("SPIKEWRIGHT_NUMBA") != "0"
        self._patience = PATIENCE if allowed and installed else math.inf
        self._plans: dict[tuple[tuple[str, ...], bool], Plan] = {}
        self._schedules: dict[tuple[Plan, int, int, bool], Schedule] = {}

    @property
    def engine(self) -> str:
        """What runs the steps of the next run: "NumPy" or "Numba"."""
        return "Numba" if self._compiled else "NumPy"

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Codes]:
        """Outputs of a batch of frames.

        Parameters
        ----------
        inputs : mapping of str to ndarray of integers
            (frames, size) for a per-frame input, (frames, steps, size) for a per-step one.

        Returns
        -------
        dict of str to ndarray of int64
            Codes of each output of the program, of the same two shapes.

        Raises
        ------
        DataError
            If an input is missing, of a wrong shape or type, or outside its format.
        """
        streams = self.trace(inputs, list(self.program.outputs.values()))
        return {name: streams[reference] for name, reference in self.program.outputs.items()}

    def trace(
        self, inputs: Mapping[str, Array], references: Sequence[str] | None = None
    ) -> dict[str, Codes]:
        """Streams of a batch of frames.

        Parameters
        ----------
        inputs : mapping of str to ndarray of integers
            As for :meth:`run`.
        references : sequence of str, optional
            Inputs, nodes or ``node.port``s; by default the program's layers.

        Returns
        -------
        dict of str to ndarray of int64
            Codes by the references as given: (frames, size) or (frames, steps, size).

        Raises
        ------
        DataError
            As for :meth:`run`.
        ProgramError
            If a reference names nothing.
        """
        names = self.program.layers if references is None else references
        resolved = {name: self.program.resolve(name) for name in names}
        streams = self._execute(inputs, tuple(dict.fromkeys(resolved.values())))
        return {name: streams[reference] for name, reference in resolved.items()}

    def saturations(self, inputs: Mapping[str, Array]) -> dict[str, int]:
        """How many codes each Requantize, Leaky and Lif clipped in a batch of frames.

        A Requantize counts codes beyond its upper limit, and beyond its lower one if its output is
        signed (a ReLU's zeros do not count); Leaky and Lif count membranes, and synaptic currents,
        beyond their format.

        Parameters
        ----------
        inputs : mapping of str to ndarray of integers
            As for :meth:`run`.

        Raises
        ------
        DataError
            As for :meth:`run`.
        """
        clipping = [
            n for n in self.program.order if isinstance(n.primitive, Requantize | Leaky | Lif)
        ]
        counts = dict.fromkeys((node.name for node in clipping), 0)
        self._execute(inputs, tuple(self.program.resolve(name) for name in counts), counts=counts)
        return counts

    def stream(self, inputs: Mapping[str, Array], state: dict[str, Codes]) -> dict[str, Codes]:
        """Outputs of further steps of a stream program.

        Parameters
        ----------
        inputs : mapping of str to ndarray of integers
            (streams, steps, size) each.
        state : dict
            Empty at first; updated in place. Hand it on to the next call.

        Returns
        -------
        dict of str to ndarray of int64
            Codes of each output, (streams, steps, size).

        Raises
        ------
        ProgramError
            If the program runs in frames.
        DataError
            As for :meth:`run`, or if the number of streams changes.
        """
        if self.program.steps is not None:
            raise ProgramError(
                f"Program must be a stream to go on, not frames of {self.program.steps} steps: "
                "use run"
            )
        outputs = {n: self.program.resolve(r) for n, r in self.program.outputs.items()}
        # What learns goes on to learn, also where no output depends on it.
        wanted = [*outputs.values(), *map(self.program.resolve, self.program.learned.values())]
        streams = self._execute(inputs, tuple(dict.fromkeys(wanted)), state=state)
        return {name: streams[reference] for name, reference in outputs.items()}

    def _execute(
        self,
        inputs: Mapping[str, Array],
        references: tuple[str, ...],
        *,
        counts: dict[str, int] | None = None,
        state: dict[str, Codes] | None = None,
    ) -> dict[str, Codes]:
        batch, steps = golden.check_inputs(self.program, inputs)
        for carried in (state or {}).values():
            if len(carried) != batch:
                raise DataError(f"Stream must go on with a batch of {len(carried)}, not {batch}")
        plan = self._plan(references, compiled=False)
        results = {r: np.empty(plan.shape(r, batch, steps), np.int64) for r in references}
        chunk, _ = plan.portion(batch)
        for frames in _spans(batch, chunk):
            started = time.perf_counter()
            plan = self._plan(references, compiled=self._compiled and counts is None)
            schedule: Schedule | None = None
            for now in _spans(steps, plan.portion(frames.stop - frames.start)[1]):
                before, schedule = (
                    schedule,
                    self._schedule(plan, frames, now, counting=counts is not None),
                )
                if before is None:
                    schedule.start(inputs, frames)
                    schedule.go_on({key: value[frames] for key, value in (state or {}).items()})
                elif schedule is not before:
                    schedule.go_on(before.carry)
                schedule.play(inputs, frames, now)
                if now.stop == steps:
                    schedule.finish()
                schedule.collect(results, frames, now)
                if counts is not None:
                    for name in counts:
                        counts[name] += schedule.sites[name].take_clipped()
            if state is not None and schedule is not None:
                schedule.keep(state, frames, batch)
            self._be_patient(references, time.perf_counter() - started)
        return results

    def _plan(self, references: tuple[str, ...], *, compiled: bool) -> Plan:
        if (references, compiled) not in self._plans:
            self._plans[references, compiled] = Plan(self.program, references, compiled=compiled)
        return self._plans[references, compiled]

    def _schedule(self, plan: Plan, frames: slice, now: slice, *, counting: bool) -> Schedule:
        key = (plan, frames.stop - frames.start, now.stop - now.start, counting)
        if key not in self._schedules:
            if len(self._schedules) >= KEPT_SCHEDULES:
                del self._schedules[next(iter(self._schedules))]
            self._schedules[key] = Schedule(*key[:3], counting=counting)
        return self._schedules[key]

    def _be_patient(self, references: tuple[str, ...], seconds: float) -> None:
        """Turn to compiled loops after enough work without."""
        self._patience -= seconds
        if self._patience < 0 and not self._compiled:
            self._patience = math.inf
            try:
                importlib.import_module("numba")
            except ImportError:
                # Installed, but not for this version of NumPy or Python.
                return
            loop = self._plan(references, compiled=True).loop
            # A BLAS library is faster at dense products.
            self._compiled = loop is not None and not loop.dense


def _spans(total: int, most: int) -> Iterator[slice]:
    """Slices of nearly equal length, at most ``most``, that cover ``total``."""
    parts = -(-total // most)
    for k in range(parts):
        yield slice(total * k // parts, total * (k + 1) // parts)
