# SPDX-License-Identifier: Apache-2.0
"""Dense matrix-vector product."""

from dataclasses import dataclass
from typing import ClassVar

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat, format_for
from spikewright.sim.ports import Port
from spikewright.sim.primitive import (
    Codes,
    Ports,
    Primitive,
    State,
    Tensors,
    TensorSpec,
    check_range,
    tensor_table,
)

MAX_PARAMETER_WIDTH = 32
"""Widest parameter, in bits: one word of the host's parameter port."""


@dataclass(frozen=True, kw_only=True)
class MatVec(Primitive):
    """Matrix-vector product ``y = W x + b`` with an accumulator that cannot overflow.

    Parameters
    ----------
    rows, columns : int
        Elements of ``y`` and of ``x``; ``W`` has shape (rows, columns), ``b`` has shape (rows,).
    input : QFormat
        Format of ``x``.
    weight_format : QFormat
        Format of the weights, at most 32 bits.
    weight : str
        Name of the weight tensor.
    bias : str or None
        Name of the bias tensor; its codes have the fraction bits of the product.
    bias_width : int
        Bits of a bias code, at most 32.

    Raises
    ------
    FormatError
        If a size is not positive, a parameter is wider than 32 bits or the accumulator than
        64, or weights and biases have one name.
    """

    rows: int
    columns: int
    input: QFormat
    weight_format: QFormat
    weight: str
    bias: str | None = None
    bias_width: int = MAX_PARAMETER_WIDTH

    serial: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for what, size in (("rows", self.rows), ("columns", self.columns)):
            if size < 1:
                raise FormatError(
                    f"{type(self).__name__} {what} must be a positive integer, not {size!r}"
                )
        check_range("Weight width", self.weight_format.width, 1, MAX_PARAMETER_WIDTH)
        check_range("Bias width", self.bias_width, 1, MAX_PARAMETER_WIDTH)
        _ = self.accumulator, self.tensors()

    @property
    def bias_format(self) -> QFormat:
        """Format of the bias: fraction bits of the product."""
        return QFormat(width=self.bias_width, frac=self.input.frac + self.weight_format.frac)

    @property
    def accumulator(self) -> QFormat:
        """Narrowest format that holds every sum the formats allow, partial sums included."""
        weight, x, bias = self.weight_format, self.input, self.bias_format
        products = [w * code for w in (weight.lo, weight.hi) for code in (x.lo, x.hi)]
        lo, hi = (0, 0) if self.bias is None else (bias.lo, bias.hi)
        return format_for(
            self.columns * min(0, *products) + lo, self.columns * max(0, *products) + hi, bias.frac
        )

    def ports(self) -> Ports:
        return Ports(
            {"x": Port(size=self.columns, format=self.input)},
            {"y": Port(size=self.rows, format=self.accumulator)},
        )

    def tensors(self) -> dict[str, TensorSpec]:
        return tensor_table(
            type(self).__name__,
            (self.weight, TensorSpec((self.rows, self.columns), self.weight_format)),
            (self.bias, TensorSpec((self.rows,), self.bias_format)),
        )

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (x,) = inputs
        y = x @ tensors[self.weight].T
        return state, (y if self.bias is None else y + tensors[self.bias],)
