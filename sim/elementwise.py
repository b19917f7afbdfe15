# SPDX-License-Identifier: Apache-2.0
"""Sum or product of two vectors, element by element."""

from dataclasses import dataclass

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat, format_for
from spikewright.sim.ports import Port
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors, check_choice


@dataclass(frozen=True, kw_only=True)
class Elementwise(Primitive):
    """``y = a + b`` or ``y = a · b`` in a format that cannot overflow.

    Parameters
    ----------
    size : int
    a, b : QFormat
        Formats of the two inputs; a sum needs equal fraction bits.
    operation : "add" or "multiply"

    Raises
    ------
    FormatError
        If the fraction bits of a sum differ.
    """

    size: int
    a: QFormat
    b: QFormat
    operation: str = "add"

    def __post_init__(self) -> None:
        check_choice("Elementwise operation", self.operation, ("add", "multiply"))
        if self.operation == "add" and self.a.frac != self.b.frac:
            raise FormatError(
                f"Elementwise sum must have equal fraction bits, not {self.a} and {self.b}: "
                "put a Requantize before one of them"
            )
        _ = self.output

    @property
    def output(self) -> QFormat:
        """Narrowest format that holds every result."""
        a, b = self.a, self.b
        if self.operation == "add":
            return format_for(a.lo + b.lo, a.hi + b.hi, a.frac)
        corners = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        return format_for(min(corners), max(corners), a.frac + b.frac)

    def ports(self) -> Ports:
        inputs = {
            "a": Port(size=self.size, format=self.a),
            "b": Port(size=self.size, format=self.b),
        }
        return Ports(inputs, {"y": Port(size=self.size, format=self.output)})

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        a, b = inputs
        return state, (a + b if self.operation == "add" else a * b,)
