# SPDX-License-Identifier: Apache-2.0
"""Primitives as NumPy calls bound beforehand to buffers, in exact floating point.

A kernel holds what depends on the program alone: number type, weights, constants. ``emit`` yields
the calls that compute its outputs in place; running a step is then calling them one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.count import Count
from spikewright.sim.elementwise import Elementwise
from spikewright.sim.emulation.exact import (
    INT64,
    Range,
    exact_type,
    format_range,
    requantized,
    sums_range,
)
from spikewright.sim.fixed import QFormat, round_half_up
from spikewright.sim.matvec import MatVec
from spikewright.sim.ports import SPIKE
from spikewright.sim.primitive import Primitive, Tensors
from spikewright.sim.requantize import Requantize
from spikewright.sim.route import Route

Array: TypeAlias = NDArray[Any]
Call: TypeAlias = Callable[[], object]

BOOL, INT16, UINT8 = np.dtype(np.bool_), np.dtype(np.int16), np.dtype(np.uint8)
EVENT_SHARE = 8
"""A product with one spike vector gathers weight rows if at most one neuron in this many fires."""


def uniform(values: Array, kind: np.dtype[Any]) -> Array:
    """Constant in a number type; without an axis if all its elements are equal, which is faster."""
    return np.array(values.flat[0] if (values == values.flat[0]).all() else values, kind)


class Site:
    """Where a kernel works: its state and scratch buffers for one batch size, and its count.

    Parameters
    ----------
    batch : int
    state : dict of str to (batch, ...) ndarray
    counting : bool
        Whether to count the codes that saturate.
    """

    def __init__(self, batch: int, state: dict[str, Array], *, counting: bool):
        self.batch = batch
        self.state = state
        self.counting = counting
        self.clipped = 0
        self._scratch: dict[tuple[Any, ...], Array] = {}

    def scratch(self, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
        """Buffer that keeps its contents only within a step."""
        key = (name, shape, kind)
        if key not in self._scratch:
            self._scratch[key] = np.zeros(shape, kind)
        return self._scratch[key]

    def cast(self, name: str, x: Array, kind: np.dtype[Any]) -> tuple[list[Call], Array]:
        """Calls that convert ``x``, if it needs it, and where the result will be."""
        if x.dtype == kind:
            return [], x
        # A vector held for all steps is converted once.
        held = x.ndim == 3 and x.strides[0] == 0
        source = x[:1] if held else x
        buffer = self.scratch(name, source.shape, kind)
        calls: list[Call] = [partial(np.copyto, buffer, source, casting="unsafe")]
        return calls, np.broadcast_to(buffer, x.shape) if held else buffer

    def clip(self, x: Array, found: Range, limit: QFormat, *, relu: bool = False) -> Iterator[Call]:
        """Calls that saturate ``x``, where its proved range goes beyond the limit.

        Parameters
        ----------
        x : ndarray
        found : Range
            Of ``x``.
        limit : QFormat
        relu : bool
            Do not count what is clipped at the lower limit.
        """
        # A limit that no int64 reaches is never used.
        lo, hi = (np.array(min(code, (1 << 63) - 1), x.dtype) for code in (limit.lo, limit.hi))
        above, below = found.hi > limit.hi, found.lo < limit.lo
        if self.counting and (above or (below and not relu)):
            yield partial(self._count, x, hi, None if relu else lo)
        if above:
            yield partial(np.minimum, x, hi, out=x)
        if below:
            yield partial(np.maximum, x, lo, out=x)

    def take_clipped(self) -> int:
        """Codes clipped since the last call."""
        count, self.clipped = self.clipped, 0
        return count

    def _count(self, x: Array, hi: Array, lo: Array | None) -> None:
        self.clipped += int(np.count_nonzero(x > hi))
        if lo is not None:
            self.clipped += int(np.count_nonzero(x < lo))


class Kernel:
    """One primitive. The class itself runs any primitive through its own ``step``, in int64."""

    def __init__(self, primitive: Primitive, tensors: Tensors, given: Sequence[Range]):
        self.primitive: Any = primitive
        self.tensors = tensors
        self.given = given
        self.outputs = tuple(
            BOOL if port.format == SPIKE else INT64 for port in primitive.ports().outputs.values()
        )
        self.stateful = bool(primitive.init_state(1))

    def state(self, batch: int) -> dict[str, Array]:
        """State at the start of a frame."""
        return dict(self.primitive.init_state(batch))

    def emit(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        """Calls for one step, or for any number of rows at once if there is no state."""
        yield partial(self._step, site, inputs, outputs)

    def emit_block(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        """Calls for (steps, batch, size) arrays."""
        if not self.stateful and self.primitive.crossing is None:
            yield from self.emit(site, inputs, outputs)
            return
        # Per-frame streams have one row.
        for t in range(max(map(len, (*inputs, *outputs)))):
            now = ([array[t % len(array)] for array in group] for group in (inputs, outputs))
            yield from self.emit(site, *now)

    def _step(self, site: Site, inputs: list[Array], outputs: list[Array]) -> None:
        codes = [x.reshape(-1, x.shape[-1]).astype(np.int64) for x in inputs]
        new, results = self.primitive.step(self.tensors, site.state, *codes)
        for name, value in new.items():
            site.state[name][...] = value
        for output, result in zip(outputs, results, strict=True):
            output[...] = result.reshape(output.shape)


class MatVecKernel(Kernel):
    """Matrix product by BLAS; for one spike vector, a sum of weight rows."""

    def __init__(self, primitive: MatVec, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        weight = tensors[primitive.weight]
        bias = None if primitive.bias is None else tensors[primitive.bias]
        self.kind = exact_type(sums_range(weight, bias, given[0]).bound)
        self.outputs = (self.kind,)
        self.weight = np.ascontiguousarray(weight.T.astype(self.kind))
        self.bias = None if bias is None else bias.astype(self.kind)
        # Sums of so few rows that 16 bits hold them move half the bytes.
        self.most = min(32767 // max(1, abs(weight).max()), primitive.columns // EVENT_SHARE)
        spikes = primitive.input == SPIKE and self.most
        self.rows = np.ascontiguousarray(weight.T.astype(np.int16)) if spikes else None

    def emit(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        (x,), (y,) = inputs, outputs
        dense = self._dense(site, x, y)
        if self.rows is not None and x.dtype == BOOL and x.size == x.shape[-1]:
            yield self._gather(site, x.reshape(-1), y.reshape(-1), self.rows, dense)
        else:
            yield from dense
        if self.bias is not None:
            yield partial(np.add, y, self.bias, y)

    def _dense(self, site: Site, x: Array, y: Array) -> list[Call]:
        calls, x = site.cast("x", x, self.kind)
        if not x.flags.c_contiguous:
            held = site.scratch("dense", x.shape, self.kind)
            calls.append(partial(np.copyto, held, x))
            x = held
        x, y = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
        return [*calls, partial(np.matmul, x, self.weight, y)]

    def _gather(self, site: Site, x: Array, y: Array, rows: Array, dense: list[Call]) -> Call:
        most = self.most
        buffer = site.scratch("rows", (most, y.size), INT16)
        total = site.scratch("total", y.shape, INT16)

        def gather() -> None:
            fired = x.nonzero()[0]
            count = len(fired)
            if count > most:
                for call in dense:
                    call()
            else:
                part = buffer[:count]
                rows.take(fired, 0, part, "clip")
                np.add.reduce(part, 0, out=total)
                np.copyto(y, total)

        return gather


class RequantizeKernel(Kernel):
    """``floor(x · 2^-shift + 1/2)``, then clipped where the proved range asks for it."""

    def __init__(self, primitive: Requantize, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        own = np.zeros(1, np.int64) if primitive.shift is None else tensors[primitive.shift]
        self.shift = primitive.shifts[0] + own
        self.found = requantized(primitive, tensors, given[0])
        half = 1 << max(0, int(self.shift.max()) - 1)
        result = self.found.meet(format_range(primitive.output))
        self.kind = exact_type(max(given[0].bound + half, result.bound))
        self.outputs = (self.kind,)
        self.scale = uniform(np.ldexp(1.0, -self.shift), self.kind)
        self.half = uniform(np.where(self.shift > 0, 0.5, 0.0), self.kind)

    def emit(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        (x,), (y,), output = inputs, outputs, self.primitive.output
        calls, x = site.cast("x", x, self.kind)
        yield from calls
        if self.kind == INT64:
            yield partial(self._round, x, y)
        else:
            yield partial(np.multiply, x, self.scale, y)
        if self.kind != INT64 and (self.shift > 0).any():
            yield partial(np.add, y, self.half, y)
            yield partial(np.floor, y, y)
        yield from site.clip(y, self.found, output, relu=not output.signed)

    def _round(self, x: Array, y: Array) -> None:
        y[...] = round_half_up(x, self.shift)


class ElementwiseKernel(Kernel):
    """Sum or product."""

    def __init__(self, primitive: Elementwise, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        a, b = given
        self.add = primitive.operation == "add"
        result = a.plus(b) if self.add else a.times(b)
        self.kind = exact_type(max(a.bound, b.bound, result.bound))
        self.outputs = (self.kind,)

    def emit(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        before, a = site.cast("a", inputs[0], self.kind)
        after, b = site.cast("b", inputs[1], self.kind)
        yield from (*before, *after)
        yield partial(np.add if self.add else np.multiply, a, b, outputs[0])


class RouteKernel(Kernel):
    """Concatenation, then a gather unless every element stays where it is."""

    def __init__(self, primitive: Route, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        self.kind = exact_type(max(x.bound for x in given))
        if self.outputs != (BOOL,):
            self.outputs = (self.kind,)
        self.order = np.array(primitive.order)
        self.plain = primitive.order == tuple(range(sum(primitive.sizes)))

    def emit(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        (y,), start = outputs, 0
        shape = (*y.shape[:-1], sum(self.primitive.sizes))
        joined = y if self.plain else site.scratch("joined", shape, y.dtype)
        for x in inputs:
            part = joined[..., start : start + x.shape[-1]]
            yield partial(np.copyto, part, x, casting="unsafe")
            start += x.shape[-1]
        if not self.plain:
            yield partial(np.take, joined, self.order, -1, y, "clip")


class CountKernel(Kernel):
    """Spikes summed over all steps of a block at once, in 8 bits."""

    def __init__(self, primitive: Count, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        self.outputs = (INT64,)

    def emit_block(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        n = site.state["n"]
        calls, x = site.cast("x", inputs[0], BOOL)
        total = site.scratch("total", n.shape, UINT8)
        yield from calls
        yield partial(np.add.reduce, x.view(UINT8), 0, None, total)
        yield partial(np.add, n, total, n)
        yield partial(np.copyto, outputs[0], n)
