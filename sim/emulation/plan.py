# SPDX-License-Identifier: Apache-2.0
"""What of a program runs for the wanted streams, in what order, and by which kernel."""

from collections.abc import Iterator, Mapping

from spikewright.sim.activation import Activation
from spikewright.sim.count import Count
from spikewright.sim.delay import Delay
from spikewright.sim.elementwise import Elementwise
from spikewright.sim.emulation.kernels import (
    CountKernel,
    ElementwiseKernel,
    Kernel,
    MatVecKernel,
    RequantizeKernel,
    RouteKernel,
)
from spikewright.sim.emulation.learning import LearnKernel
from spikewright.sim.emulation.loop import Loop, is_quick, writable
from spikewright.sim.emulation.membranes import LeakyKernel, LifKernel
from spikewright.sim.emulation.ranges import ranges
from spikewright.sim.emulation.tables import TableKernel
from spikewright.sim.event_matvec import EventMatVec
from spikewright.sim.hold import Hold
from spikewright.sim.last import Last
from spikewright.sim.leaky import Leaky
from spikewright.sim.learn import Learn
from spikewright.sim.lif import Lif
from spikewright.sim.lookup import Lookup
from spikewright.sim.matvec import MatVec
from spikewright.sim.ports import Rate
from spikewright.sim.primitive import Primitive
from spikewright.sim.program import Node, Program
from spikewright.sim.requantize import Requantize
from spikewright.sim.route import Route

FRAME_SET = 1 << 18
"""Elements of the widest per-frame vectors of a chunk of frames."""

STEP_SET = 1 << 15
"""Elements of the widest per-step vectors of a chunk, in one step."""

BLOCK_SET = 1 << 20
"""Elements of the widest per-step vectors of a chunk, in a block of steps."""

BLOCK_STEPS = 250
"""Most steps in a block; at most 255, which is what CountKernel can sum."""

LOOP_STEPS = 4000
"""The same where a loop has all the long vectors, and nothing counts."""

KERNELS: dict[type[Primitive], type[Kernel]] = {
    MatVec: MatVecKernel,
    EventMatVec: MatVecKernel,
    Requantize: RequantizeKernel,
    Activation: TableKernel,
    Lookup: TableKernel,
    Elementwise: ElementwiseKernel,
    Route: RouteKernel,
    Count: CountKernel,
    Leaky: LeakyKernel,
    Learn: LearnKernel,
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
    compiled : bool
        Whether what keeps state runs as one compiled loop, if it can.
    """

    def __init__(self, program: Program, references: tuple[str, ...], *, compiled: bool = False):
        self.program = program
        self.ranges = ranges(program)
        self.static = set(self._static())
        needed = self._needed(references)
        self.inputs = [name for name in program.inputs if name in needed]
        self.nodes = [n for n in program.order if n.name in needed]
        self.sizes = {name: program.port(name).size for name in self.inputs}
        for node in self.nodes:
            for port, described in node.primitive.ports().outputs.items():
                self.sizes[f"{node.name}.{port}"] = described.size
        self._roots: dict[str, tuple[str, int]] = {}
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
        self.sources = {
            n.name: {self.root(r)[0].partition(".")[0] for r in n.inputs} & self.kernels.keys()
            for n in self.nodes
            if n.name in self.kernels
        }
        self.reached = {name: _closure(name, self.sources) for name in self.sources}
        self.groups = list(self._groups())
        self.hidden: set[str] = set()
        self.loop = self._loop(references) if compiled else None
        counts = any(isinstance(kernel, CountKernel) for kernel in self.kernels.values())
        self._most_steps = BLOCK_STEPS if counts or self.loop is None else LOOP_STEPS

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

    def shape(self, reference: str, batch: int, steps: int) -> tuple[int, ...]:
        """Shape of a wanted stream."""
        at_frame = self.is_static(reference) or self.final(reference.partition(".")[0])
        size = self.sizes[self.root(reference)[0] or reference]
        return (batch, size) if at_frame else (batch, steps, size)

    def portion(self, batch: int) -> tuple[int, int]:
        """Most frames and most steps to run at once, so that a cache holds their streams."""
        held, stepped = 1, 1
        for reference, size in self.sizes.items():
            if self.is_static(reference) or self.final(reference.partition(".")[0]):
                held = max(held, size)
            elif reference not in self.hidden:
                stepped = max(stepped, size)
        frames = max(1, min(batch, FRAME_SET // held, STEP_SET // stepped))
        return frames, max(1, min(self._most_steps, BLOCK_SET // (stepped * frames)))

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
        if reference not in self._roots:
            self._roots[reference] = self._root(self.program.resolve(reference))
        return self._roots[reference]

    def _root(self, reference: str) -> tuple[str, int]:
        delay, seen = 0, set()
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
        reached = self.reached
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

    def _loop(self, references: tuple[str, ...]) -> Loop | None:
        """The loop, whose kernels and place among the groups replace its nodes'."""
        roots = {
            node.name
            for group, cyclic in self.groups
            for node in group
            if cyclic or isinstance(node.primitive, Lif | Leaky | Learn)
        }
        inner = {
            name
            for name, sources in self.reached.items()
            if (name in roots or sources & roots)
            and any(name == root or name in self.reached[root] for root in roots)
        }
        inner |= self._before(inner)
        nodes = [n for n in self.nodes if n.name in inner]
        if not nodes or not all(writable(n) for n in nodes):
            return None
        outside = [n for n in self.nodes if n.name in self.kernels and n.name not in inner]
        read = {self.root(r)[0] for n in outside for r in n.inputs}
        stored = read | {self.root(r)[0] for r in references} | set(self.history)
        loop = Loop(self.program, nodes, self.ranges, self.root, stored)
        self.kernels |= loop.kernels
        self.hidden = {
            f"{n.name}.{port}" for n in nodes for port in n.primitive.ports().outputs
        } - stored
        rest = [g for g in self.groups if inner.isdisjoint(n.name for n in g[0])]
        first = [g for g in rest if not any(self.reached[n.name] & inner for n in g[0])]
        self.groups = [*first, (nodes, True), *(g for g in rest if g not in first)]
        return loop

    def _before(self, inner: set[str]) -> set[str]:
        """What only the loop reads and is quickly computed in it, step by step."""
        found: set[str] = set()
        wanted = {self.root(r)[0].partition(".")[0] for r in self.program.outputs.values()}
        for node in reversed(self.nodes):
            readers = {name for name, sources in self.sources.items() if node.name in sources}
            if (
                node.name not in inner | self.static | self.delays.keys() | wanted
                and readers
                and readers <= inner | found
                and is_quick(node)
            ):
                found.add(node.name)
        return found


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
