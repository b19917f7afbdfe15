# SPDX-License-Identifier: Apache-2.0
"""Proved ranges of streams, and from them the fastest number type that is still exact.

A float32 holds every integer up to 2^24 and a float64 up to 2^53, and scaling by a power of two
changes no digit. Arithmetic whose every intermediate is an integer (or one scaled by a fixed power
of two) within that limit is exact, in whatever order a BLAS library sums.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import LeakForm, Leaky, leak_codes
from spikewright.sim.lif import Lif
from spikewright.sim.primitive import Codes, Tensors
from spikewright.sim.requantize import Requantize

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
INT64 = np.dtype(np.int64)

FLOAT32_LIMIT = 1 << 24
"""Largest integer up to which a float32 holds all integers."""

FLOAT64_LIMIT = 1 << 53
"""Largest integer up to which a float64 holds all integers."""


class Range(NamedTuple):
    """Integers from ``lo`` to ``hi``, both included."""

    lo: int
    hi: int

    @property
    def bound(self) -> int:
        """Largest magnitude."""
        return max(abs(self.lo), abs(self.hi))

    def join(self, *others: "Range") -> "Range":
        """Smallest range that holds this one and the others."""
        return Range(min(self.lo, *(o.lo for o in others)), max(self.hi, *(o.hi for o in others)))

    def meet(self, limit: "Range") -> "Range":
        """Where saturation at ``limit`` leads."""
        return Range(min(max(self.lo, limit.lo), limit.hi), max(min(self.hi, limit.hi), limit.lo))

    def plus(self, other: "Range") -> "Range":
        """Range of sums."""
        return Range(self.lo + other.lo, self.hi + other.hi)

    def minus(self, other: "Range") -> "Range":
        """Range of differences."""
        return Range(self.lo - other.hi, self.hi - other.lo)

    def times(self, other: "Range") -> "Range":
        """Range of products."""
        corners = [a * b for a in self for b in other]
        return Range(min(corners), max(corners))


def exact_type(bound: int) -> np.dtype[Any]:
    """Fastest number type that is exact for integers up to ``bound``.

    Examples
    --------
    >>> [exact_type(bound).name for bound in (2**24, 2**24 + 1, 2**53 + 1)]
    ['float32', 'float64', 'int64']
    """
    if bound <= FLOAT32_LIMIT:
        return FLOAT32
    return FLOAT64 if bound <= FLOAT64_LIMIT else INT64


def format_range(fmt: QFormat) -> Range:
    """All codes of a format."""
    return Range(fmt.lo, fmt.hi)


def tensor_range(codes: Codes) -> Range:
    """Smallest and largest element."""
    return Range(int(codes.min()), int(codes.max()))


def sums_range(weight: Codes, bias: Codes | None, x: Range) -> Range:
    """Range of every sum of any terms of ``W x + b``: results and all partial sums in any order.

    Parameters
    ----------
    weight : (rows, columns) ndarray
    bias : (rows,) ndarray or None
    x : Range
        Of each element of the input.
    """
    lo, hi = min(x.lo, 0), max(x.hi, 0)
    positive = np.maximum(weight, 0).sum(axis=1).tolist()
    negative = np.minimum(weight, 0).sum(axis=1).tolist()
    offsets = [0] * len(weight) if bias is None else bias.tolist()
    rows = list(zip(positive, negative, offsets, strict=True))
    return Range(
        min(p * lo + n * hi + min(b, 0) for p, n, b in rows),
        max(p * hi + n * lo + max(b, 0) for p, n, b in rows),
    )


def rounded(x: Range, shift: int) -> Range:
    """Range after dropping ``shift`` bits, rounding half up (a negative shift multiplies)."""
    if shift <= 0:
        return Range(x.lo << -shift, x.hi << -shift)
    half = 1 << (shift - 1)
    return Range((x.lo + half) >> shift, (x.hi + half) >> shift)


def requantized(primitive: Requantize, tensors: Tensors, x: Range) -> Range:
    """Range of a Requantize before it saturates."""
    own = Range(0, 0) if primitive.shift is None else tensor_range(tensors[primitive.shift])
    lo, hi = (primitive.shifts[0] + extra for extra in own)
    return rounded(x, lo).join(rounded(x, hi))


class Leak(NamedTuple):
    """Leak ``v - round(λ v)`` as ``(keep · v + offset) >> frac``, with as few bits as can be."""

    keep: Codes
    offset: int
    frac: int

    @classmethod
    def of(cls, codes: Codes, frac: int) -> "Leak":
        """Leak of λ codes in Q0.``frac``: bits that are 0 in every code are left out."""
        used = int(np.bitwise_or.reduce(codes)) | 1 << frac
        spare = (used & -used).bit_length() - 1
        frac -= spare
        # v - ((λv + h) >> f) = (v(2^f - λ) - h + 2^f - 1) >> f, and h = 2^(f-1).
        offset = (1 << (frac - 1)) - 1 if frac else 0
        return cls((1 << frac) - (codes >> spare), offset, frac)

    @classmethod
    def read(cls, form: LeakForm, tensors: Tensors, frac: int) -> "Leak":
        """Leak of a tensor's codes or of shifts."""
        return cls.of(leak_codes(form, tensors, frac), frac)

    def scaled(self, v: Range) -> Range:
        """Range of ``keep · v + offset``."""
        return tensor_range(self.keep).times(v).plus(Range(self.offset, self.offset))

    def after(self, v: Range) -> Range:
        """Range of the result."""
        scaled = self.scaled(v)
        return Range(scaled.lo >> self.frac, scaled.hi >> self.frac)

    def bound(self, v: Range, i: Range) -> int:
        """Largest intermediate of ``keep · v + (i · 2^frac + offset)``, in units of 2^-frac."""
        return self.scaled(v).bound + (i.bound << self.frac) + 2 * self.offset + 1


