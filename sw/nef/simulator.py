# SPDX-License-Identifier: Apache-2.0
"""Runs a network of ensembles: those on a device, all else on the host."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import check_count, within
from spikewright.nef.connection import Connection, Probe
from spikewright.nef.data import Data
from spikewright.nef.host import Host, Inlets, Outputs
from spikewright.nef.keeping import Keeper, sampled, steps_between
from spikewright.nef.lowering.compiler import compile_network
from spikewright.nef.nengo.data import data_of
from spikewright.nef.nengo.translate import ours
from spikewright.nef.objects import Node
from spikewright.nef.placement import Placement, lockstep, placements_of, table
from spikewright.nef.precision import Precision
from spikewright.runtime.opening import open_device
from spikewright.sim.closing import Closing
from spikewright.sim.errors import ProgramError, SpikewrightWarning
from spikewright.terminal import note

Array = NDArray[np.float64]

AT_ONCE = 4096
"""Steps that the host prepares before the device runs them."""


class Simulator(Closing):
    """A network on a device; the same numbers on each, to the bit.

    Parameters
    ----------
    network : Network or nengo.Network
        Of Nengo's, hardware takes what it can and the host the rest: :func:`from_nengo`. The
        placements are shown, on standard error.
    dt : float
        Time step, in s.
    seed : int, optional
        Of a Nengo network; ours have their own.
    substeps : int, optional
        Steps of the neurons in one of the host: shorter ones let neurons fire faster. 1 if not
        given; for a Nengo network, as few as its maximum rates allow.
    on : {"emulator", "rtl", "pynq-sim"}
        What the ensembles run on, see :func:`spikewright.open`.
    lanes : int or mapping of str to int, optional
        Of the gateware, as :func:`spikewright.hw.folding.fold` takes them.
    precision : Precision, optional
    curves : {"measured", "analytic"}
        Tuning curves that decoders are solved on: those of the integer neurons, or of continuous
        time.
    neuron_reset : {"subtract", "zero"}
        Of a Nengo network's neurons on hardware.
    quiet : bool
        Do not show the placements.
    progress_bar : bool
        As Nengo has it: without one, the placements are not shown either.
    optimize : bool
        As Nengo has it; without effect.

    Attributes
    ----------
    program : Program or None
        What the device runs; None if no ensemble is heard by a probe or a node.
    data : mapping
        Of a probe: values (samples, size); spikes have the height ``1 / dt``. Of an ensemble or a
        connection: :class:`BuiltEnsemble`, :class:`BuiltConnection`.
    n_steps : int
    placements : list of Placement
        What runs where; :meth:`where` has the table.
    translation : Translation or None
        What became of a Nengo network.

    Raises
    ------
    ProgramError, DataError, FormatError
        If the network cannot be built; the sentence names the object.
    ToolError
        If what the device needs is not installed.

    Warns
    -----
    SpikewrightWarning
        Where a time constant is not met, or, once for each, where an input saturates.

    Examples
    --------
    >>> from spikewright import nef
    >>> with nef.Network(seed=1) as model:
    ...     stimulus = nef.Node([0.5])
    ...     a = nef.Ensemble(100, 1)
    ...     _ = nef.Connection(stimulus, a)
    ...     probe = nef.Probe(a, synapse=0.05)
    >>> with nef.Simulator(model) as sim:
    ...     sim.run(0.5)
    >>> bool(abs(sim.data[probe][-1, 0] - 0.5) < 0.02)
    True
    """

    def __init__(
        self,
        network: Any,
        dt: float = 1e-3,
        *,
        seed: int | None = None,
        substeps: int | None = None,
        on: str = "emulator",
        lanes: int | Mapping[str, int] | None = None,
        precision: Precision | None = None,
        curves: str = "measured",
        neuron_reset: str = "subtract",
        quiet: bool = False,
        progress_bar: Any = True,
        optimize: bool = True,
    ):
        if not within(dt, 0, math.inf, "()"):
            raise ProgramError(f"Time step must be positive and finite, not {dt!r} s")
        self.network, self.substeps, self.translation = ours(
            network, dt=dt, seed=seed, substeps=substeps, reset=neuron_reset
        )
        if self.translation is None and neuron_reset != "subtract":
            raise ProgramError(f"Reset belongs to the neurons: nef.LIF(reset={neuron_reset!r})")
        self.dt, precision = float(dt), Precision() if precision is None else precision
        if not isinstance(precision, Precision):
            raise ProgramError(f"Precision must be a nef.Precision(), not {precision!r}")
        self.compiled = compile_network(
            self.network,
            dt=dt / self.substeps,
            precision=precision,
            curves=curves,
            substeps=self.substeps,
        )
        self.program = self.compiled.program
        self.device = None
        if self.program is not None:
            self.device = open_device(self.program, on=on, lanes=lanes)
        self._kept = Data(self.compiled)
        self._keeper = Keeper(self.network, self._kept, self.dt)
        self.data = data_of(self._kept, self.translation)
        self._inlets = Inlets(self.compiled.inlets, self.dt)
        self._halted = False
        self._restart()
        if self.translation is not None and progress_bar and not quiet:
            note(self.where())

    @property
    def time(self) -> float:
        """Model time so far, in s."""
        return self.n_steps * self.dt

    @property
    def placements(self) -> list[Placement]:
        """What runs where."""
        translated = None if self.translation is None else self.translation.placements
        return [*(translated or placements_of(self.network, self._host)), *lockstep(self._host)]

    def where(self) -> str:
        """A table of what runs where."""
        return table(self.placements)

    def close(self) -> None:
        """Let go of the device; data stay."""
        if self.device is not None:
            self.device.close()
        self.device = None

    def reset(self, seed: int | None = None) -> None:
        """Start anew: time, states, data, and what was learned.

        Raises
        ------
        ProgramError
            If a seed is given.
        """
        if seed is not None:
            raise ProgramError("Reset keeps the seed: make another Simulator for a new one")
        if self.program is not None and self.device is None:
            raise ProgramError("Simulator is closed: make another one to go on")
        if self.device is not None:
            self.device.reset()
        self._restart()

    def clear_probes(self) -> None:
        """Forget what probes have kept."""
        self._keeper.clear()

    def run(self, time_in_seconds: float, progress_bar: Any = None) -> None:
        """Run for so many seconds of model time; ``progress_bar`` is without effect.

        Raises
        ------
        ProgramError
            If the time is negative or not finite.

        Warns
        -----
        SpikewrightWarning
            If it is no whole number of steps.
        """
        if not within(time_in_seconds, 0, math.inf):
            raise ProgramError(f"Time must be at least 0 s and finite, not {time_in_seconds!r}")
        steps = round(time_in_seconds / self.dt)
        if not math.isclose(steps * self.dt, time_in_seconds, rel_tol=1e-6):
            warnings.warn(
                f"Runs for {steps * self.dt:g} s, {steps} steps of {self.dt:g} s, "
                f"not {time_in_seconds:g} s",
                SpikewrightWarning,
                stacklevel=2,
            )
        self.run_steps(steps)

    def run_steps(self, steps: int, progress_bar: Any = None) -> None:
        """Run so many steps; ``progress_bar`` is without effect.

        Raises
        ------
        ProgramError
            If the simulator is closed or has stopped, or a node's function returns what it cannot.
        """
        check_count("Steps", steps, 0)
        if self.program is not None and self.device is None:
            raise ProgramError("Simulator is closed: make another one to go on")
        if self._halted:
            raise ProgramError("Simulator stopped within a step: reset it to go on")
        at_once = 1 if self._host.lockstep else AT_ONCE
        # Stays true if a node's function raises, or the user interrupts it.
        self._halted = True
        for start in range(0, steps, at_once):
            self._run(min(at_once, steps - start))
        self._halted = False

    def step(self) -> None:
        """Run one step."""
        self.run_steps(1)

    def trange(self, sample_every: float | None = None) -> Array:
        """Times in s of the values kept by a probe.

        Raises
        ------
        ProgramError
            If it is no period.
        """
        every = self.dt if sample_every is None else sample_every
        kept = sampled(np.arange(self.n_steps), steps_between(every, self.dt))
        return np.asarray(self.dt * (1.0 + kept), np.float64)

    def decoders(self, connection: Any) -> Array:
        """Decoders (size, n_neurons) of a connection, with what it has learned by now.

        Of one that learns, they are the transform times the decoders, which is what learns.

        Raises
        ------
        ProgramError
            If it is no connection from an ensemble, or the simulator is closed.
        """
        if self.translation is not None:
            if (on_host := self.translation.decoders_of(connection)) is not None:
                return on_host
            connection = self.translation.connections.get(connection, connection)
        learned = self.compiled.learned.get(connection)
        if learned is None:
            if connection not in self.compiled.decoded or not isinstance(connection, Connection):
                raise ProgramError(
                    f"Decoders must be those of a connection from an ensemble, not of {connection}"
                )
            built: Array = self._kept[connection].decoders
            return built
        if self.device is None:
            raise ProgramError("Simulator is closed: make another one to go on")
        codes = self.device.read_tensor(learned.tensor)
        found: Array = learned.format.decode(codes) / learned.scale
        return found[list(connection.post_indices)]

    def _restart(self) -> None:
        self.n_steps = 0
        self._halted = False
        self._host = Host(self.network, self.compiled.inlets, self.compiled.outlets, self.dt)
        self._heard: Outputs = {}
        self._keeper.restart()
        if self.translation is not None:
            self.translation.restart()

    def _run(self, steps: int) -> None:
        """Run steps that the host can prepare at once."""
        host, times = self._host, (self.n_steps + 1 + np.arange(steps)) * self.dt
        outputs: list[Outputs] = [{} for _ in times]
        inputs: dict[str, list[Array]] = {name: [] for name in self.compiled.inlets}
        for time, now in zip(times, outputs, strict=True):
            host.step(time, {}, now, late=False)
            if host.lockstep:
                host.step(time, self._heard, now, late=True)
            for name, value in host.drive(now).items():
                inputs[name].append(value)
        results = self._on_device({n: np.array(v) for n, v in inputs.items()}, steps)
        for k, (time, now) in enumerate(zip(times, outputs, strict=True)):
            if not host.lockstep:
                host.step(time, self._heard, now, late=True)
            self._heard = {of: values[k] for of, values in results.items() if isinstance(of, Node)}
        self._keeper.keep(self.n_steps, outputs, results)
        self.n_steps += steps

    def _on_device(self, inputs: dict[str, Array], steps: int) -> dict[Node | Probe, Array]:
        if self.device is None or self.program is None:
            return {}
        codes = {n: self._inlets.codes(n, v, self.n_steps) for n, v in inputs.items()}
        many = {name: np.repeat(c, self.substeps, axis=0)[None] for name, c in codes.items()}
        run = self.device.run_codes(many)
        found: dict[Node | Probe, Array] = {}
        for of, name in self.compiled.outlets.items():
            values = run.outputs[name][0].reshape(steps, self.substeps, -1)
            kept = values.mean(axis=1) if of in self.compiled.averaged else values[:, -1]
            if isinstance(of, Probe) and of.attr == "spikes":
                found[of] = values.sum(axis=1) / self.dt
            else:
                port = self.program.port(self.program.outputs[name])
                found[of] = port.format.decode(kept)
        return found
