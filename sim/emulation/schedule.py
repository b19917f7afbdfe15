# SPDX-License-Identifier: Apache-2.0
"""A program as a list of calls, bound to the buffers of so many frames and steps."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from spikewright.sim.emulation.exact import exact_type
from spikewright.sim.emulation.kernels import BOOL, Array, Call, Site
from spikewright.sim.emulation.plan import Plan
from spikewright.sim.last import Last
from spikewright.sim.ports import SPIKE
from spikewright.sim.primitive import Codes
from spikewright.sim.program import Node


class Schedule:
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
        self._now: dict[str, Array] = {}
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
                    if f"{node.name}.{port}" not in plan.hidden:
                        self._allocate(node.name, f"{node.name}.{port}", kind)
        for group, stepwise in plan.groups:
            self._emit(group, stepwise=stepwise)

    def stream(self, reference: str) -> Array:
        """Buffer of a stream, (steps, batch, size), with 1 step if it is per frame."""
        root, delay = self.plan.root(reference)
        if not root:
            size = self.plan.program.port(reference).size
            return np.zeros((self.steps, self.batch, size), np.bool_)
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
            if self.plan.is_static(reference):
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
        """Take over what another schedule, or an earlier call, has carried."""
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

    def collect(self, results: Mapping[str, Codes], frames: slice, now: slice) -> None:
        """Copy a block of the wanted streams to the results."""
        for reference, result in results.items():
            stream = self.stream(reference)
            if result.ndim == 2:
                np.copyto(result[frames], stream[-1], casting="unsafe")
            else:
                np.copyto(result[frames, now], stream.swapaxes(0, 1), casting="unsafe")

    def keep(self, state: dict[str, Codes], frames: slice, batch: int) -> None:
        """Copy what is carried to the state of a whole batch."""
        for key, value in self.carry.items():
            if key not in state:
                state[key] = np.zeros((batch, *value.shape[1:]), np.int64)
            np.copyto(state[key][frames], value, casting="unsafe")

    def _allocate(self, name: str, reference: str, kind: np.dtype[Any]) -> None:
        frame = name in self.plan.static or self.plan.final(name)
        size = self.plan.sizes[reference]
        steps = 1 if frame else self.steps
        before = self.plan.history.get(reference, 0)
        base = np.zeros((before + steps, self.batch, size), kind)
        if before:
            self._base[reference] = base
        self._now[reference] = base[before:]

    def _emit(self, group: list[Node], *, stepwise: bool) -> None:
        loop = self.plan.loop
        if loop is not None and group and group[0].name in loop.kernels:
            self.block += loop.emit(self.steps, self.batch, self.sites, self.stream)
            return
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
