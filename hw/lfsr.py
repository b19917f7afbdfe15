# SPDX-License-Identifier: Apache-2.0
"""The generator of :mod:`spikewright.sim.lfsr` in large strides, with short paths."""

from collections.abc import Callable

from amaranth import C, Cat, Value

from spikewright.sim.lfsr import ORDER, product, skip

GROUP = 4
"""Bits whose every parity is worked out first: what one lookup table takes."""


class Strides:
    """The generator's state in coordinates in which a stride of many bits is a short step.

    A stride ``A`` has a period of 2^31 - 1 as a single step has, so ``v, A v, A² v, ...`` are a
    basis for any state ``v``. In its coordinates a stride moves each one up, and adds the last to
    some of them: exclusive ors of two bits, where a stride of the state itself takes up to 31.

    Parameters
    ----------
    stride : int
        Bits that the generator moves on.
    """

    def __init__(self, stride: int):
        rows, basis = skip(stride), [1]
        for _ in range(ORDER):
            basis.append(_times(rows, basis[-1]))
        self.to_state = _transposed(basis[:ORDER])
        self.from_state = inverse(self.to_state)
        self.feedback = _times(self.from_state, basis[ORDER])

    def after(self, coordinates: Value) -> Value:
        """Coordinates of the state a stride later."""
        moved = Cat(C(0, 1), coordinates)[:ORDER]
        return moved ^ (coordinates[-1].replicate(ORDER) & C(self.feedback, ORDER))

    def of_state(self, state: Value) -> Value:
        """Coordinates of a state."""
        return combined(self.from_state, state)

    def skipped(self, coordinates: Value, bits: int) -> Value:
        """Coordinates of the state any number of bits later."""
        rows = product(self.from_state, product(skip(bits), self.to_state))
        return combined(rows, coordinates)

    def rows_of(self, bits: int, low: int) -> tuple[int, ...]:
        """Which coordinates add up to each of the lowest bits of the state some bits later."""
        return product(skip(bits)[:low], self.to_state)


def combined(rows: tuple[int, ...], value: Value) -> Value:
    """A matrix over GF(2) times bits, in one cycle."""
    return Cat(Cat(bit for k, bit in enumerate(value) if row >> k & 1).xor() for row in rows)


class Parities:
    """Matrices over GF(2) times the same bits, in two halves with a register between them.

    Parameters
    ----------
    value : Value
    hold : callable
        Returns a bit a cycle later.
    """

    def __init__(self, value: Value, hold: Callable[[Value], Value]):
        self.value = value
        self.hold = hold
        self.known: dict[int, Value] = {}

    def combined(self, rows: tuple[int, ...]) -> Value:
        """A matrix times the bits of a cycle ago: first parities of four bits, then of those."""
        return Cat(self._sum(row) for row in rows)

    def _sum(self, row: int) -> Value:
        masks = [row & ((1 << GROUP) - 1) << start for start in range(0, ORDER, GROUP)]
        return Cat(self._parity(mask) for mask in masks if mask).xor()

    def _parity(self, mask: int) -> Value:
        if mask not in self.known:
            self.known[mask] = self.hold(combined((mask,), self.value))
        return self.known[mask]


def inverse(rows: tuple[int, ...]) -> tuple[int, ...]:
    """Inverse of a regular matrix over GF(2)."""
    order = len(rows)
    left, right = list(rows), [1 << k for k in range(order)]
    for k in range(order):
        pivot = next(j for j in range(k, order) if left[j] >> k & 1)
        for both in (left, right):
            both[k], both[pivot] = both[pivot], both[k]
        for j in range(order):
            if j != k and left[j] >> k & 1:
                left[j] ^= left[k]
                right[j] ^= right[k]
    return tuple(right)


def _times(rows: tuple[int, ...], state: int) -> int:
    return sum(((row & state).bit_count() & 1) << k for k, row in enumerate(rows))


def _transposed(columns: list[int]) -> tuple[int, ...]:
    return tuple(
        sum((column >> k & 1) << j for j, column in enumerate(columns)) for k in range(ORDER)
    )
