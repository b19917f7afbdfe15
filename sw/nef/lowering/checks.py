# SPDX-License-Identifier: Apache-2.0
"""What a network as a whole must be to become a program."""

import math

from spikewright.nef.connection import Connection, LearningRule, Probe
from spikewright.nef.network import Network
from spikewright.nef.objects import Ensemble, Neurons
from spikewright.nef.precision import LEAK_FRACS, LeakCode
from spikewright.nef.synapses import leak_of
from spikewright.sim.errors import ProgramError


def check_members(network: Network) -> None:
    """Refuse connections and probes of what is not in the network itself.

    Raises
    ------
    ProgramError
        With both.
    """
    members: set[object] = {*network.ensembles, *network.nodes, *network.connections}
    for connection in network.connections:
        for end in (connection.pre, _object(connection.post)):
            if end not in members:
                raise ProgramError(f"{end} must be in the network that has {connection}")
    for probe in network.probes:
        if probe.target not in members:
            raise ProgramError(f"{probe.target} must be in the network that has a probe of it")


def check_synapses(network: Network, dt: float) -> None:
    """Refuse time constants so long that a step's leak is no code.

    Raises
    ------
    ProgramError
        With the longest that can be.
    """
    heard: list[Connection | Probe] = [*network.connections, *network.probes]
    for of in heard:
        hardware = isinstance(of.pre if isinstance(of, Connection) else of.target, Ensemble)
        if of.synapse is None or not hardware or (isinstance(of, Probe) and of.attr != "decoded"):
            continue
        if not LeakCode.of(leak_of(of.synapse, dt)).code:
            longest = -dt / math.log1p(-math.ldexp(0.5, -LEAK_FRACS[-1]))
            what = of if isinstance(of, Connection) else f"probe of {of.target}"
            raise ProgramError(
                f"Synapse of {what} must have a time constant of at most {longest:.3g} s in steps "
                f"of {dt:g} s, not {of.synapse.tau:g} s"
            )


def check_circles(network: Network) -> None:
    """Refuse circles of ensembles without a synapse.

    Raises
    ------
    ProgramError
        With a connection of one.
    """
    direct = [
        (c, c.pre, _heard_by(c))
        for c in network.connections
        if isinstance(c.pre, Ensemble) and c.synapse is None
    ]
    for connection, start, post in direct:
        reached, before = {post}, 0
        while len(reached) > before:
            before = len(reached)
            reached |= {end for _, pre, end in direct if pre in reached}
        if start in reached:
            raise ProgramError(
                f"Circle through {connection} must have a synapse somewhere: without one, "
                "ensembles would hear each other in the same step"
            )


def _object(post: object) -> object:
    if isinstance(post, Neurons):
        return post.ensemble
    return post.connection if isinstance(post, LearningRule) else post


def _heard_by(connection: Connection) -> Ensemble | None:
    """The ensemble that hears a connection in the same step, on the hardware."""
    post = connection.post
    while isinstance(post, LearningRule):
        # What is learned takes a step's error in as it sends, and a synapse keeps that back.
        if post.connection.synapse is not None:
            return None
        post = post.connection.post
    found = _object(post)
    return found if isinstance(found, Ensemble) else None
