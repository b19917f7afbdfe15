# SPDX-License-Identifier: Apache-2.0
"""Sight of a component's inner signals and memories, for invariants."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from unittest.mock import patch

from amaranth.hdl import Array, Elaboratable, Fragment, Module, Value, ValueCastable
from amaranth.lib import memory

_elaborate = memory.Memory.elaborate


class Taps:
    """An elaborated component, the values in it by path and extra read ports on its memories.

    A path is the names of submodules and of the signal, or of the local variable that held the
    value while the component was elaborated, joined by dots: ``"replay.filled"``. What a function
    held that helped to elaborate it has that name before it, from the second call on with its
    number: ``"some.count"``, ``"some#1.count"``.

    Parameters
    ----------
    component : Elaboratable
    platform : object
        Part's family; None for the plain description.
    probes : int
        Further words of every memory that an invariant reads in the same cycle.
    """

    def __init__(self, component: Elaboratable, platform: object = None, probes: int = 0):
        self._values: dict[str, Any] = {}
        self._ports: dict[str, list[memory.ReadPort]] = {}
        with _memories_with_probes(probes) as made, _local_values() as found:
            self.fragment = Fragment.get(component, platform)
        self._walk(self.fragment, "", made, found)

    def _walk(
        self,
        fragment: Fragment,
        path: str,
        made: dict[int, list[memory.ReadPort]],
        found: dict[int, dict[str, Any]],
    ) -> None:
        for origin in fragment.origins or ():
            values = found.get(id(origin), {})
            self._values.update({f"{path}{name}": value for name, value in values.items()})
        for statements in fragment.statements.values():
            for signal in (*statements._lhs_signals(), *statements._rhs_signals()):
                self._values.setdefault(f"{path}{signal.name}", signal)
        for fsm_name, fsm in fragment.generated.items():
            self._values[f"{path}{fsm_name}"] = fsm
        if id(fragment) in made:
            self._ports[path.rstrip(".")] = made[id(fragment)]
        for k, (inner, name, _) in enumerate(fragment.subfragments):
            self._walk(inner, f"{path}{name or k}.", made, found)

    def __getitem__(self, path: str) -> Any:
        """Value of a path."""
        if path not in self._values:
            raise KeyError(f"No value {path!r}, only {', '.join(sorted(self._values))}")
        return self._values[path]

    @property
    def names(self) -> list[str]:
        """Paths of all values."""
        return sorted(self._values)

    def ports(self, path: str) -> list[memory.ReadPort]:
        """Further read ports of a memory; the harness drives their addresses."""
        if path not in self._ports:
            raise KeyError(f"No memory {path!r}, only {', '.join(sorted(self._ports))}")
        return self._ports[path]

    @property
    def memories(self) -> list[str]:
        """Paths of all memories."""
        return sorted(self._ports)


@contextmanager
def _local_values() -> Iterator[dict[int, dict[str, Any]]]:
    """Record what the methods of each elaborated object held in local variables."""
    found: dict[int, dict[str, Any]] = {}
    kept: list[Any] = []
    inside: list[Any] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        name, owner = frame.f_code.co_name, frame.f_locals.get("self")
        elaborates = name == "elaborate" and isinstance(owner, Elaboratable)
        if event == "call" and elaborates:
            inside.append(owner)
        if event != "return":
            return
        if isinstance(owner, Elaboratable):
            kept.append(owner)
            found.setdefault(id(owner), {}).update(_values_in(frame, ""))
        elif inside and isinstance(frame.f_locals.get("m"), Module):
            known = found.setdefault(id(inside[-1]), {})
            calls = sum(1 for path in known if re.fullmatch(rf"{name}(#\d+)?\.", path))
            call = f"{name}#{calls}." if calls else f"{name}."
            known |= {call: None, **_values_in(frame, call)}
        if elaborates:
            inside.pop()

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _values_in(frame: FrameType, prefix: str) -> dict[str, Any]:
    """Values that a frame's local variables hold."""
    known: dict[str, Any] = {}
    for name, value in frame.f_locals.items():
        if isinstance(value, Value | ValueCastable):
            known[f"{prefix}{name}"] = value
        elif isinstance(value, list | Array):
            items = {f"{prefix}{name}[{k}]": item for k, item in enumerate(value)}
            known |= {k: v for k, v in items.items() if isinstance(v, Value)}
    return known


@contextmanager
def _memories_with_probes(count: int) -> Iterator[dict[int, list[memory.ReadPort]]]:
    """Give every memory that is elaborated so many further read ports."""
    made: dict[int, list[memory.ReadPort]] = {}
    kept: list[Any] = []

    def elaborate(self: memory.Memory, platform: object) -> Any:
        ports = [self.read_port(domain="comb") for _ in range(count)]
        instance = _elaborate(self, platform)
        kept.append(instance)
        made[id(instance)] = ports
        return instance

    with patch.object(memory.Memory, "elaborate", elaborate):
        yield made