def settle(limit: Range, step: Callable[[Range], Range]) -> Range:
    """A range around 0 that ``step``, then saturation at ``limit``, maps into itself.

    Bounds that still move are doubled, so it takes at most a few rounds for each bit.
    """
    now = Range(0, 0)
    while True:
        new = now.join(step(now).meet(limit))
        if new == now:
            return now
        lo = new.lo if new.lo == now.lo else 2 * new.lo
        hi = new.hi if new.hi == now.hi else 2 * new.hi
        now = Range(max(lo, limit.lo), min(hi, limit.hi))


class Membrane(NamedTuple):
    """What is proved about a Lif or Leaky: ranges, and the largest intermediate."""

    i: Range
    """What is integrated."""
    v: Range
    reach: Range
    """What the leak is computed of."""
    updated: Range
    """Before the membrane saturates."""
    reset: Range
    """After a subtracting reset, before the membrane saturates."""
    others: int
    """Largest intermediate beside those of the leak."""


def leaky_membrane(primitive: Leaky, tensors: Tensors, i: Range) -> Membrane:
    """Ranges of a Leaky given its input's."""
    leak = Leak.read(primitive.leak, tensors, primitive.leak_frac)
    return _pole(leak, primitive.membrane, i, after_input=primitive.leak_after_input)


def _pole(leak: Leak, fmt: QFormat, i: Range, *, after_input: bool) -> Membrane:
    def update(v: Range) -> Range:
        return _leaked(leak, v, i, after_input=after_input)

    v = settle(format_range(fmt), update)
    reach = v.join(v.plus(i))
    return Membrane(i, v, reach, update(v), v, max(update(v).bound, i.bound))


def synapse_membranes(primitive: Lif, tensors: Tensors, i: Range) -> list[Membrane]:
    """Ranges of each state that a Lif's synapse has, in order, given those of its input."""
    found: list[Membrane] = []
    for form, fmt in primitive.synapses.values():
        leak = Leak.read(form, tensors, primitive.leak_frac)
        found.append(_pole(leak, fmt, found[-1].v if found else i, after_input=False))
    return found


def _leaked(leak: Leak, v: Range, i: Range, *, after_input: bool) -> Range:
    return leak.after(v.plus(i)) if after_input else leak.after(v).plus(i)


def lif_membrane(primitive: Lif, tensors: Tensors, i: Range) -> Membrane:
    """Ranges of a Lif's membrane given its input's; of its synapse, only the intermediates."""
    p = primitive
    synapses = synapse_membranes(p, tensors, i)
    i = synapses[-1].v if synapses else i
    limit = format_range(p.membrane)
    leak = Leak.read(p.leak, tensors, p.leak_frac)
    zero = Range(0, 0)
    a, a_bound = _adaptation(p, tensors)
    threshold = tensor_range(tensors[p.threshold]).plus(a)
    reset = zero if p.reset_name is None else tensor_range(tensors[p.reset_name])

    def fired(v: Range) -> Range:
        if p.reset == "value":
            return reset
        firing = Range(max(v.lo, threshold.lo), v.hi) if not p.reset_next else v
        return v if p.reset == "none" or firing.lo > firing.hi else firing.minus(reset)

    def update(v: Range) -> Range:
        v = v.join(fired(v).meet(limit)) if p.reset_next else v
        kept = v.plus(i) if p.refractory_input == "keep" else v
        new = _leaked(leak, v, i, after_input=p.leak_after_input)
        return new.join(kept) if p.refractory else new

    def step(v: Range) -> Range:
        v = update(v).meet(limit)
        v = v if p.lower is None else Range(max(v.lo, p.lower), max(v.hi, p.lower))
        if p.reset == "none" or p.reset_next:
            return v
        silent = v if p.refractory else Range(min(v.lo, threshold.hi), min(v.hi, threshold.hi))
        return silent.join(fired(v).meet(limit))

    v = settle(limit, step)
    updated = update(v)
    before = updated.meet(limit).join(v)
    if p.lower is not None:
        before = before.join(Range(p.lower, p.lower))
    after = fired(before) if p.reset == "subtract" else before.meet(limit)
    reach = before.join(fired(before).meet(limit))
    reach = reach.join(reach.plus(i))
    others = max(updated.bound, after.bound, threshold.bound, a_bound, reset.bound, i.bound)
    others = max([others, *(s.others for s in synapses)])
    return Membrane(i, v.join(before), reach, updated, after, others)


def _adaptation(p: Lif, tensors: Tensors) -> tuple[Range, int]:
    if p.adaptation is None or p.adaptation_leak is None:
        return Range(0, 0), 0
    leak = Leak.read(p.adaptation_leak, tensors, p.leak_frac)
    step = tensor_range(tensors[str(p.adaptation_step)]).join(Range(0, 0))
    a = format_range(p.adaptation)
    return a, max(leak.bound(a, step), a.bound, leak.after(a).plus(step).bound)
