# SPDX-License-Identifier: Apache-2.0
"""Activations of straight pieces, by arithmetic."""

from dataclasses import dataclass

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat, round_half_up
from spikewright.sim.ports import Port
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors, check_choice

FUNCTIONS = ("leaky_relu", "hard_tanh", "sign")


@dataclass(frozen=True, kw_only=True)
class Activation(Primitive):
    """``y = saturate(round(f(x)))`` of the exact ``f(x)``, rounding half up.

    ========== =============================================================
    function   f(x)
    ========== =============================================================
    leaky_relu ``x`` if ``x >= 0``, else ``λ x`` with ``λ`` the sum of ``2^-s``
    hard_tanh  ``x`` cut to the range from -1 to 1
    sign       1 if ``x >= 0``, else -1
    ========== =============================================================

    ReLU itself is a :class:`~spikewright.sim.requantize.Requantize` to an unsigned format, and
    curves are a :class:`~spikewright.sim.lookup.Lookup`.

    Parameters
    ----------
    size : int
    input, output : QFormat
    function : "leaky_relu", "hard_tanh" or "sign"
    slope : tuple of int
        Shifts ``s`` of a leaky ReLU, 1 to 31, ascending: ``(3, 5)`` is a slope of 5/32.

    Raises
    ------
    FormatError
        If the slope does not suit the function, codes could move beyond 64 bits, or the output of a
        sign does not hold -1 and 1.
    """

    size: int
    input: QFormat
    output: QFormat
    function: str
    slope: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_choice("Activation function", self.function, FUNCTIONS)
        if (self.function == "leaky_relu") != bool(self.slope):
            raise FormatError(
                "Activation slope must be given for a leaky_relu and for nothing else, "
                f"not {self.slope} for a {self.function}"
            )
        if list(self.slope) != sorted({s for s in self.slope if 1 <= s <= 31}):
            raise FormatError(
                f"Activation slope must be shifts between 1 and 31, ascending, not {self.slope}"
            )
        if self.function == "sign" and not self._holds_ones():
            raise FormatError(
                f"Activation sign must have an output that holds -1 and 1, not {self.output}"
            )
        if self.function == "hard_tanh" and self.output.frac < 0:
            raise FormatError(
                "Activation hard_tanh must have an output with at least 0 fraction bits, "
                f"not {self.output}"
            )
        if self.input.width + self.extra - min(self.shift, 0) > 64 or self.shift > 63:
            raise FormatError(
                f"Activation from {self.input} to {self.output} must fit in 64 bits "
                f"with a shift of {self.shift}"
            )

    def _holds_ones(self) -> bool:
        one = 1 << max(self.output.frac, 0)
        return self.output.frac >= 0 and self.output.lo <= -one < one <= self.output.hi

    @property
    def extra(self) -> int:
        """Fraction bits that the slope adds to the input's."""
        return max(self.slope, default=0)

    @property
    def shift(self) -> int:
        """Bits to drop at the end."""
        return self.input.frac + self.extra - self.output.frac

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest output code."""
        lo, hi = self.output.lo, self.output.hi
        if self.function == "leaky_relu":
            return lo, hi
        one = 1 << self.output.frac
        return max(lo, -one), min(hi, one)

    def ports(self) -> Ports:
        return Ports(
            {"x": Port(size=self.size, format=self.input)},
            {"y": Port(size=self.size, format=self.output)},
        )

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (x,) = inputs
        lo, hi = self.bounds
        if self.function == "sign":
            return state, (np.where(x >= 0, hi, lo),)
        if self.slope:
            code = sum(1 << (self.extra - s) for s in self.slope)
            x = np.where(x >= 0, x << self.extra, x * code)
        return state, (np.clip(round_half_up(x, self.shift), lo, hi),)
