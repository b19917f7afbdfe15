# SPDX-License-Identifier: Apache-2.0
"""Networks of ensembles: objects made in a ``with`` block belong to it."""

from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from spikewright.learn.options import check_count
from spikewright.sim.errors import ProgramError

if TYPE_CHECKING:
    from spikewright.nef.connection import Connection, Probe
    from spikewright.nef.objects import Ensemble, Node

_OPEN: ContextVar[tuple["Network", ...]] = ContextVar("open networks", default=())


class Network:
    """A model of the Neural Engineering Framework (Eliasmith and Anderson, 2003).

    Parameters
    ----------
    seed : int
        Of all that its objects draw.
    label : str, optional

    Raises
    ------
    ProgramError
        If the seed is no integer from 0, or the label no text.

    Attributes
    ----------
    ensembles, nodes, connections, probes : list
        In the order in which they were made.

    Examples
    --------
    >>> from spikewright import nef
    >>> with nef.Network(seed=1) as model:
    ...     stimulus = nef.Node([0.5])
    ...     a = nef.Ensemble(50, 1)
    ...     _ = nef.Connection(stimulus, a)
    >>> len(model.ensembles), len(model.connections)
    (1, 1)
    """

    def __init__(self, *, seed: int = 0, label: str | None = None):
        check_count("Seed", seed, 0)
        check_label("Network", label)
        self.seed, self.label = seed, label
        self.ensembles: list[Ensemble] = []
        self.nodes: list[Node] = []
        self.connections: list[Connection] = []
        self.probes: list[Probe] = []

    def __enter__(self) -> Self:
        _OPEN.set((*_OPEN.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _OPEN.set(_OPEN.get()[:-1])


def check_label(what: str, label: Any) -> None:
    """Refuse a label that is no text.

    Raises
    ------
    ProgramError
        With the label.
    """
    if not isinstance(label, str | None):
        raise ProgramError(f"Label of {what} must be text or None, not {label!r}")


def join(kind: str, thing: Any) -> None:
    """Make an object part of the network whose ``with`` block this is.

    Raises
    ------
    ProgramError
        If there is none.
    """
    if not _OPEN.get():
        what = type(thing).__name__
        raise ProgramError(f"{what} must be made within a network: with nef.Network() as model:")
    getattr(_OPEN.get()[-1], kind).append(thing)
