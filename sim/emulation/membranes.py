# SPDX-License-Identifier: Apache-2.0
"""Leaky and Lif as NumPy calls bound beforehand; see :mod:`spikewright.sim.emulation.kernels`."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from spikewright.sim.emulation.exact import (
    INT64,
    Leak,
    Range,
    exact_type,
    format_range,
    leaky_membrane,
    lif_membrane,
    synapse_membranes,
)
from spikewright.sim.emulation.kernels import BOOL, Array, Call, Kernel, Site, uniform
from spikewright.sim.leaky import LeakForm, Leaky
from spikewright.sim.lif import Lif
from spikewright.sim.primitive import Tensors

UINT8 = np.dtype(np.uint8)


class _Leak:
    """``v - round(λ v) + i`` as a product, a sum and a floor."""

    def __init__(self, leak: Leak, kind: np.dtype[Any]):
        # Integers count in units of 2^-frac, floats have the scale in their exponent.
        self.frac = np.array(leak.frac) if kind == INT64 else None
        scale = 1.0 if kind == INT64 else 2.0**-leak.frac
        self.rounds = leak.frac > 0
        self.keep = uniform(leak.keep * scale, kind)
        self.offset = np.array(leak.offset * scale, kind)

    def scaled(self, site: Site, name: str, i: Array) -> tuple[list[Call], Array]:
        """Calls for the input as ``emit`` takes it: scaled, with the offset added."""
        if not self.rounds:
            return [], i
        ready = site.scratch(name, i.shape, i.dtype)
        calls: list[Call] = []
        if self.frac is not None:
            calls.append(partial(np.left_shift, i, self.frac, ready))
            i = ready
        return [*calls, partial(np.add, i, self.offset, ready)], ready

    def floor(self, u: Array, result: Array) -> Call:
        """Call that drops the fraction bits."""
        if self.frac is not None:
            return partial(np.right_shift, u, self.frac, result)
        return partial(np.floor, u, result)

    def emit(self, v: Array, u: Array, i: Array | None = None) -> Iterator[Call]:
        """Calls for ``u``, the leaked ``v``, to which the scaled ``i`` is added."""
        yield partial(np.multiply, v, self.keep, u)
        if i is not None:
            yield partial(np.add, u, i, u)
        elif self.offset:
            yield partial(np.add, u, self.offset, u)
        if self.rounds:
            yield self.floor(u, u)


class _MembraneKernel(Kernel):
    """What Leaky and Lif share: the input, converted for all steps at once, and the update."""

    leak: _Leak
    kind: np.dtype[Any]
    updated: Range
    entry: _Leak | None
    """Leak that the input is scaled for; ``None`` if the sum comes before the leak."""

    def state(self, batch: int) -> dict[str, Array]:
        return {name: v.astype(self.kind) for name, v in super().state(batch).items()}

    def emit(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        calls, i = self._input(site, inputs[0])
        yield from (*calls, *self.emit_step(site, i, outputs))

    def emit_block(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        calls, current = self._input(site, inputs[0])
        yield from calls
        for i, *rows in zip(current, *outputs, strict=True):
            yield from self.emit_step(site, i, rows)

    @abstractmethod
    def emit_step(self, site: Site, i: Array, outputs: list[Array]) -> Iterator[Call]:
        """Calls for one step, given the input as :meth:`_Leak.scaled` makes it."""

    def _input(self, site: Site, i: Array) -> tuple[list[Call], Array]:
        calls, i = site.cast("i", i, self.kind)
        if self.entry is None:
            return calls, i
        held = i.ndim == 3 and i.strides[0] == 0
        scaling, ready = self.entry.scaled(site, "ready", i[:1] if held else i)
        return [*calls, *scaling], np.broadcast_to(ready, i.shape) if held else ready

    def _update(self, site: Site, v: Array, i: Array, u: Array) -> Iterator[Call]:
        if self.primitive.leak_after_input:
            yield partial(np.add, v, i, u)
            yield from self.leak.emit(u, u)
        else:
            yield from self.leak.emit(v, u, i)


class LeakyKernel(_MembraneKernel):
    """Leak, add, saturate."""

    def __init__(self, primitive: Leaky, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        found = leaky_membrane(primitive, tensors, given[0])
        leak = Leak.read(primitive.leak, tensors, primitive.leak_frac)
        self.kind = exact_type(max(leak.bound(found.reach, found.i), found.others))
        self.outputs = (self.kind,)
        self.updated = found.updated
        self.leak = _Leak(leak, self.kind)
        self.entry = None if primitive.leak_after_input else self.leak

    def emit_step(self, site: Site, i: Array, outputs: list[Array]) -> Iterator[Call]:
        v = site.state["v"]
        yield from self._update(site, v, i, v)
        yield from site.clip(v, self.updated, self.primitive.membrane)
        yield partial(np.copyto, outputs[0], v)


class LifKernel(_MembraneKernel):
    """The steps of :class:`~spikewright.sim.lif.Lif`, those its options ask for."""

    def __init__(self, primitive: Lif, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        self.found = found = lif_membrane(primitive, tensors, given[0])
        leak = self._read(primitive.leak)
        synapses = [
            (name, self._read(form), membrane)
            for (name, (form, _)), membrane in zip(
                primitive.synapses.items(),
                synapse_membranes(primitive, tensors, given[0]),
                strict=True,
            )
        ]
        bounds = [pole.bound(membrane.reach, membrane.i) for _, pole, membrane in synapses]
        self.kind = exact_type(max([leak.bound(found.reach, found.i), found.others, *bounds]))
        self.outputs = (BOOL, self.kind)[: len(self.outputs)]
        self.updated = found.updated
        self.leak = _Leak(leak, self.kind)
        self.after = None if primitive.leak_after_input else self.leak
        self.synapses = [(name, _Leak(pole, self.kind), m) for name, pole, m in synapses]
        self.entry = self.synapses[0][1] if self.synapses else self.after
        self.threshold = self._constant(primitive.threshold)
        self.reset = None if primitive.reset_name is None else self._constant(primitive.reset_name)
        if primitive.adaptation_leak is not None:
            self.adaptation_leak = _Leak(self._read(primitive.adaptation_leak), self.kind)
            self.adaptation_step = self._constant(str(primitive.adaptation_step))

    def _read(self, form: LeakForm) -> Leak:
        return Leak.read(form, self.tensors, self.primitive.leak_frac)

    def _constant(self, name: str) -> Array:
        return uniform(self.tensors[name], self.kind)

    def state(self, batch: int) -> dict[str, Array]:
        kinds = {"pending": BOOL, "refractory": UINT8}
        return {n: v.astype(kinds.get(n, v.dtype)) for n, v in super().state(batch).items()}

    def emit_step(self, site: Site, i: Array, outputs: list[Array]) -> Iterator[Call]:
        p, v, spike = self.primitive, site.state["v"], outputs[0]
        calls, i = self._integrate(site, i)
        yield from calls
        if p.reset_next:
            yield from self._reset(site, v, site.state["pending"])
        u = site.scratch("u", v.shape, self.kind) if p.refractory else v
        yield from self._update(site, v, i, u)
        waiting = site.scratch("waiting", v.shape, BOOL)
        if p.refractory:
            yield from self._wait(site, v, i, u, waiting)
        yield from site.clip(u, self.updated, p.membrane)
        if p.lower is not None:
            yield partial(np.maximum, u, np.array(p.lower, self.kind), out=u)
        yield from self._fire(site, u, spike)
        if p.refractory:
            yield partial(np.greater, spike, waiting, spike)
        if p.voltage == "before":
            yield partial(np.copyto, outputs[1], u)
        if p.reset_next:
            yield partial(np.copyto, site.state["pending"], spike)
        else:
            yield from self._reset(site, u, spike)
        if p.voltage == "after":
            yield partial(np.copyto, outputs[1], u)
        if p.refractory:
            left = site.state["refractory"]
            yield partial(np.subtract, left, waiting.view(UINT8), left)
            yield partial(np.copyto, left, np.uint8(p.refractory), where=spike)
            yield partial(np.copyto, v, u)
        if p.adaptation is not None:
            yield from self._adapt(site, spike)

    def _integrate(self, site: Site, i: Array) -> tuple[list[Call], Array]:
        """Calls for the synapse, whose last current is then scaled for the membrane's leak."""
        calls: list[Call] = []
        following = [*(leak for _, leak, _ in self.synapses[1:]), self.after]
        for (name, leak, membrane), after in zip(self.synapses, following, strict=False):
            s = site.state[name]
            calls += leak.emit(s, s, i)
            calls += site.clip(s, membrane.updated, self.primitive.synapse)
            scaling, i = ([], s) if after is None else after.scaled(site, f"{name} ready", s)
            calls += scaling
        return calls, i

    def _wait(self, site: Site, v: Array, i: Array, u: Array, waiting: Array) -> Iterator[Call]:
        yield partial(np.greater, site.state["refractory"], np.uint8(0), waiting)
        if self.primitive.refractory_input == "keep":
            if self.leak.rounds and self.after is not None:
                plain = site.scratch("plain", v.shape, self.kind)
                yield self.leak.floor(i, plain)
                i = plain
            yield partial(np.add, v, i, v)
        yield partial(np.copyto, u, v, where=waiting)

    def _fire(self, site: Site, v: Array, spike: Array) -> Iterator[Call]:
        threshold = self.threshold
        if self.primitive.adaptation is not None:
            threshold = site.scratch("threshold", v.shape, self.kind)
            yield partial(np.add, site.state["a"], self.threshold, threshold)
        compare = np.greater if self.primitive.strict else np.greater_equal
        yield partial(compare, v, threshold, spike)

    def _reset(self, site: Site, v: Array, where: Array) -> Iterator[Call]:
        if self.reset is None:
            return
        if self.primitive.reset == "value":
            yield partial(np.copyto, v, self.reset, where=where)
        else:
            yield partial(np.subtract, v, self.reset, v, where=where)
            yield from site.clip(v, self.found.reset, self.primitive.membrane)

    def _adapt(self, site: Site, spike: Array) -> Iterator[Call]:
        a, fmt = site.state["a"], self.primitive.adaptation
        yield from self.adaptation_leak.emit(a, a)
        yield partial(np.add, a, self.adaptation_step, a, where=spike)
        limit = format_range(fmt)
        yield partial(np.minimum, a, np.array(limit.hi, self.kind), out=a)
        yield partial(np.maximum, a, np.array(limit.lo, self.kind), out=a)
