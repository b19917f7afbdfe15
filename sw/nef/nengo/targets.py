# SPDX-License-Identifier: Apache-2.0
"""What connections of a Nengo network lead to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.nengo.ensembles import Ensembles
from spikewright.nef.nengo.folding import Edge
from spikewright.nef.nengo.reading import kind_of
from spikewright.nef.nengo.sources import Function, value_of
from spikewright.nef.objects import Ensemble, Node, View
from spikewright.sim.errors import ProgramError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Target:
    """What a connection of ours leads to, and the transform that brings it there."""

    of: Any
    matrix: Array


class Targets:
    """Finds them, but for learning rules.

    Parameters
    ----------
    ensembles : Ensembles
    nodes : mapping of nengo.Node to Node
    """

    def __init__(self, ensembles: Ensembles, nodes: Mapping[Any, Node]):
        self._ensembles, self._nodes = ensembles, nodes

    def of(self, edge: Edge) -> Target:
        """What an edge leads to.

        Raises
        ------
        ProgramError
            If it leads to neurons that are not.
        """
        post = edge.post
        if post in self._nodes:
            return _part(edge, self._nodes[post])
        if kind_of(post) == "Neurons":
            drawn = self._ensembles.drawn(post.ensemble)
            # As in Nengo: neurons hear in units of their own gain.
            currents = drawn.gain[:, None] * edge.placed()
            return Target(*self._ensembles.made[post.ensemble].currents(currents))
        made = self._ensembles.made[post]
        return _part(edge, made.on_host() if made.ensemble is None else made.ensemble)

    def weights(self, edge: Edge, function: Function | None) -> tuple[Function, Target]:
        """Currents of the neurons as what is solved for, and where they go.

        Raises
        ------
        ProgramError
            If the edge leads to no ensemble of neurons.
        """
        if kind_of(edge.post) != "Ensemble" or self._ensembles.made[edge.post].drawn is None:
            path = self._ensembles.directory.path(edge.of)
            raise ProgramError(f"Weights of {path} must lead to an ensemble of neurons")
        drawn = self._ensembles.drawn(edge.post)
        encode = drawn.scaled_encoders @ edge.placed()

        def currents(x: Array) -> Array:
            return np.asarray(encode @ value_of(function, x), np.float64)

        identity = np.eye(len(drawn.gain))
        return currents, Target(*self._ensembles.made[edge.post].currents(identity))


def _part(edge: Edge, of: Ensemble | Node) -> Target:
    """Dimensions of an ensemble; all of a node, or where one is named twice."""
    unique = len(set(edge.post_indices)) == len(edge.post_indices)
    if unique and isinstance(of, Ensemble) and edge.post_indices != tuple(range(of.size_in)):
        return Target(View(of, edge.post_indices), edge.matrix)
    # Of an ensemble on the host, the currents of its neurons come after the vector.
    below = np.zeros((of.size_in - edge.post.size_in, edge.matrix.shape[1]))
    return Target(of, np.vstack([edge.placed(), below]))
