# SPDX-License-Identifier: Apache-2.0
"""What travels between primitives: vectors of codes, once a frame or once a step."""

from dataclasses import dataclass
from enum import Enum

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat

SPIKE = QFormat(width=1, signed=False)
"""Format of a spike: one unsigned bit."""


class Kind(Enum):
    """How gateware carries a vector; golden models see an array of codes either way."""

    DENSE = "dense"
    EVENT = "event"


class Rate(Enum):
    """How often a vector comes."""

    FRAME = "frame"
    STEP = "step"


@dataclass(frozen=True, kw_only=True)
class Port:
    """A vector input or output of a primitive.

    Parameters
    ----------
    size : int
        Elements of the vector.
    format : QFormat
        Format of each element.
    kind : Kind
        Events carry spikes only: their format is one unsigned bit.

    Raises
    ------
    FormatError
        If the size is not positive or an event port does not carry spikes.
    """

    size: int
    format: QFormat
    kind: Kind = Kind.DENSE

    def __post_init__(self) -> None:
        if self.size < 1:
            raise FormatError(f"Port size must be a positive integer, not {self.size!r}")
        if self.kind is Kind.EVENT and self.format != SPIKE:
            raise FormatError(f"Event port must carry spikes ({SPIKE}), not {self.format}")
