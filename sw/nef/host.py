# SPDX-License-Identifier: Apache-2.0
"""What the host computes in every step: nodes, and what they send to ensembles and each other."""

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.connection import Connection, Probe
from spikewright.nef.lowering.sinks import Sink
from spikewright.nef.network import Network
from spikewright.nef.objects import Node
from spikewright.nef.synapses import HostFilter
from spikewright.sim.errors import ProgramError, SpikewrightWarning
from spikewright.sim.primitive import Codes

Array = NDArray[np.float64]
Outputs = dict[Node, Array]


class Link:
    """A connection from a node: it brings ``matrix · synapse(function(x))``.

    With a synapse it brings what that held at the end of the last step.

    Parameters
    ----------
    connection : Connection
    matrix : (size, size of the function) ndarray
    dt : float
        In s.
    """

    def __init__(self, connection: Connection, matrix: Array, dt: float):
        self.connection, self._matrix = connection, matrix
        if not isinstance(connection.pre, Node):
            raise ProgramError(f"{connection} must come from a node")
        self.pre = connection.pre
        self._filter: HostFilter | None = None
        if connection.synapse is not None:
            self._filter = HostFilter(connection.synapse, connection.size_function, dt)

    def bring(self, outputs: Outputs) -> Array:
        """What it brings in a step."""
        value = self._value(outputs) if self._filter is None else self._filter.held
        brought: Array = self._matrix @ value
        return brought

    def update(self, outputs: Outputs) -> None:
        """End the step."""
        if self._filter is not None:
            self._filter.update(self._value(outputs))

    def _value(self, outputs: Outputs) -> Array:
        return self.connection.apply(outputs[self.pre][list(self.connection.pre_indices)])


class Host:
    """The nodes of a network, in an order in which they find their inputs ready.

    Nodes hear of a step's ensembles in the next one.

    Parameters
    ----------
    network : Network
    inlets : mapping of str to Sink
        What the host drives.
    outlets : mapping of Node or Probe to str
        The nodes among them hear ensembles.
    dt : float
        In s.

    Attributes
    ----------
    late : set of Node
        Those that depend on ensembles.
    lockstep : bool
        Whether such a node drives an ensemble: then the hardware waits for the host in every step.

    Raises
    ------
    ProgramError
        If nodes are connected in a circle without a synapse.
    """

    def __init__(
        self,
        network: Network,
        inlets: Mapping[str, Sink],
        outlets: Mapping[Node | Probe, str],
        dt: float,
    ):
        self._to: dict[Node, list[Link]] = {node: [] for node in network.nodes}
        for connection in network.connections:
            if isinstance(connection.pre, Node) and isinstance(connection.post, Node):
                self._to[connection.post].append(Link(connection, connection.transform, dt))
        self._driving = {
            name: [
                Link(term.of, term.matrix, dt)
                for term in sink.driven
                if isinstance(term.of, Connection)
            ]
            for name, sink in inlets.items()
        }
        self._sizes = {name: sink.size for name, sink in inlets.items()}
        self._order = self._sorted(network.nodes)
        self.late = self._downstream(node for node in network.nodes if node in outlets)
        drivers = {link.pre for links in self._driving.values() for link in links}
        self.lockstep = not drivers.isdisjoint(self.late)

    def step(self, time: float, heard: Outputs, outputs: Outputs, *, late: bool) -> None:
        """Add the outputs of the nodes that depend on ensembles (``late``), or of the others.

        Parameters
        ----------
        time : float
            At the end of the step, in s.
        heard : dict of Node to ndarray
            What ensembles brought in the step before.
        outputs : dict of Node to ndarray
            Of this step; the late ones find the others here.
        late : bool
        """
        nodes = [node for node in self._order if (node in self.late) is late]
        for node in nodes:
            x = heard.get(node, np.zeros(node.size_in))
            for link in self._to[node]:
                x = x + link.bring(outputs)
            outputs[node] = node.call(time, x)
        for node in nodes:
            for link in self._to[node]:
                link.update(outputs)

    def drive(self, outputs: Outputs) -> dict[str, Array]:
        """What each inlet is given in a step."""
        found = {}
        for name, links in self._driving.items():
            found[name] = sum((link.bring(outputs) for link in links), np.zeros(self._sizes[name]))
            for link in links:
                link.update(outputs)
        return found

    def _sorted(self, nodes: Iterable[Node]) -> list[Node]:
        waiting, order = list(nodes), []
        while waiting:
            ready = next((n for n in waiting if not self._direct(n) & set(waiting)), None)
            if ready is None:
                names = ", ".join(map(str, waiting))
                raise ProgramError(f"Circle of {names} must have a synapse somewhere")
            waiting.remove(ready)
            order.append(ready)
        return order

    def _direct(self, node: Node) -> set[Node]:
        """Nodes that reach this one within a step."""
        return {link.pre for link in self._to[node] if link.connection.synapse is None}

    def _downstream(self, nodes: Iterable[Node]) -> set[Node]:
        found, reached = set(), list(nodes)
        while reached:
            node = reached.pop()
            if node not in found:
                found.add(node)
                reached += [n for n, to in self._to.items() if any(k.pre is node for k in to)]
        return found


class Inlets:
    """What the host gives hardware, as codes.

    Parameters
    ----------
    sinks : mapping of str to Sink
    dt : float
        In s.
    """

    def __init__(self, sinks: Mapping[str, Sink], dt: float):
        self._sinks, self._dt = sinks, dt
        self._told: set[str] = set()

    def codes(self, name: str, values: Array, first: int) -> Codes:
        """Codes of the values (steps, size) of an inlet, after so many steps.

        Raises
        ------
        ProgramError
            If a value is not finite.

        Warns
        -----
        SpikewrightWarning
            Of the first that saturates.
        """
        fmt = self._sinks[name].format
        if not np.isfinite(values).all():
            raise ProgramError(f"Nodes that drive {name} must give finite numbers")
        codes = np.floor(np.ldexp(values, fmt.frac) + 0.5)
        kept = fmt.saturate(codes)
        if name not in self._told and (kept != codes).any():
            self._told.add(name)
            step, _ = np.argwhere(kept != codes)[0]
            worst = values[step][kept[step] != codes[step]][0]
            warnings.warn(
                f"Input {name} is {worst:.4g} at {(first + step + 1) * self._dt:.4g} s and "
                f"saturates at {(fmt.lo if worst < 0 else fmt.hi) * fmt.lsb:.4g}: use a larger "
                "radius or more headroom",
                SpikewrightWarning,
                stacklevel=6,
            )
        return kept.astype(np.int64)
