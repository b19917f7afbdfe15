# SPDX-License-Identifier: Apache-2.0
"""A program as a list of bound calls: which streams, in what order, in which buffers."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from spikewright.sim.count import Count
from spikewright.sim.delay import Delay
from spikewright.sim.elementwise import Elementwise
from spikewright.sim.event_matvec import EventMatVec
from spikewright.sim.exact import exact_type, ranges
from spikewright.sim.hold import Hold
from spikewright.sim.kernels import (
    BOOL,
    Array,
    Call,
    CountKernel,
    ElementwiseKernel,
    Kernel,
    MatVecKernel,
    RequantizeKernel,
    RouteKernel,
    Site,
)
from spikewright.sim.last import Last
from spikewright.sim.leaky import Leaky
from spikewright.sim.lif import Lif
from spikewright.sim.matvec import MatVec
from spikewright.sim.membranes import LeakyKernel, LifKernel
from spikewright.sim.ports import SPIKE, Rate
from spikewright.sim.primitive import Primitive
from spikewright.sim.program import Node, Program
from spikewright.sim.requantize import Requantize
from spikewright.sim.route import Route

KERNELS: dict[type[Primitive], type[Kernel]] = {
    MatVec: MatVecKernel,
    EventMatVec: MatVecKernel,
    Requantize: RequantizeKernel,
    Elementwise: ElementwiseKernel,
    Route: RouteKernel,
    Count: CountKernel,
    Leaky: LeakyKernel,
    Lif: LifKernel,
}
"""Fast kernels by type; any other primitive runs its own ``step``."""


class Plan:
    """What depends on the program and the wanted streams alone.

    Parameters
    ----------
    program : Program
    references : tuple of str
        Resolved references of the wanted streams.
    """

    def __init__(self, program: Program, references: tuple[str, ...]):
        self.program = program
        self.ranges = ranges(program)
        self.static = set(self._static())
        needed = self._needed(references)
        self.inputs = [name for name in program.inputs if name in needed]
        self.nodes = [n for n in program.order if n.name in needed]
        self.delays = {
            n.name: (n.primitive.steps, program.resolve(n.inputs[0]))
            for n in self.nodes
            if isinstance(n.primitive, Delay)
        }
        self.kernels = {n.name: self._kernel(n) for n in self.nodes if n.name not in self.delays}
        self.history: dict[str, int] = {}
        for name in self.delays:
            root, delay = self.root(name)
            self.history[root] = max(delay, self.history.get(root, 0))
        self.groups = list(self._groups())

    def _static(self) -> Iterator[str]:
        """Inputs and nodes whose values are the same in every step of a frame."""
        found: set[str] = set()
        for name, rate in self.program.rates.items():
            node = self.program.by_name.get(name)
            sources = [] if node is None else [r.partition(".")[0] for r in node.inputs]
            if rate is Rate.FRAME and found.issuperset(sources):
                found.add(name)
                yield name

    def _needed(self, references: tuple[str, ...]) -> set[str]:
        found: set[str] = set()
        waiting = [reference.partition(".")[0] for reference in references]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                node = self.program.by_name.get(name)
                waiting += [] if node is None else [r.partition(".")[0] for r in node.inputs]
        return found

    def is_static(self, reference: str) -> bool:
        """Whether a stream is the same in every step of a frame and at the frame's rate."""
        return reference.partition(".")[0] in self.static

    def final(self, name: str) -> bool:
        """Whether a node's value exists once, at the end of the frame."""
        at_frame = self.program.rates[name] is Rate.FRAME
        return at_frame and name not in self.static

    def is_view(self, node: Node) -> bool:
        """Whether a node's output is only another look at its input."""
        return isinstance(node.primitive, Hold | Last) and f"{node.name}.y" not in self.history

    def _kernel(self, node: Node) -> Kernel:
        kind = KERNELS.get(type(node.primitive), Kernel)
        given = [self.ranges[self.program.resolve(reference)] for reference in node.inputs]
        return kind(node.primitive, self.program.tensors, given)

    def root(self, reference: str) -> tuple[str, int]:
        """The stream that a reference is, delayed, and by how many steps; "" is always zero."""
        delay, seen = 0, set()
        reference = self.program.resolve(reference)
        while (name := reference.partition(".")[0]) in self.delays:
            if name in seen:
                return "", 0
            seen.add(name)
            steps, reference = self.delays[name]
            delay += steps
        return reference, delay

    def _groups(self) -> Iterator[tuple[list[Node], bool]]:
        """Nodes in order of execution, and whether they are on one cycle and so go step by step."""
        nodes = [n for n in self.nodes if n.name in self.kernels]
        yield [n for n in nodes if n.name in self.static], False
        nodes = [n for n in nodes if n.name not in self.static]
        sources = {
            n.name: {self.root(r)[0].partition(".")[0] for r in n.inputs} & self.kernels.keys()
            for n in nodes
        }
        reached = {name: _closure(name, sources) for name in sources}
        waiting, done = nodes, set(self.static)
        while waiting:
            first = next(
                n
                for n in waiting
                if all(m in done or n.name in reached[m] for m in reached[n.name])
            )
            cycle = {m for m in reached[first.name] if first.name in reached.get(m, ())}
            yield [n for n in waiting if n is first or n.name in cycle], bool(cycle)
            done |= cycle | {first.name}
            waiting = [n for n in waiting if n.name not in done]


