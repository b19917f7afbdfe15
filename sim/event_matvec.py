# SPDX-License-Identifier: Apache-2.0
"""Event-driven matrix-vector product."""

from dataclasses import dataclass, field
from typing import ClassVar

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.matvec import MatVec
from spikewright.sim.ports import SPIKE, Kind, Port
from spikewright.sim.primitive import Ports


@dataclass(frozen=True, kw_only=True)
class EventMatVec(MatVec):
    """On spike ``j`` add column ``j`` of ``W`` to the accumulators: ``y = W s + b``.

    No multipliers. The same integer function as :class:`~spikewright.sim.matvec.MatVec`, for
    spikes. Parameters and errors are those of ``MatVec``; ``input`` can only be a spike.
    """

    input: QFormat = field(default=SPIKE)

    serial: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.input != SPIKE:
            raise FormatError(f"EventMatVec input must be a spike ({SPIKE}), not {self.input}")
        super().__post_init__()

    def ports(self) -> Ports:
        spikes = Port(size=self.columns, format=SPIKE, kind=Kind.EVENT)
        return Ports({"x": spikes}, super().ports().outputs)
