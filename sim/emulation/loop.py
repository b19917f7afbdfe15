# SPDX-License-Identifier: Apache-2.0
"""The nodes of a plan that run as one compiled loop."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from spikewright.sim.emulation.compiled import Text, compile_module
from spikewright.sim.emulation.exact import Range
from spikewright.sim.emulation.fused import WRITERS, Writer, integer_type
from spikewright.sim.emulation.kernels import BOOL, Array, Call, Kernel, Site
from spikewright.sim.emulation.learning import columns_first, learned_state
from spikewright.sim.emulation.sums import FEW_COLUMNS
from spikewright.sim.learn import LEARNED, Learn
from spikewright.sim.matvec import MatVec
from spikewright.sim.ports import SPIKE
from spikewright.sim.program import Node, Program
from spikewright.sim.requantize import Requantize

UINT8 = np.dtype(np.uint8)


class LoopKernel(Kernel):
    """A node of the loop: only the types of its buffers; the loop does the work."""

    def __init__(self, node: Node, kinds: Sequence[np.dtype[Any]], states: Mapping[str, Any]):
        self.primitive: Any = node.primitive
        self.outputs = tuple(kinds)
        self.states = states

    def state(self, batch: int) -> dict[str, Array]:
        if isinstance(self.primitive, Learn):
            return {LEARNED: learned_state(self.primitive, batch, self.states[LEARNED])}
        return {key: np.zeros((batch, self.primitive.size), k) for key, k in self.states.items()}


class Loop:
    """A program's nodes from the first that keeps state to the last, one step after another.

    Parameters
    ----------
    program : Program
    nodes : sequence of Node
        In order of execution, each of a type in ``WRITERS``.
    ranges : mapping of str to Range
        Of every stream.
    root : callable
        Stream that a reference is, and by how many steps it is delayed.
    stored : collection of str
        Streams made by the loop that are needed elsewhere or later.
    """

    def __init__(
        self,
        program: Program,
        nodes: Sequence[Node],
        ranges: Mapping[str, Range],
        root: Callable[[str], tuple[str, int]],
        stored: Collection[str],
    ):
        self.program, self.ranges, self.root, self.stored = program, ranges, root, stored
        self.kernels: dict[str, LoopKernel] = {}
        self.dense = any(
            isinstance(n.primitive, MatVec) and n.primitive.input != SPIKE and not is_quick(n)
            for n in nodes
        )
        """Whether there are large products with other codes than spikes."""
        self._text = Text()
        self._rows: dict[str, str] = {}
        for node in nodes:
            self._write(node)

    @cached_property
    def run(self) -> Callable[..., None]:
        """The compiled function."""
        return compile_module(self._text.module())

    def kind(self, reference: str) -> np.dtype[Any]:
        """Type of a stream in the loop."""
        if self.program.port(reference).format == SPIKE:
            return UINT8
        # What is delayed is read where it was written.
        root = self.root(reference)[0] or self.program.resolve(reference)
        return integer_type(self.ranges[root].bound)

    def emit(
        self, steps: int, batch: int, sites: Mapping[str, Site], stream: Callable[[str], Array]
    ) -> Iterator[Call]:
        """Calls for a block of steps.

        Parameters
        ----------
        steps, batch : int
        sites : mapping of str to Site
            Of the nodes in the loop.
        stream : callable
            Buffer of a reference, (steps, batch, size).
        """
        own = Site(batch, {}, counting=False)
        arrays: list[Array] = []
        for key in self._text.arguments:
            if isinstance(key, np.ndarray):
                arrays.append(key)
            elif isinstance(key, tuple):
                state = sites[key[0]].state[key[1]]
                arrays.append(columns_first(state) if key[1] == LEARNED else state)
            else:
                calls, array = self._converted(own, key, stream(key))
                yield from calls
                arrays.append(array)
        yield partial(self.run, steps, batch, *arrays)

    def _converted(self, site: Site, reference: str, x: Array) -> tuple[list[Call], Array]:
        kind = self.kind(reference)
        calls, x = site.cast(reference, x, BOOL if kind == UINT8 else kind)
        x = x[:1] if x.strides[0] == 0 else x
        return calls, x.view(UINT8) if kind == UINT8 else x

    def _write(self, node: Node) -> None:
        inputs = [self._read(reference) for reference in node.inputs]
        outputs, kinds = [], []
        for port, described in node.primitive.ports().outputs.items():
            reference = f"{node.name}.{port}"
            kinds.append(self.kind(reference))
            if reference in self.stored:
                row = self._text.stream(reference)
            else:
                row = self._text.scratch(described.size, kinds[-1])
            self._rows[reference] = row
            outputs.append(row)
        given = [self.ranges[self.program.resolve(reference)] for reference in node.inputs]
        writer = Writer(self._text, node, self.program.tensors, given, kinds)
        writer.write(inputs, outputs)
        buffers = [BOOL if kind == UINT8 else kind for kind in kinds]
        self.kernels[node.name] = LoopKernel(node, buffers, writer.states)

    def _read(self, reference: str) -> str:
        root, delay = self.root(reference)
        if delay == 0 and root in self._rows:
            return self._rows[root]
        return self._text.stream(self.program.resolve(reference))


def writable(node: Node) -> bool:
    """Whether a node can be in a loop."""
    return type(node.primitive) in WRITERS


def is_quick(node: Node) -> bool:
    """Whether a node without state takes no longer in a loop than in a batch of steps."""
    p = node.primitive
    if isinstance(p, MatVec):
        return p.input != SPIKE and p.columns <= FEW_COLUMNS
    return isinstance(p, Requantize)
