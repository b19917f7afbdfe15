# SPDX-License-Identifier: Apache-2.0
"""Scale, round and saturate."""

from dataclasses import dataclass

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat, round_half_up
from spikewright.sim.ports import Port
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors, TensorSpec

SHIFT_FORMAT = QFormat(width=4, signed=False)
"""Format of a channel's own shift: 0 to 15 bits more than the layer's."""


@dataclass(frozen=True, kw_only=True)
class Requantize(Primitive):
    """Move codes to another format: ``y = saturate(round((x · 2^-shift)))``, rounding half up.

    The shift is ``input.frac - output.frac``, plus the channel's own where a ``shift`` tensor is
    named; a negative one multiplies. An unsigned output saturates at zero below: that is ReLU.

    Parameters
    ----------
    size : int
    input, output : QFormat
    shift : str or None
        Name of a tensor of shape (size,) with the extra shift of each channel, in bits.

    Raises
    ------
    FormatError
        If a shift could move codes beyond 64 bits.
    """

    size: int
    input: QFormat
    output: QFormat
    shift: str | None = None

    def __post_init__(self) -> None:
        lo, hi = self.shifts
        width = self.input.width + (not self.input.signed)
        if width - min(lo, 0) > 64 or hi > 63:
            raise FormatError(
                f"Requantize from {self.input} to {self.output} must fit in 64 bits "
                f"with shifts of {lo} to {hi}"
            )

    @property
    def shifts(self) -> tuple[int, int]:
        """Smallest and largest total shift, in bits."""
        base = self.input.frac - self.output.frac
        if self.shift is None:
            return base, base
        return base + SHIFT_FORMAT.lo, base + SHIFT_FORMAT.hi

    def ports(self) -> Ports:
        return Ports(
            {"x": Port(size=self.size, format=self.input)},
            {"y": Port(size=self.size, format=self.output)},
        )

    def tensors(self) -> dict[str, TensorSpec]:
        return {} if self.shift is None else {self.shift: TensorSpec((self.size,), SHIFT_FORMAT)}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (x,) = inputs
        own = np.int64(0) if self.shift is None else tensors[self.shift]
        return state, (self.output.saturate(round_half_up(x, self.shifts_for(own))),)

    def shifts_for(self, own: Codes | np.int64) -> Codes | np.int64:
        """Total shift of channels whose own shift is ``own``."""
        return self.input.frac - self.output.frac + own
