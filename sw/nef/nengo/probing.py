# SPDX-License-Identifier: Apache-2.0
"""Probes of a Nengo network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import Connection, Probe
from spikewright.nef.decoders.solvers import LstsqL2
from spikewright.nef.nengo.host import HostState
from spikewright.nef.nengo.reading import (
    indices_of,
    is_simple,
    kind_of,
    synapse_of,
)
from spikewright.nef.nengo.solving import solver_of
from spikewright.nef.nengo.sources import Source, Sources, whole
from spikewright.nef.objects import Node
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]

FIRED = ("output", "spikes")
"""Names of what neurons send."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Our probe for one of Nengo's, and the part of its values that is meant."""

    probe: Probe
    indices: tuple[int, ...]


class Probing:
    """Makes probes.

    Parameters
    ----------
    sources : Sources
    listeners : mapping of nengo.Probe to Node
        Nodes that hear what a probe keeps.
    """

    def __init__(self, sources: Sources, listeners: Mapping[Any, Node]):
        self._sources, self._listeners = sources, listeners
        self._ensembles, self._directory = sources.ensembles, sources.ensembles.directory

    def add(self, probe: Any) -> Kept:
        """Make a probe.

        Raises
        ------
        ProgramError
            If that cannot be probed; with what can.
        """
        kind, path = kind_of(probe.obj), self._directory.path(probe)
        if kind == "Node" and probe.attr == "output":
            return self._node(probe)
        if kind == "Ensemble" and probe.attr == "decoded_output":
            return self._vector(probe)
        if kind == "Neurons":
            return self._neurons(probe)
        hint = "probe the ensemble it leads to"
        if kind == "Connection" and probe.attr == "weights":
            hint = "read them with Simulator.decoders(connection)"
        if kind == "Ensemble":
            hint = "probe its decoded_output, or the spikes or the voltage of its neurons"
        raise ProgramError(
            f"Probe {path} of {probe.attr!r} of {self._directory.path(probe.obj)} has no form on "
            f"hardware or host: {hint}"
        )

    def _node(self, probe: Any) -> Kept:
        size = probe.obj.size_out
        if probe in self._listeners:
            return Kept(self._plain(probe, self._listeners[probe]), indices_of(_part(probe), size))
        return self._kept(probe, self._sources.nodes[probe.obj], size)

    def _vector(self, probe: Any) -> Kept:
        ensemble, made = probe.obj, self._ensembles.made[probe.obj]
        size, path = ensemble.dimensions, self._directory.path(probe)
        if made.drawn is None:
            return self._kept(probe, made.on_host(), size)
        solver = solver_of(probe.solver, self._directory.seed(probe))
        if made.ensemble is not None and solver == LstsqL2():
            return self._kept(probe, made.ensemble, size)
        listener = Node(size_in=size, label=f"{path} decoded")
        if made.ensemble is not None:
            self._check(probe)
            synapse = synapse_of(probe.synapse, self._ensembles.dt)
            Connection(made.ensemble, listener, solver=solver, synapse=synapse)
            return Kept(self._plain(probe, listener), indices_of(_part(probe), size))
        decoders = self._sources.solved(ensemble, solver, None, indices=range(size))
        Connection(made.node, listener, transform=decoders.T, synapse=None)
        return self._kept(probe, listener, size)

    def _neurons(self, probe: Any) -> Kept:
        ensemble = probe.obj.ensemble
        made, path = self._ensembles.made[ensemble], self._directory.path(probe)
        n = ensemble.n_neurons
        if made.ensemble is not None and probe.attr in (*FIRED, "voltage"):
            attr = "voltage" if probe.attr == "voltage" else "spikes"
            return self._kept(probe, made.ensemble.neurons, n, attr)
        if made.neurons is not None and made.node is not None:
            if probe.attr in (*FIRED, "rates"):
                return self._kept(probe, made.node, n)
            if probe.attr in made.neurons.state:
                state = HostState(made.neurons, probe.attr)
                reader = Node(state, size_in=n, size_out=n, label=f"{path} {probe.attr}")
                Connection(made.node, reader, synapse=None)
                return self._kept(probe, reader, n)
        raise ProgramError(
            f"Probe {path} of {probe.attr!r} of {self._directory.path(probe.obj)} has no form on "
            "hardware or host: probe the spikes or the voltage"
        )

    def _kept(self, probe: Any, target: Any, size: int, attr: str | None = None) -> Kept:
        self._check(probe, on_host=isinstance(target, Node))
        synapse = None
        if is_simple(probe.synapse):
            synapse = synapse_of(probe.synapse, self._ensembles.dt)
        else:
            target = self._sources.filtered(Source(target, whole(target)), probe.synapse, size).of
        path = self._directory.path(probe)
        made = Probe(target, attr, synapse=synapse, sample_every=probe.sample_every, label=path)
        return Kept(made, indices_of(_part(probe), size))

    def _plain(self, probe: Any, node: Node) -> Probe:
        path = self._directory.path(probe)
        return Probe(node, sample_every=probe.sample_every, label=path)

    def _check(self, probe: Any, *, on_host: bool = False) -> None:
        path = self._directory.path(probe)
        if not (on_host or is_simple(probe.synapse)):
            raise ProgramError(
                f"Synapse of probe {path} must be Lowpass, Alpha or None on hardware, not "
                f"{kind_of(probe.synapse)}: the nearest is Alpha"
            )
        if probe.attr == "voltage" and probe.synapse is not None and not on_host:
            raise ProgramError(f"Probe {path} of voltages on hardware must have no synapse")


def _part(probe: Any) -> Any:
    """Dimensions that a probe keeps."""
    return slice(None) if probe.slice is None else probe.slice
