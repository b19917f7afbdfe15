# SPDX-License-Identifier: Apache-2.0
"""What of a network runs where, as a list and as a table."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from spikewright.nef.host import Host
from spikewright.nef.network import Network
from spikewright.nef.objects import Ensemble

HARDWARE, HOST = "hardware", "host"
WIDTH = 110
"""Columns of the table."""


@dataclass(frozen=True)
class Placement:
    """Where one thing runs.

    Attributes
    ----------
    what : str
    where : {"hardware", "host", "nowhere"}
    why : str
    """

    what: str
    where: str
    why: str


def placements_of(network: Network, host: Host) -> list[Placement]:
    """Where a network's objects run."""
    found = [
        Placement(str(e), HARDWARE, f"{e.n_neurons} {type(e.neuron_type).__name__} neurons")
        for e in network.ensembles
    ]
    for node in network.nodes:
        why = "hears ensembles, one step late" if node in host.late else "needs no ensemble"
        found.append(Placement(str(node), HOST, why))
    for c in network.connections:
        if not isinstance(c.pre, Ensemble):
            found.append(Placement(str(c), HOST, "comes from a node"))
        elif c.rule is not None:
            found.append(Placement(str(c), HARDWARE, "decoders that learn"))
        else:
            found.append(Placement(str(c), HARDWARE, "decoders"))
    return found


def lockstep(host: Host) -> list[Placement]:
    """That the hardware waits for the host, where it does."""
    if not host.lockstep:
        return []
    why = "a node that hears ensembles drives one: hardware waits for the host in every step"
    return [Placement("simulation", HOST, why)]


def table(placements: Iterable[Placement]) -> str:
    """A table of placements."""
    shown = Table(title="What runs where", title_justify="left")
    for name in ("what", "where", "why"):
        shown.add_column(name)
    for placement in placements:
        shown.add_row(placement.what, placement.where, placement.why)
    text = io.StringIO()
    # Labels such as "ensembles[0]" are no markup.
    Console(file=text, width=WIDTH, markup=False, highlight=False).print(shown)
    return text.getvalue()
