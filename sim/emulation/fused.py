# SPDX-License-Identifier: Apache-2.0
"""Nodes of a program as one compiled loop: integers, of 32 bits where ranges prove that they do."""

from collections.abc import Callable
from typing import Any

import numpy as np

from spikewright.sim.elementwise import Elementwise
from spikewright.sim.emulation.compiled import Text
from spikewright.sim.emulation.exact import (
    INT64,
    Leak,
    Range,
    format_range,
    leaky_membrane,
    lif_membrane,
    requantized,
    synapse_membranes,
    tensor_range,
)
from spikewright.sim.emulation.learning import learned_bound
from spikewright.sim.emulation.sums import (
    FEW_COLUMNS,
    FEW_ROWS,
    write_few_columns,
    write_few_rows,
    write_product,
)
from spikewright.sim.event_matvec import EventMatVec
from spikewright.sim.leaky import LeakForm, Leaky
from spikewright.sim.learn import LEARNED, Learn
from spikewright.sim.lif import Lif
from spikewright.sim.matvec import MatVec
from spikewright.sim.ports import SPIKE
from spikewright.sim.primitive import Primitive, Tensors
from spikewright.sim.program import Node
from spikewright.sim.requantize import Requantize
from spikewright.sim.route import Route

INT32, UINT8 = np.dtype(np.int32), np.dtype(np.uint8)


def integer_type(bound: int) -> np.dtype[Any]:
    """32-bit integers where they hold ``bound``, else 64-bit ones."""
    return INT32 if bound < 1 << 31 else INT64


def clip_lines(name: str, kind: np.dtype[Any], found: Range, limit: Range) -> list[str]:
    """Lines that saturate a variable where its proved range goes beyond the limit."""
    lines = []
    if found.hi > limit.hi:
        lines.append(f"{name} = {kind}(min({name}, {kind}({limit.hi})))")
    if found.lo < limit.lo:
        lines.append(f"{name} = {kind}(max({name}, {kind}({limit.lo})))")
    return lines


