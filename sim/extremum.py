# SPDX-License-Identifier: Apache-2.0
"""Index of the largest or smallest element."""

from dataclasses import dataclass
from typing import ClassVar

from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors


@dataclass(frozen=True, kw_only=True)
class Extremum(Primitive):
    """Argmax (or argmin) of a vector; ties go to the lowest index.

    Parameters
    ----------
    size : int
    input : QFormat
    largest : bool
        Argmax if true, else argmin.
    """

    size: int
    input: QFormat
    largest: bool = True

    serial: ClassVar[bool] = True

    @property
    def index_format(self) -> QFormat:
        """Format of the index: unsigned, just wide enough."""
        return QFormat(width=max(1, (self.size - 1).bit_length()), signed=False)

    def ports(self) -> Ports:
        return Ports(
            {"x": Port(size=self.size, format=self.input)},
            {"index": Port(size=1, format=self.index_format)},
        )

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (x,) = inputs
        index = x.argmax(axis=1) if self.largest else x.argmin(axis=1)
        return state, (index[:, None],)
