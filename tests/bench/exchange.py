# SPDX-License-Identifier: Apache-2.0
"""What happens on a component's ports in each clock cycle, in either simulator."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

RESET_CYCLES = 2

LINGER_CYCLES = 24
"""Cycles to watch for beats nobody expects, once everything expected has come."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything a run does, in bits and names, so that it can be written as JSON."""

    sources: dict[str, list[int]] = field(default_factory=dict)
    sinks: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    stall_seed: int | None = None
    max_cycles: int = 0
    more: bool = False


class Wires(Protocol):
    """A component's ports by flat name, as unsigned numbers."""

    def get(self, name: str) -> int:
        """Value of a port that has settled."""

    def set(self, name: str, value: int) -> None:
        """Drive an input."""


class Pauses:
    """When a port waits: at random, at a rate that changes every few cycles."""

    def __init__(self, seed: int | None, name: str):
        self.random = None if seed is None else random.Random(f"{seed} {name}")
        self.share = 0.5
        self.shy = seed is not None and seed % 2 == 1

    def go(self) -> bool:
        """Whether the port moves in this cycle."""
        if self.random is None:
            return True
        if self.random.random() < 1 / 8:
            self.share = self.random.choice((0.1, 0.5, 0.9, 1.0))
        return self.random.random() < self.share

    def noise(self, width: int) -> int:
        """Bits to show where nobody may look."""
        return 0 if self.random is None else self.random.getrandbits(width)


def claim(holds: object, message: str) -> None:
    """Assert, with the message alone even where pytest rewrites assertions."""
    if not holds:
        raise AssertionError(message)


class Source:
    """Gives beats to an input stream, and nonsense while it has none to give."""

    def __init__(self, name: str, beats: list[int], width: int, pauses: Pauses):
        self.name = name
        self.beats = beats
        self.width = width
        self.pauses = pauses
        self.taken = 0
        self.offered = False

    @property
    def done(self) -> bool:
        """Whether every beat was taken."""
        return self.taken == len(self.beats)

    def drive(self, wires: Wires, *, start: bool) -> None:
        """Offer the next beat, or wait."""
        if start and not self.offered and not self.done:
            self.offered = self.pauses.go()
        wires.set(f"{self.name}_valid", int(self.offered))
        if self.offered:
            wires.set(f"{self.name}_payload", self.beats[self.taken])
        else:
            wires.set(f"{self.name}_payload", self.pauses.noise(self.width))

    def sample(self, wires: Wires) -> None:
        """Note on a rising edge whether the beat was taken."""
        if self.offered and wires.get(f"{self.name}_ready"):
            self.taken += 1
            self.offered = False


class Sink:
    """Takes beats from an output stream and checks that it keeps the rules.

    With an odd seed it is shy: ready waits for valid, which a stream must not answer by waiting for
    ready. Two seeds in a row therefore try both.
    """

    def __init__(self, name: str, expected: int, pauses: Pauses, *, more: bool):
        self.name = name
        self.expected = expected
        self.pauses = pauses
        self.more = more
        self.beats: list[int] = []
        self.held: int | None = None

    @property
    def done(self) -> bool:
        """Whether everything expected has come."""
        return len(self.beats) >= self.expected

    def drive(self, wires: Wires) -> None:
        """Be ready, or not."""
        self.ready = self.pauses.go() and not (self.pauses.shy and self.held is None)
        wires.set(f"{self.name}_ready", int(self.ready))

    def sample(self, wires: Wires, cycle: int) -> None:
        """Note on a rising edge what is offered."""
        valid = wires.get(f"{self.name}_valid")
        payload = wires.get(f"{self.name}_payload") if valid else 0
        if self.held is not None:
            claim(valid, f"{self.name} took valid back before ready in cycle {cycle}")
            claim(
                payload == self.held,
                f"{self.name} changed its payload before ready in cycle {cycle}: "
                f"0x{self.held:x} to 0x{payload:x}",
            )
        self.held = payload if valid and not self.ready else None
        if valid and self.ready:
            claim(
                self.more or not self.done,
                f"{self.name} gave a beat more than the {self.expected} expected in cycle {cycle}",
            )
            self.beats.append(payload)