def _closure(name: str, sources: Mapping[str, set[str]]) -> set[str]:
    """All that a node's value depends on; itself too if it is on a cycle."""
    found: set[str] = set()
    waiting = list(sources[name])
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting += sources.get(source, ())
    return found


class Tape:
    """A plan in the buffers of ``batch`` frames and ``steps`` steps: calls to make in order.

    Parameters
    ----------
    plan : Plan
    batch, steps : int
    counting : bool
        Whether to count the codes that saturate.
    """

    def __init__(self, plan: Plan, batch: int, steps: int, *, counting: bool = False):
        self.plan, self.batch, self.steps = plan, batch, steps
        self.sites = {
            name: Site(batch, kernel.state(batch), counting=counting)
            for name, kernel in plan.kernels.items()
        }
        self._now: dict[str, Array] = {"": np.zeros((steps, 1, 1), np.bool_)}
        self._base: dict[str, Array] = {}
        # Calls at the start of a frame, in each block of steps, and at the end of a frame.
        self.frame: list[Call] = []
        self.block: list[Call] = []
        self.last: list[Call] = []
        for name in plan.inputs:
            spikes = plan.program.port(name).format == SPIKE
            self._allocate(name, name, BOOL if spikes else exact_type(plan.ranges[name].bound))
        for node in plan.nodes:
            if node.name in plan.kernels and not plan.is_view(node):
                kinds = plan.kernels[node.name].outputs
                for port, kind in zip(node.primitive.ports().outputs, kinds, strict=True):
                    self._allocate(node.name, f"{node.name}.{port}", kind)
        for group, stepwise in plan.groups:
            self._emit(group, stepwise=stepwise)

    def stream(self, reference: str) -> Array:
        """Buffer of a stream, (steps, batch, size), with 1 step if it is per frame."""
        root, delay = self.plan.root(reference)
        if delay:
            base = self._base[root]
            start = len(base) - self.steps - delay
            return base[start : start + self.steps]
        if root in self._now:
            return self._now[root]
        node = self.plan.program.by_name[root.partition(".")[0]]
        source = self.stream(node.inputs[0])
        if isinstance(node.primitive, Last):
            return source[-1:]
        return np.broadcast_to(source, (self.steps, *source.shape[1:]))

    @cached_property
    def carry(self) -> dict[str, Array]:
        """What the next steps of the same frames need, each (batch, ...)."""
        found = {
            f"{name}.{key}": value
            for name, site in self.sites.items()
            for key, value in site.state.items()
        }
        for reference, base in self._base.items():
            found[f"{reference} delayed"] = base[self.steps :].swapaxes(0, 1)
        for reference, now in self._now.items():
            if reference and self.plan.is_static(reference):
                found[reference] = now[0]
        return found

    def start(self, inputs: Mapping[str, Array], frames: slice) -> None:
        """Begin frames: load the per-frame inputs, put the state where it starts."""
        for name, site in self.sites.items():
            for key, value in self.plan.kernels[name].state(self.batch).items():
                site.state[key][...] = value
        for base in self._base.values():
            base[self.steps :] = 0
        for name in self.plan.inputs:
            if self.plan.is_static(name):
                np.copyto(self._now[name][0], inputs[name][frames], casting="unsafe")
        for call in self.frame:
            call()

    def go_on(self, carried: Mapping[str, Array]) -> None:
        """Take over what another tape, or an earlier call, has carried."""
        for key, value in self.carry.items():
            if key in carried:
                np.copyto(value, carried[key], casting="unsafe")

    def play(self, inputs: Mapping[str, Array], frames: slice, now: slice) -> None:
        """Run a block of steps."""
        for base in self._base.values():
            # What the block before left at the end is what this one finds at the beginning.
            base[: len(base) - self.steps] = base[self.steps :]
        for name in self.plan.inputs:
            if not self.plan.is_static(name):
                source = inputs[name][frames, now].swapaxes(0, 1)
                np.copyto(self._now[name], source, casting="unsafe")
        for call in self.block:
            call()

    def finish(self) -> None:
        """End frames: compute what exists once a frame."""
        for call in self.last:
            call()

    def _allocate(self, name: str, reference: str, kind: np.dtype[Any]) -> None:
        frame = name in self.plan.static or self.plan.final(name)
        size = self.plan.program.port(reference).size
        steps = 1 if frame else self.steps
        before = self.plan.history.get(reference, 0)
        base = np.zeros((before + steps, self.batch, size), kind)
        if before:
            self._base[reference] = base
        self._now[reference] = base[before:]

    def _emit(self, group: list[Node], *, stepwise: bool) -> None:
        if stepwise:
            rows = [self._arrays(node) for node in group]
            for t in range(self.steps):
                for node, (inputs, outputs) in zip(group, rows, strict=True):
                    now = [x[t] for x in inputs], [y[t] for y in outputs]
                    self.block += self.plan.kernels[node.name].emit(self.sites[node.name], *now)
            return
        for node in group:
            if not self.plan.is_view(node):
                calls = self.frame if node.name in self.plan.static else self.block
                if self.plan.final(node.name) and node.primitive.crossing is None:
                    calls = self.last
                kernel = self.plan.kernels[node.name]
                calls += kernel.emit_block(self.sites[node.name], *self._arrays(node))

    def _arrays(self, node: Node) -> tuple[list[Array], list[Array]]:
        """Buffers of a node's inputs and outputs."""
        inputs = [self.stream(reference) for reference in node.inputs]
        outputs = [self._now[f"{node.name}.{port}"] for port in node.primitive.ports().outputs]
        return inputs, outputs
