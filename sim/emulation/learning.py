# SPDX-License-Identifier: Apache-2.0
"""Learn as a NumPy call that touches the columns of spikes only."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from spikewright.sim.emulation.exact import Range, exact_type, format_range
from spikewright.sim.emulation.kernels import Array, Call, Kernel, Site
from spikewright.sim.learn import LEARNED, Learn
from spikewright.sim.primitive import Tensors


def columns_first(learned: Array) -> Array:
    """The state with the axes (batch, columns, rows), in which memory has it."""
    return learned.swapaxes(1, 2)


def learned_state(primitive: Learn, batch: int, kind: np.dtype[Any]) -> Array:
    """The state of the golden model, but in memory a column's weights are side by side."""
    return np.zeros((batch, primitive.columns, primitive.rows), kind).swapaxes(1, 2)


def learned_bound(primitive: Learn) -> int:
    """Largest of what was learned, and of the weights before they saturate."""
    weights, change = format_range(primitive.weight_format), format_range(primitive.change)
    return max(weights.minus(weights).bound, weights.plus(change).bound)


class LearnKernel(Kernel):
    """Gathers the columns of spikes, sums, changes and saturates them, puts them back."""

    def __init__(self, primitive: Learn, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        sums = format_range(primitive.accumulator)
        self.kind = exact_type(max(sums.bound, learned_bound(primitive)))
        self.outputs = (self.kind,)
        self.weight = np.ascontiguousarray(tensors[primitive.weight].T.astype(self.kind))

    def state(self, batch: int) -> dict[str, Array]:
        return {LEARNED: learned_state(self.primitive, batch, self.kind)}

    def emit(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        (x, d), (y,) = inputs, outputs
        calls, d = site.cast("d", d, self.kind)
        yield from calls
        yield partial(self._learn, columns_first(site.state[LEARNED]), x, d, y)

    def _learn(self, learned: Array, x: Array, d: Array, y: Array) -> None:
        fmt = self.primitive.weight_format
        rows, fired = x.nonzero()
        before = self.weight[fired]
        weights = learned[rows, fired]
        weights += before
        if len(y) == 1:
            weights.sum(0, out=y[0])
        else:
            y[...] = 0
            np.add.at(y, rows, weights)
        weights += d[rows]
        np.clip(weights, fmt.lo, fmt.hi, out=weights)
        weights -= before
        learned[rows, fired] = weights
