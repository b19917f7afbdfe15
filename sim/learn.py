# SPDX-License-Identifier: Apache-2.0
"""Event-driven product whose weights learn from an error: the delta rule, PES."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat, format_for
from spikewright.sim.matvec import MAX_PARAMETER_WIDTH
from spikewright.sim.ports import SPIKE, Kind, Port
from spikewright.sim.primitive import (
    Codes,
    Ports,
    Primitive,
    State,
    Tensors,
    TensorSpec,
    check_range,
)

LEARNED = "learned"
"""Key of the state: what was added to the program's weights, (batch, rows, columns)."""


@dataclass(frozen=True, kw_only=True)
class Learn(Primitive):
    """``y = W s``, then ``W[:, j] ← saturate(W[:, j] + d)`` for every spike ``j``.

    With ``d = -η · error`` it is the delta rule on spikes, the prescribed error sensitivity rule
    (PES). ``y`` is of the weights as they were when the step began; what a step writes is read from
    the next step on. No multipliers.

    A batch's rows learn each by itself, from the program's weights, so the state is what was
    learned: the weights are the tensor plus ``state["learned"]``, a sum that never leaves
    ``weight_format``. Frames would have to learn one after the other, so a program that learns is
    a stream.

    Parameters
    ----------
    rows, columns : int
        Elements of ``y`` and ``d``, and of ``x``; ``W`` has shape (rows, columns).
    weight : str
        Name of the weight tensor, which no other node may read.
    weight_format : QFormat
        Format of the weights, at most 32 bits.
    change : QFormat
        Format of ``d``, the change for each spike: signed, with the weights' fraction bits, and no
        wider than they are.

    Raises
    ------
    FormatError
        If a size is not positive, the weights are wider than 32 bits, the accumulator is wider
        than 64, or the change is unsigned, too wide or of other fraction bits.

    References
    ----------
    .. [1] D. MacNeil and C. Eliasmith, "Fine-tuning and the stability of recurrent neural
       networks", PLoS ONE 6(9), e22885, 2011.
    """

    rows: int
    columns: int
    weight: str
    weight_format: QFormat
    change: QFormat

    per_step: ClassVar[bool] = True
    serial: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for what, size in (("rows", self.rows), ("columns", self.columns)):
            if size < 1:
                raise FormatError(f"Learn {what} must be a positive integer, not {size!r}")
        check_range("Weight width", self.weight_format.width, 1, MAX_PARAMETER_WIDTH)
        if not self.change.signed:
            raise FormatError(f"Learn change must be signed, not {self.change}: requantize it")
        if self.change.frac != self.weight_format.frac:
            raise FormatError(
                f"Learn change must have the weights' {self.weight_format.frac} fraction bits, "
                f"not {self.change.frac}: requantize it"
            )
        if self.change.width > self.weight_format.width:
            raise FormatError(
                f"Learn change must be no wider than the weights' {self.weight_format.width} bits, "
                f"not {self.change.width}: requantize it"
            )
        _ = self.accumulator

    @property
    def accumulator(self) -> QFormat:
        """Narrowest format that holds every sum the formats allow, partial sums included."""
        fmt, columns = self.weight_format, self.columns
        return format_for(columns * min(0, fmt.lo), columns * fmt.hi, fmt.frac)

    @property
    def learns(self) -> str | None:
        return self.weight

    def ports(self) -> Ports:
        return Ports(
            {
                "x": Port(size=self.columns, format=SPIKE, kind=Kind.EVENT),
                "d": Port(size=self.rows, format=self.change),
            },
            {"y": Port(size=self.rows, format=self.accumulator)},
        )

    def tensors(self) -> dict[str, TensorSpec]:
        return {self.weight: TensorSpec((self.rows, self.columns), self.weight_format)}

    def init_state(self, batch: int) -> State:
        return {LEARNED: np.zeros((batch, self.rows, self.columns), np.int64)}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        x, d = inputs
        weights = tensors[self.weight] + state[LEARNED]
        y = (weights @ x[:, :, None])[:, :, 0]
        changed = self.weight_format.saturate(weights + d[:, :, None])
        new = np.where(x[:, None, :] != 0, changed, weights)
        return {LEARNED: new - tensors[self.weight]}, (y,)
