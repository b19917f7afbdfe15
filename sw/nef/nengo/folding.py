# SPDX-License-Identifier: Apache-2.0
"""Connections of a Nengo network, and nodes that only hand on, replaced by direct connections."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.nengo.reading import Directory, indices_of, is_simple, kind_of, matrix_of

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Edge:
    """What is to be connected: ``synapse(matrix · function(x[pre_indices]))``.

    Attributes
    ----------
    of : nengo.Connection
        Its function, solver, evaluation points and learning rule are meant.
    post : nengo object
    pre_indices, post_indices : tuple of int
    matrix : (len(post_indices), size of the function) ndarray
    synapse : nengo.synapses.Synapse or None
    through : tuple of nengo.Node
        Those that were folded.
    """

    of: Any
    post: Any
    pre_indices: tuple[int, ...]
    post_indices: tuple[int, ...]
    matrix: Array
    synapse: Any
    through: tuple[Any, ...] = ()

    @property
    def pre(self) -> Any:
        """Where it comes from."""
        return self.of.pre_obj

    @property
    def function(self) -> Any:
        """Function, table or None."""
        return self.of.function_info.function

    def placed(self) -> Array:
        """The matrix with a row for each dimension of the target."""
        found = np.zeros((self.post.size_in, self.matrix.shape[1]))
        # Dimensions may be named more than once.
        np.add.at(found, list(self.post_indices), self.matrix)
        return found


def edges_of(connections: Iterable[Any], directory: Directory) -> list[Edge]:
    """The connections as they stand.

    Raises
    ------
    ProgramError
        If a transform is neither dense nor sparse.
    """
    return [
        Edge(
            of=c,
            post=c.post_obj,
            pre_indices=indices_of(c.pre_slice, c.pre_obj.size_out),
            post_indices=indices_of(c.post_slice, c.post_obj.size_in),
            matrix=matrix_of(c, directory.rng(c), directory.path(c)),
            synapse=c.synapse,
        )
        for c in connections
    ]


@dataclass(frozen=True, eq=False)
class Listener:
    """Where the values of a probe of a node that only hands on arrive, filtered.

    It takes the place of a connection of Nengo's, too: from the node to itself.
    """

    probe: Any

    learning_rule_type = None

    @property
    def size_in(self) -> int:
        """Dimensions of the node."""
        return int(self.probe.obj.size_out)

    @property
    def pre_obj(self) -> Any:
        """The node."""
        return self.probe.obj

    @property
    def function_info(self) -> Any:
        """That of no function."""
        return SimpleNamespace(function=None)

    def edge(self) -> Edge:
        """What is to be folded."""
        every = tuple(range(self.size_in))
        return Edge(self, self, every, every, np.eye(self.size_in), self.probe.synapse)


def listened(probes: Iterable[Any]) -> list[Edge]:
    """Edges of probes whose synapse can take the place of a node's that only hands on."""
    return [
        Listener(probe).edge()
        for probe in probes
        if kind_of(probe.obj) == "Node"
        and probe.obj.output is None
        and probe.synapse is not None
        and is_simple(probe.synapse)
    ]


def fold(edges: list[Edge], nodes: Iterable[Any], kept: set[Any]) -> tuple[list[Edge], set[Any]]:
    """Replace nodes that only hand on, where one of two synapses at most is set.

    Parameters
    ----------
    edges : list of Edge
    nodes : iterable of nengo.Node
    kept : set of nengo.Node
        Those that are probed: they stay beside the direct connections.

    Returns
    -------
    edges : list of Edge
    gone : set of nengo.Node
        Nodes that nothing needs any more.
    """
    gone = set()
    for node in nodes:
        if node.output is not None:
            continue
        arriving = [edge for edge in edges if edge.post is node]
        leaving = [edge for edge in edges if edge.pre is node]
        direct = [edge for edge in leaving if all(_folds(a, edge) for a in arriving)]
        edges = [edge for edge in edges if edge not in direct]
        edges += [f for edge in direct for a in arriving if (f := _joined(a, edge)).matrix.any()]
        learns = any(edge.of.learning_rule_type is not None for edge in arriving)
        if len(direct) == len(leaving) and node not in kept and not learns:
            edges = [edge for edge in edges if edge.post is not node]
            gone.add(node)
    return edges, gone


def _folds(arriving: Edge, leaving: Edge) -> bool:
    """Whether two connections are as good as one."""
    loops = leaving.pre in (arriving.pre, leaving.post)
    if loops or leaving.function is not None:
        return False
    if arriving.of.learning_rule_type is not None:
        return False
    return arriving.synapse is None or leaving.synapse is None


def _joined(arriving: Edge, leaving: Edge) -> Edge:
    matrix = leaving.matrix @ arriving.placed()[list(leaving.pre_indices)]
    return replace(
        arriving,
        post=leaving.post,
        post_indices=leaving.post_indices,
        matrix=matrix,
        synapse=leaving.synapse if arriving.synapse is None else arriving.synapse,
        through=(*arriving.through, leaving.pre, *leaving.through),
    )
