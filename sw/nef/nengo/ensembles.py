# SPDX-License-Identifier: Apache-2.0
"""Ensembles of a Nengo network: on hardware, or as nodes of the host."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import Connection
from spikewright.nef.nengo.host import HostNeurons, HostProcess, Stateful
from spikewright.nef.nengo.reading import Directory, Drawn, draw, is_exactly, kind_of
from spikewright.nef.neurons import LIF, NeuronType, SpikingRectifiedLinear, most_rate
from spikewright.nef.objects import Ensemble, Node
from spikewright.nef.placement import HARDWARE, HOST, Placement
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]

MOST_SUBSTEPS = 64
"""Sub-steps that are chosen at most."""


@dataclass(frozen=True, eq=False)
class Counterpart:
    """What became of a Nengo ensemble.

    Attributes
    ----------
    ensemble : Ensemble or None
        On hardware.
    node : Node or None
        On the host.
    drawn : Drawn or None
        None in direct mode.
    neurons : HostNeurons or None
        What the node runs; None in direct mode.
    """

    ensemble: Ensemble | None = None
    node: Node | None = None
    drawn: Drawn | None = None
    neurons: HostNeurons | None = None

    def on_host(self) -> Node:
        """The node.

        Raises
        ------
        ProgramError
            If it is on hardware.
        """
        if self.node is None:
            raise ProgramError(f"{self.ensemble} is on hardware and has no node")
        return self.node

    def currents(self, matrix: Array) -> tuple[Any, Array]:
        """Where currents of the neurons go, and a matrix to there from one to the currents.

        Raises
        ------
        ProgramError
            If it is in direct mode.
        """
        if self.ensemble is not None:
            return self.ensemble.neurons, matrix
        if self.drawn is None:
            raise ProgramError(f"{self.node} is in direct mode and its neurons have no current")
        above = np.zeros((self.drawn.encoders.shape[1], matrix.shape[1]))
        return self.on_host(), np.vstack([above, matrix])


class Ensembles:
    """Makes ensembles, or nodes that stand for them.

    Parameters
    ----------
    directory : Directory
    dt : float
        In s.
    reset : {"subtract", "zero"}
    stateful : list
        Gets the functions of nodes that keep a state.

    Attributes
    ----------
    made : dict of nengo.Ensemble to Counterpart
    notes : list of Placement
    """

    def __init__(self, directory: Directory, dt: float, reset: str, stateful: list[Stateful]):
        self.directory, self.dt, self._reset = directory, dt, reset
        self.stateful = stateful
        self.made: dict[Any, Counterpart] = {}
        self.notes: list[Placement] = []

    def add(self, ensemble: Any) -> None:
        """Make what stands for an ensemble.

        Raises
        ------
        ProgramError
            If its parameters cannot be.
        """
        path = self.directory.path(ensemble)
        name = type(ensemble.neuron_type).__name__
        if is_exactly(ensemble.neuron_type, "Direct"):
            self.made[ensemble] = Counterpart(node=Node(size_in=ensemble.dimensions, label=path))
            self.notes.append(Placement(path, HOST, "direct mode: functions are computed"))
            return
        drawn = draw(ensemble, self.directory.rng(ensemble), path)
        neuron, reason = _on_hardware(ensemble.neuron_type, self._reset)
        if neuron is None:
            self.made[ensemble] = self._on_host(ensemble, drawn, path)
            self.notes.append(Placement(path, HOST, reason))
        else:
            self.made[ensemble] = Counterpart(
                ensemble=_ensemble(ensemble, drawn, neuron, path), drawn=drawn
            )
            why = f"{ensemble.n_neurons} {name} neurons"
            self.notes.append(Placement(path, HARDWARE, why))
        if ensemble.noise is not None:
            self._noise(ensemble, path)

    def drawn(self, ensemble: Any) -> Drawn:
        """What the neurons of an ensemble have.

        Raises
        ------
        ProgramError
            If it is in direct mode.
        """
        found = self.made[ensemble].drawn
        if found is None:
            path = self.directory.path(ensemble)
            raise ProgramError(f"{path} is in direct mode and has no neurons: use LIF neurons")
        return found

    def _on_host(self, ensemble: Any, drawn: Drawn, path: str) -> Counterpart:
        seed = self.directory.seed(ensemble)
        neurons = HostNeurons(ensemble.neuron_type, drawn, dt=self.dt, seed=seed)
        self.stateful.append(neurons)
        n, d = ensemble.n_neurons, ensemble.dimensions
        node = Node(neurons, size_in=d + n, size_out=n, label=path)
        return Counterpart(node=node, drawn=drawn, neurons=neurons)

    def _noise(self, ensemble: Any, path: str) -> None:
        """A process of the host that adds to the neurons' currents."""
        n, seed = ensemble.n_neurons, self.directory.seed(ensemble)
        process = HostProcess(ensemble.noise, 0, n, dt=self.dt, seed=seed)
        self.stateful.append(process)
        node = Node(process, size_out=n, label=f"noise of {path}")
        target, transform = self.made[ensemble].currents(np.eye(n))
        Connection(node, target, transform=transform, synapse=None, label=f"noise to {path}")
        self.notes.append(Placement(f"noise of {path}", HOST, f"a process, {kind_of(process)}"))


