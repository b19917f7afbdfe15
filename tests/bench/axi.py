# SPDX-License-Identifier: Apache-2.0
"""A bus master and two streams around an accelerator, with pauses on every channel.

A script is a list of steps: ("write", address, data, strobe), ("read", address), ("send", words,
places of TLAST), ("receive", words), ("wait", cycles) and ("reset",). What is sent or received goes
on beside the steps that follow; "receive" waits until so many words have come.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bench.exchange import RESET_CYCLES, Pauses, Wires, claim

Step = list[Any]


@dataclass(frozen=True, kw_only=True)
class AxiPlan:
    """A script, and when to pause."""

    script: list[Step]
    stall_seed: int | None = None
    max_cycles: int = 20_000


class Channel:
    """One channel that the master drives: it offers until it is taken."""

    def __init__(self, prefix: str, pauses: Pauses, *, stream: bool = False):
        self.valid, self.ready = (f"{prefix}{'t' if stream else ''}{x}" for x in ("valid", "ready"))
        self.prefix = prefix
        self.pauses = pauses
        self.queue: list[dict[str, int]] = []
        self.offered = False

    def drive(self, wires: Wires) -> None:
        if self.queue and not self.offered:
            self.offered = self.pauses.go()
        wires.set(self.valid, int(self.offered))
        if self.offered:
            for name, value in self.queue[0].items():
                wires.set(self.prefix + name, value)

    def sample(self, wires: Wires) -> None:
        if self.offered and wires.get(self.ready):
            self.queue.pop(0)
            self.offered = False


class Answers:
    """One channel that the master takes; it checks that what is offered stays."""

    def __init__(
        self, prefix: str, fields: tuple[str, ...], pauses: Pauses, *, stream: bool = False
    ):
        self.valid, self.ready = (f"{prefix}{'t' if stream else ''}{x}" for x in ("valid", "ready"))
        self.prefix = prefix
        self.fields = fields
        self.pauses = pauses
        self.found: list[list[int]] = []
        self.held: list[int] | None = None

    def drive(self, wires: Wires) -> None:
        self.go = self.pauses.go() and not (self.pauses.shy and self.held is None)
        wires.set(self.ready, int(self.go))

    def sample(self, wires: Wires) -> None:
        valid = wires.get(self.valid)
        claim(valid or self.held is None, f"{self.valid} was taken back before {self.ready}")
        now = [wires.get(self.prefix + name) for name in self.fields] if valid else None
        claim(self.held in (None, now), f"{self.prefix} changed before {self.ready}")
        self.held = None if self.go else now
        if now is not None and self.go:
            self.found.append(now)


class AxiExchange:
    """Carries out a script.

    Attributes
    ----------
    log : list
        For each step: [response] of a write, [response, data] of a read, and of "receive" the
        words that have come so far, each with its TLAST.
    """

    def __init__(self, plan: AxiPlan):
        self.plan = plan
        self.log: list[Any] = []
        seed = plan.stall_seed
        self.aw, self.w, self.ar = (
            Channel(f"s_axi_{name}", Pauses(seed, name)) for name in ("aw", "w", "ar")
        )
        self.sent = Channel("s_axis_", Pauses(seed, "s_axis"), stream=True)
        self.b = Answers("s_axi_b", ("resp",), Pauses(seed, "b"))
        self.r = Answers("s_axi_r", ("resp", "data"), Pauses(seed, "r"))
        self.got = Answers(
            "m_axis_", ("tdata", "tlast", "tkeep"), Pauses(seed, "m_axis"), stream=True
        )
        self.channels = (self.aw, self.w, self.ar, self.sent, self.b, self.r, self.got)
        self.cycles = 0

    async def run(self, wires: Wires, clock: Callable[[int], Awaitable[None]]) -> None:
        """Do one step after the other."""
        await self._reset(wires, clock)
        for step in self.plan.script:
            if step[0] == "reset":
                await self._reset(wires, clock)
                self.log.append([])
                continue
            finished = self._begin(*step)
            while not finished():
                await self._cycle(wires, clock)
            self.log.append(self._result(step[0]))

    def _begin(self, kind: str, *arguments: Any) -> Callable[[], bool]:
        """Start a step; returns whether it is over."""
        if kind == "write":
            address, data, strobe = arguments
            self.aw.queue.append({"addr": address, "prot": 0})
            self.w.queue.append({"data": data, "strb": strobe})
            self.b.found.clear()
            return lambda: bool(self.b.found)
        if kind == "read":
            self.ar.queue.append({"addr": arguments[0], "prot": 0})
            self.r.found.clear()
            return lambda: bool(self.r.found)
        if kind == "send":
            words, lasts = arguments
            self.sent.queue += [
                {"tdata": word, "tkeep": 0xF, "tlast": int(k in lasts)}
                for k, word in enumerate(words)
            ]
            return lambda: True
        until = self.cycles + arguments[0]
        if kind == "wait":
            return lambda: self.cycles >= until
        return lambda: len(self.got.found) >= arguments[0]

    def _result(self, kind: str) -> Any:
        if kind in ("write", "read"):
            return (self.b if kind == "write" else self.r).found.pop()
        if kind == "receive":
            claim(all(keep == 0xF for _, _, keep in self.got.found), "m_axis_tkeep is not 0xF")
            return [word[:2] for word in self.got.found]
        return []

    async def _cycle(self, wires: Wires, clock: Callable[[int], Awaitable[None]]) -> None:
        if self.cycles >= self.plan.max_cycles:
            waiting = self.plan.script[len(self.log)]
            raise AssertionError(
                f"Step {len(self.log)} ({waiting[0]}) is not over after {self.cycles} cycles: "
                f"{len(self.sent.queue)} words left, {len(self.got.found)} received"
            )
        for channel in self.channels:
            channel.drive(wires)
        await clock(0)
        for channel in self.channels:
            channel.sample(wires)
        await clock(1)
        self.cycles += 1

    async def _reset(self, wires: Wires, clock: Callable[[int], Awaitable[None]]) -> None:
        for channel in self.channels:
            if isinstance(channel, Channel):
                channel.queue.clear()
                channel.offered = False
                wires.set(channel.valid, 0)
            else:
                channel.held = None
                channel.found.clear()
                wires.set(channel.ready, 0)
        for level in (1, 0):
            wires.set("rst", level)
            for _ in range(RESET_CYCLES):
                await clock(0)
                await clock(1)

    def seen(self) -> dict[str, Any]:
        """What came, as JSON values."""
        return {"log": self.log}

    def restore(self, seen: dict[str, Any]) -> None:
        """Take over what an exchange in another process saw."""
        self.log = seen["log"]
