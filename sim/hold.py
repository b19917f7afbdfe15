# SPDX-License-Identifier: Apache-2.0
"""From frames to steps."""

from dataclasses import dataclass
from typing import ClassVar

from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port, Rate
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors


@dataclass(frozen=True, kw_only=True)
class Hold(Primitive):
    """Repeat a frame's vector in every step of the frame.

    Parameters
    ----------
    size : int
    format : QFormat
    """

    size: int
    format: QFormat

    crossing: ClassVar[tuple[Rate, Rate] | None] = (Rate.FRAME, Rate.STEP)
    plays_ahead: ClassVar[bool] = True

    def ports(self) -> Ports:
        port = Port(size=self.size, format=self.format)
        return Ports({"x": port}, {"y": port})

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        return state, inputs
