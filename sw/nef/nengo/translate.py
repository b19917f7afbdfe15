# SPDX-License-Identifier: Apache-2.0
"""From a Nengo network to one of ours: what hardware can do, and nodes on the host for the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import check_count
from spikewright.nef import neurons
from spikewright.nef.connection import Connection
from spikewright.nef.nengo.ensembles import Counterpart, Ensembles, least_substeps
from spikewright.nef.nengo.folding import Edge, Listener, edges_of, fold, listened
from spikewright.nef.nengo.host import HostLearning, HostProcess, Stateful
from spikewright.nef.nengo.joining import Joining
from spikewright.nef.nengo.probing import Kept, Probing
from spikewright.nef.nengo.reading import Directory, is_nengo, kind_of
from spikewright.nef.network import Network
from spikewright.nef.objects import Node
from spikewright.nef.placement import HOST, Placement
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Translation:
    """A Nengo network as one of ours.

    Attributes
    ----------
    network : Network
    substeps : int
        Steps of the neurons in one of the host that the maximum rates need.
    placements : list of Placement
        What runs where.
    ensembles : mapping of nengo.Ensemble to Counterpart
    nodes : mapping of nengo.Node to Node
        Without those that were folded into direct connections.
    connections : mapping of nengo.Connection to Connection
        Without those that were folded.
    probes : mapping of nengo.Probe to Kept
    transforms : mapping of nengo.Connection to ndarray
        Those of all connections, (size_out, size_mid).
    decoders : mapping of nengo.Connection to ndarray
        Of ensembles on the host, (size, n_neurons), as they were solved.
    learners : mapping of nengo.Connection to HostLearning
        Of ensembles on the host whose decoders learn.
    stateful : list
        Functions of nodes, which :meth:`restart` lets start anew.
    """

    network: Network
    substeps: int
    placements: list[Placement]
    ensembles: Mapping[Any, Counterpart]
    nodes: Mapping[Any, Node]
    connections: Mapping[Any, Connection]
    probes: Mapping[Any, Kept]
    transforms: Mapping[Any, Array]
    decoders: Mapping[Any, Array]
    learners: Mapping[Any, HostLearning]
    stateful: list[Stateful] = field(default_factory=list)

    def decoders_of(self, connection: Any) -> Array | None:
        """Decoders (size, n_neurons) as they are now, if they are on the host."""
        if connection in self.learners:
            return self.learners[connection].decoders.copy()
        return self.decoders.get(connection)

    def restart(self) -> None:
        """Let all that the host keeps start anew."""
        for stateful in self.stateful:
            stateful.restart()


def from_nengo(
    nengo_network: Any,
    *,
    dt: float = 1e-3,
    seed: int | None = None,
    substeps: int | None = None,
    reset: str = "subtract",
) -> Translation:
    """Translate a Nengo network.

    Ensembles of LIF and SpikingRectifiedLinear neurons run on hardware. Those of other neurons
    become nodes, which step the neurons' own type on the host. Nodes that only hand on become
    direct connections where they can. Ensembles with a seed of their own draw what they draw in
    Nengo.

    Parameters
    ----------
    nengo_network : nengo.Network
    dt : float
        Time step of the host, in s.
    seed : int, optional
        That of the network, or else 0, if not given.
    substeps : int, optional
        As few as the maximum rates allow, if not given.
    reset : {"subtract", "zero"}
        What a spike does to a voltage on hardware, see :class:`~spikewright.nef.LIF`.

    Returns
    -------
    Translation

    Raises
    ------
    ProgramError
        If an object can run neither on hardware nor on the host; with its path and what to do.
    """
    if not (is_nengo(nengo_network) and kind_of(nengo_network) == "Network"):
        raise ProgramError(f"from_nengo takes a nengo.Network, not {nengo_network!r}")
    neurons.LIF(reset=reset)
    if seed is None:
        seed = 0 if nengo_network.seed is None else int(nengo_network.seed)
    check_count("Seed", seed, 0)
    return _Translator(nengo_network, Directory(nengo_network, seed), dt, substeps, reset).result()


def ours(
    network: Any, *, dt: float, seed: int | None, substeps: int | None, reset: str
) -> tuple[Network, int, Translation | None]:
    """A network of ours with its substeps: translated, if it is Nengo's.

    Raises
    ------
    ProgramError
        As of :func:`from_nengo`, or if it is neither, or a network of ours is given a seed.
    """
    if substeps is not None:
        check_count("Substeps", substeps, 1)
    if is_nengo(network):
        found = from_nengo(network, dt=dt, seed=seed, substeps=substeps, reset=reset)
        return found.network, found.substeps, found
    if not isinstance(network, Network):
        raise ProgramError(f"Network must be one of spikewright.nef or of Nengo, not {network!r}")
    if seed is not None:
        raise ProgramError(f"Seed belongs to the network: nef.Network(seed={seed!r})")
    return network, substeps or 1, None


class _Translator:
    def __init__(
        self, source: Any, directory: Directory, dt: float, substeps: int | None, reset: str
    ):
        self.source, self.directory, self.dt = source, directory, dt
        self.substeps, self.reset = substeps, reset
        self.stateful: list[Stateful] = []
        self.nodes: dict[Any, Node] = {}
        self.notes: list[Placement] = []
        self.transforms: dict[Any, Array] = {}

    def result(self) -> Translation:
        source, directory = self.source, self.directory
        edges, listeners, gone = self._folded()
        network = Network(label=source.label)
        with network:
            ensembles = Ensembles(directory, self.dt, self.reset, self.stateful)
            for ensemble in source.all_ensembles:
                ensembles.add(ensemble)
            for node in source.all_nodes:
                if node not in gone:
                    self._node(node)
            heard = {k: Node(size_in=k.size_in, label=directory.path(k.probe)) for k in listeners}
            nodes = {**self.nodes, **heard}
            joining = Joining(ensembles, nodes)
            for edge in _learners_first(edges):
                joining.join(edge)
            probing = Probing(joining.sources, {k.probe: node for k, node in heard.items()})
            probes = {probe: probing.add(probe) for probe in source.all_probes}
        substeps, why = least_substeps(ensembles.made, directory, self.dt, self.substeps)
        notes = [*ensembles.notes, *self.notes, *joining.teaching.notes, *joining.notes, *why]
        return Translation(
            network=network,
            substeps=substeps,
            placements=notes,
            ensembles=ensembles.made,
            nodes=self.nodes,
            connections=joining.made,
            probes=probes,
            transforms=self.transforms,
            decoders=joining.sources.decoders,
            learners=joining.teaching.learners,
            stateful=self.stateful,
        )

    def _folded(self) -> tuple[list[Edge], list[Listener], set[Any]]:
        """Edges, where probes of folded nodes listen, and the folded nodes."""
        source, wanted = self.source, listened(self.source.all_probes)
        listeners = [edge.post for edge in wanted]
        plain = {p.obj for p in source.all_probes if p not in {k.probe for k in listeners}}
        edges = edges_of(source.all_connections, self.directory)
        self.transforms |= {edge.of: edge.matrix for edge in edges}
        edges, gone = fold([*edges, *wanted], source.all_nodes, plain)
        # Listeners that could not be folded: their probes stay with the node.
        left = {edge.of for edge in edges if isinstance(edge.of, Listener)}
        if gone:
            names = ", ".join(sorted(self.directory.path(node) for node in gone))
            what = f"{len(gone)} nodes that hand on" if len(gone) > 1 else names
            why = "direct connections instead" + (f" of {names}" if len(gone) > 1 else "")
            self.notes.append(Placement(what, "nowhere", why))
        edges = [edge for edge in edges if edge.of not in left]
        return edges, [k for k in listeners if k not in left], gone

    def _node(self, node: Any) -> None:
        path, output = self.directory.path(node), node.output
        why = "hands on" if output is None else "a function"
        if is_nengo(output):
            why = f"a process, {kind_of(output)}"
            output = HostProcess(
                output, node.size_in, node.size_out, dt=self.dt, seed=self.directory.seed(node)
            )
            self.stateful.append(output)
        elif output is not None and not callable(output):
            why = "a constant"
        size = None if output is None else node.size_out
        self.nodes[node] = Node(output, size_in=node.size_in, size_out=size, label=path)
        self.notes.append(Placement(path, HOST, why))


def _learners_first(edges: list[Edge]) -> list[Edge]:
    """Connections that learn, before those that bring their errors."""
    return sorted(edges, key=lambda edge: kind_of(edge.post) == "LearningRule")