class Writer:
    """Writes the lines of one node.

    Parameters
    ----------
    text : Text
    node : Node
    tensors : mapping of str to ndarray
    given : list of Range
        Of the inputs.
    kinds : list of dtype
        Of the outputs.
    """

    def __init__(
        self, text: Text, node: Node, tensors: Tensors, given: list[Range], kinds: list[Any]
    ):
        self.text, self.node, self.tensors = text, node, tensors
        self.given, self.kinds = given, kinds
        self.states: dict[str, np.dtype[Any]] = {}
        self._rows: dict[str, str] = {}

    def write(self, inputs: list[str], outputs: list[str]) -> None:
        """Write the node that reads and writes these rows."""
        WRITERS[type(self.node.primitive)](self, self.node.primitive, inputs, outputs)

    def matvec(self, p: MatVec, inputs: list[str], outputs: list[str]) -> None:
        """Sums of weight rows for spikes, of their products for other codes."""
        bias = None if p.bias is None else self.tensors[p.bias]
        what = self.text, self.tensors[p.weight], bias, self.kinds[0], inputs[0], outputs[0]
        spikes = p.input == SPIKE
        if not spikes and p.columns <= FEW_COLUMNS:
            write_few_columns(*what)
        elif spikes and p.rows <= FEW_ROWS:
            write_few_rows(*what)
        else:
            write_product(*what, spikes=spikes)

    def learn(self, p: Learn, inputs: list[str], outputs: list[str]) -> None:
        """Sums of weight rows, which change as they are summed."""
        text, (x, d), (y,) = self.text, inputs, outputs
        kind, fmt = integer_type(learned_bound(p)), p.weight_format
        rows = text.argument(np.ascontiguousarray(self.tensors[p.weight].T, kind))
        learned, index = self._state(LEARNED, kind), text.scratch(p.columns, INT64)
        text.each(p.rows, [f"{y}[j] = 0"])
        text.once(f"count = find_spikes({x}, {index})")
        text.once(f"learn_rows({rows}, {learned}, {index}, count, {d}, {fmt.lo}, {fmt.hi}, {y})")

    def requantize(self, p: Requantize, inputs: list[str], outputs: list[str]) -> None:
        """Shift left, add a half, shift right, saturate."""
        x, base = f"{inputs[0]}[j]", p.shifts[0]
        found = requantized(p, self.tensors, self.given[0])
        shift = np.array([base]) if p.shift is None else base + self.tensors[p.shift]
        half = np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0)
        bound = max(self.given[0].bound + int(half.max()), found.bound)
        kind = integer_type(bound)
        parts = np.maximum(-shift, 0), half, np.maximum(shift, 0)
        # Known shifts are worth more as numbers; those in a tensor may change.
        left, added, right = (
            f"{kind}({part[0]})" if p.shift is None else self.text.constant(part, kind)
            for part in parts
        )
        rounded = f"({kind}(q + {added}) >> {right})"
        if bound >= 1 << 63:
            # The half would overflow: what is lost of q has it, if q has it.
            rounded = f"((q >> {right}) + int64((q & {added}) != 0))"
        lines = [
            f"q = {kind}({kind}({x}) << {left})",
            f"q = {kind}{rounded}",
            *clip_lines("q", kind, found, format_range(p.output)),
            f"{outputs[0]}[j] = q",
        ]
        self.text.each(p.size, lines)

    def elementwise(self, p: Elementwise, inputs: list[str], outputs: list[str]) -> None:
        """Sum or product."""
        a, b = (f"{self.kinds[0]}({x}[j])" for x in inputs)
        sign = "+" if p.operation == "add" else "*"
        self.text.each(p.size, [f"{outputs[0]}[j] = {a} {sign} {b}"])

    def route(self, p: Route, inputs: list[str], outputs: list[str]) -> None:
        """Concatenate, then gather."""
        joined, start = self.text.scratch(sum(p.sizes), self.kinds[0]), 0
        for x, size in zip(inputs, p.sizes, strict=True):
            self.text.each(size, [f"{joined}[{start} + j] = {x}[j]"])
            start += size
        order = self.text.constant(np.array(p.order), INT64)
        self.text.each(len(p.order), [f"{outputs[0]}[j] = {joined}[{order}]"])

    def leaky(self, p: Leaky, inputs: list[str], outputs: list[str]) -> None:
        """Leak, add, saturate."""
        found = leaky_membrane(p, self.tensors, self.given[0])
        kind = integer_type(max(self._leak_bound(p.leak, p.leak_frac, found.reach), found.others))
        v = self._state("v", kind)
        lines = [
            f"u, i = {v}[j], {kind}({inputs[0]}[j])",
            *self._leak(p.leak, p.leak_frac, kind, after_input=p.leak_after_input),
            *clip_lines("w", kind, found.updated, format_range(p.membrane)),
            f"{v}[j] = w",
            f"{outputs[0]}[j] = w",
        ]
        self.text.each(p.size, lines)

    def lif(self, p: Lif, inputs: list[str], outputs: list[str]) -> None:
        """The steps of :class:`~spikewright.sim.lif.Lif`, those its options ask for."""
        found = lif_membrane(p, self.tensors, self.given[0])
        bound = self._leak_bound(p.leak, p.leak_frac, found.reach)
        if p.adaptation is not None and p.adaptation_leak is not None:
            a = format_range(p.adaptation)
            bound = max(bound, self._leak_bound(p.adaptation_leak, p.leak_frac, a))
        synapses = synapse_membranes(p, self.tensors, self.given[0])
        for (form, _), s in zip(p.synapses.values(), synapses, strict=True):
            bound = max(bound, self._leak_bound(form, p.leak_frac, s.reach))
        kind = integer_type(max(bound, found.others))
        v = self._state("v", kind)
        pending = self._state("pending", UINT8) if p.reset_next else ""
        lines = [f"i = {kind}({inputs[0]}[j])"]
        for (name, (form, fmt)), s in zip(p.synapses.items(), synapses, strict=True):
            row = self._state(name, kind)
            lines += [f"u = {row}[j]", *self._leak(form, p.leak_frac, kind, after_input=False)]
            lines += clip_lines("w", kind, s.updated, format_range(fmt))
            lines += [f"{row}[j] = w", "i = w"]
        lines.append(f"u = {v}[j]")
        if p.reset_next:
            lines += self._reset(p, kind, found.reset, "u", f"{pending}[j] != 0")
        lines += self._leak(p.leak, p.leak_frac, kind, after_input=p.leak_after_input)
        waiting = self._waiting(p, kind, lines)
        lines += clip_lines("w", kind, found.updated, format_range(p.membrane))
        if p.lower is not None:
            lines.append(f"w = {kind}(max(w, {kind}({p.lower})))")
        lines.append(self._fire(p, kind, waiting))
        seen = [f"{outputs[1]}[j] = w"] if p.voltage != "none" else []
        lines += seen if p.voltage == "before" else []
        if p.reset_next:
            lines.append(f"{pending}[j] = fire")
        else:
            lines += self._reset(p, kind, found.reset, "w", "fire")
        lines += seen if p.voltage == "after" else []
        if waiting:
            lines.append(f"{waiting}[j] = {p.refractory} if fire else max(left, 1) - 1")
        lines += [f"{v}[j] = w", f"{outputs[0]}[j] = fire"]
        self.text.each(p.size, [*lines, *self._adapt(p, kind)])

    def _state(self, key: str, kind: np.dtype[Any]) -> str:
        if key not in self.states:
            self.states[key] = kind
            self._rows[key] = self.text.state(self.node.name, key)
        return self._rows[key]

    def _waiting(self, p: Lif, kind: np.dtype[Any], lines: list[str]) -> str:
        """Row of refractory counters, if there are any, and the lines that hold ``v``."""
        if not p.refractory:
            return ""
        waiting = self._state("refractory", UINT8)
        held = f"{kind}(u + i)" if p.refractory_input == "keep" else "u"
        lines += [f"left = {waiting}[j]", f"w = {held} if left > 0 else w"]
        return waiting

    def _fire(self, p: Lif, kind: np.dtype[Any], waiting: str) -> str:
        threshold = self.text.constant(self.tensors[p.threshold], kind)
        if p.adaptation is not None:
            threshold = f"{kind}({threshold} + {self._state('a', kind)}[j])"
        fire = f"w {'>' if p.strict else '>='} {threshold}"
        return f"fire = ({fire}) & (left == 0)" if waiting else f"fire = {fire}"

    def _reset(
        self, p: Lif, kind: np.dtype[Any], found: Range, name: str, condition: str
    ) -> list[str]:
        if p.reset_name is None:
            return []
        reset = self.text.constant(self.tensors[p.reset_name], kind)
        if p.reset == "value":
            return [f"{name} = {reset} if {condition} else {name}"]
        return [
            f"r = {kind}({name} - {reset})",
            *clip_lines("r", kind, found, format_range(p.membrane)),
            f"{name} = r if {condition} else {name}",
        ]

    def _adapt(self, p: Lif, kind: np.dtype[Any]) -> list[str]:
        if p.adaptation is None or p.adaptation_leak is None:
            return []
        a, limit = self._state("a", kind), format_range(p.adaptation)
        step = self.text.constant(self.tensors[str(p.adaptation_step)], kind)
        return [
            f"u, i = {a}[j], {step} if fire else {kind}(0)",
            *self._leak(p.adaptation_leak, p.leak_frac, kind, after_input=False),
            *clip_lines("w", kind, Range(limit.lo - 1, limit.hi + 1), limit),
            f"{a}[j] = w",
        ]

    def _leak(
        self, form: LeakForm, frac: int, kind: np.dtype[Any], *, after_input: bool
    ) -> list[str]:
        """Lines for ``w``, what ``u`` becomes with the input ``i``."""
        leak = Leak.read(form, self.tensors, frac)
        code = self.text.constant((1 << leak.frac) - leak.keep, kind)
        half = (1 << leak.frac) >> 1 if leak.frac else 0
        return [
            f"old = {kind}(u + i)" if after_input else "old = u",
            f"lost = {kind}({code} * old)",
            f"lost = {kind}({kind}(lost + {kind}({half})) >> {kind}({leak.frac}))",
            f"w = {kind}(old - lost)" if after_input else f"w = {kind}({kind}(old - lost) + i)",
        ]

    def _leak_bound(self, form: LeakForm, frac: int, reach: Range) -> int:
        leak = Leak.read(form, self.tensors, frac)
        codes = tensor_range((1 << leak.frac) - leak.keep)
        lost = codes.times(reach)
        return max(lost.bound + (1 << leak.frac), reach.minus(lost).bound)


WRITERS: dict[type[Primitive], Callable[[Writer, Any, list[str], list[str]], None]] = {
    MatVec: Writer.matvec,
    EventMatVec: Writer.matvec,
    Requantize: Writer.requantize,
    Elementwise: Writer.elementwise,
    Route: Writer.route,
    Leaky: Writer.leaky,
    Learn: Writer.learn,
    Lif: Writer.lif,
}
"""How each type is written; a step that needs any other runs in NumPy."""