class Host:
    """Loads or reads a tensor: one pulse at a time, each while ready is high."""

    def __init__(self, name: str, pulses: list[tuple[str, int]], pauses: Pauses):
        self.name = name
        self.pulses = pulses
        self.pauses = pauses
        self.given = 0
        self.pulse: str | None = None
        self.read: list[int] = []

    @property
    def done(self) -> bool:
        """Whether every pulse was given and the port is ready again."""
        return self.given == len(self.pulses) and self.pulse is None and self.ready

    def drive(self, wires: Wires) -> None:
        """Give the next pulse, or wait."""
        self.ready = bool(wires.get(f"{self.name}_ready"))
        self.pulse = None
        if self.ready and self.pauses.go() and self.given < len(self.pulses):
            self.pulse, code = self.pulses[self.given]
            wires.set(f"{self.name}_data", code)
        for kind in ("rewind", "write", "advance", "fetch"):
            wires.set(f"{self.name}_{kind}", int(kind == self.pulse))

    def sample(self, wires: Wires) -> None:
        """Note on a rising edge what was read."""
        if self.pulse == "advance":
            self.read.append(wires.get(f"{self.name}_data_out"))
        self.given += self.pulse is not None


class Exchange:
    """One run of a component.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan):
        self.plan = plan
        seed = plan.stall_seed
        self.hosts = [Host(name, pulses, Pauses(seed, name)) for name, pulses in plan.hosts.items()]
        self.sources = [
            Source(name, beats, plan.widths[name], Pauses(seed, name))
            for name, beats in plan.sources.items()
        ]
        self.sinks = [
            Sink(name, count, Pauses(seed, name), more=plan.more)
            for name, count in plan.sinks.items()
        ]

    async def run(self, wires: Wires, clock: Callable[[int], Awaitable[None]]) -> None:
        """Load the tensors, then exchange beats until everything expected has come.

        Parameters
        ----------
        wires : Wires
        clock : callable
            Sets the clock to a level and lets everything settle.

        Raises
        ------
        AssertionError
            If a stream breaks its rules, too many beats come or too few within the cycles.
        """
        await self._reset(wires, clock)
        loaded, quiet = not self.hosts, 0
        for cycle in range(self.plan.max_cycles):
            for host in self.hosts:
                host.drive(wires)
            loaded = loaded or all(host.done for host in self.hosts)
            for source in self.sources:
                source.drive(wires, start=loaded)
            for sink in self.sinks:
                sink.drive(wires)
            await clock(0)
            self._sample(wires, cycle)
            await clock(1)
            quiet = quiet + 1 if loaded and self._finished() else 0
            if quiet and (self.plan.more or quiet > LINGER_CYCLES or not self.sinks):
                return
        raise AssertionError(self._story())

    async def _reset(self, wires: Wires, clock: Callable[[int], Awaitable[None]]) -> None:
        for name, value in self.plan.constants.items():
            wires.set(name, value)
        for level in (1, 0):
            wires.set("rst", level)
            for _ in range(RESET_CYCLES):
                await clock(0)
                await clock(1)

    def _sample(self, wires: Wires, cycle: int) -> None:
        for source in self.sources:
            source.sample(wires)
        for sink in self.sinks:
            sink.sample(wires, cycle)
        for host in self.hosts:
            host.sample(wires)

    def _finished(self) -> bool:
        if not all(sink.done for sink in self.sinks):
            return False
        return self.plan.more or all(source.done for source in self.sources)

    def seen(self) -> dict[str, Any]:
        """What came, as JSON values."""
        return {
            "sinks": {sink.name: sink.beats for sink in self.sinks},
            "hosts": {host.name: host.read for host in self.hosts},
        }

    def restore(self, seen: dict[str, Any]) -> None:
        """Take over what an exchange in another process saw."""
        for sink in self.sinks:
            sink.beats = seen["sinks"][sink.name]
        for host in self.hosts:
            host.read = seen["hosts"][host.name]

    def _story(self) -> str:
        parts = [f"{host.name} did {host.given} of {len(host.pulses)}" for host in self.hosts]
        parts += [f"{port.name} took {port.taken} of {len(port.beats)}" for port in self.sources]
        parts += [f"{port.name} gave {len(port.beats)} of {port.expected}" for port in self.sinks]
        return f"Not finished after {self.plan.max_cycles} cycles: {', '.join(parts)}"