def _on_hardware(neurons: Any, reset: str) -> tuple[NeuronType | None, str]:
    """Our neuron type, or why there is none."""
    name = type(neurons).__name__
    if not is_exactly(neurons, "LIF", "SpikingRectifiedLinear"):
        return None, f"{name} neurons, stepped by their own type"
    if neurons.amplitude != 1:
        return None, f"{name} neurons with an amplitude of {neurons.amplitude:g}, not 1"
    if neurons.initial_state:
        return None, f"{name} neurons with an initial state"
    if name == "SpikingRectifiedLinear":
        return SpikingRectifiedLinear(reset=reset), ""
    if neurons.min_voltage != 0:
        return None, f"{name} neurons with a min_voltage of {neurons.min_voltage:g}, not 0"
    tau_rc, tau_ref = float(neurons.tau_rc), float(neurons.tau_ref)
    return LIF(tau_rc=tau_rc, tau_ref=tau_ref, reset=reset), ""


def _ensemble(ensemble: Any, drawn: Drawn, neuron: NeuronType, path: str) -> Ensemble:
    # Our encoders have length 1: what Nengo leaves longer or shorter is part of the gain.
    lengths = np.linalg.norm(drawn.encoders, axis=1)
    return Ensemble(
        int(ensemble.n_neurons),
        int(ensemble.dimensions),
        encoders=drawn.encoders,
        radius=drawn.radius,
        neuron_type=neuron,
        gain=drawn.gain * lengths,
        bias=drawn.bias,
        eval_points=drawn.eval_points,
        label=path,
    )


def least_substeps(
    populations: Mapping[Any, Counterpart], directory: Directory, dt: float, given: int | None
) -> tuple[int, list[Placement]]:
    """Fewest substeps that allow the maximum rates of all ensembles on hardware.

    Raises
    ------
    ProgramError
        If none do, or those that are given are too few.
    """
    needed, cause = 1, ""
    for ensemble, population in populations.items():
        if population.ensemble is None or population.drawn is None:
            continue
        neuron, path = population.ensemble.neuron_type, directory.path(ensemble)
        largest = float(population.drawn.max_rates.max())
        found = next(
            (n for n in range(1, MOST_SUBSTEPS) if most_rate(neuron, dt / n) > largest), None
        )
        if found is None:
            raise ProgramError(
                f"Maximum rates of {path} must be below {most_rate(neuron, dt / MOST_SUBSTEPS):.1f}"
                f" Hz, {MOST_SUBSTEPS} substeps in {dt:g} s, not {largest:.1f}: use lower ones"
            )
        if given is not None and found > given:
            raise ProgramError(
                f"Maximum rates of {path} must be below {most_rate(neuron, dt / given):.1f} Hz in "
                f"steps of {dt / given:g} s, not {largest:.1f}: use substeps={found} or lower rates"
            )
        if found > needed:
            needed = found
            cause = f"{path} has rates up to {largest:.0f} Hz"
    if given is not None or not cause:
        return given or 1, []
    why = f"{needed} substeps of {dt / needed:g} s in each step: {cause}"
    return needed, [Placement("time step", HARDWARE, why)]
