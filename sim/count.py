# SPDX-License-Identifier: Apache-2.0
"""From steps to frames: how often each neuron spiked."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Kind, Port, Rate
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors


@dataclass(frozen=True, kw_only=True)
class Count(Primitive):
    """Spikes of each neuron in a frame: ``n[t] = n[t-1] + s[t]``, given at the frame's last step.

    Parameters
    ----------
    size : int
    steps : int
        Most steps a frame can have; the count's format holds it, so it cannot overflow.

    Raises
    ------
    FormatError
        If ``steps`` is not positive.
    """

    size: int
    steps: int

    crossing: ClassVar[tuple[Rate, Rate] | None] = (Rate.STEP, Rate.FRAME)
    per_step: ClassVar[bool] = True
    serial: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise FormatError(f"Count steps must be a positive integer, not {self.steps!r}")

    @property
    def most_steps(self) -> int | None:
        return self.steps

    @property
    def count_format(self) -> QFormat:
        """Format of a count."""
        return QFormat(width=self.steps.bit_length(), signed=False)

    def ports(self) -> Ports:
        return Ports(
            {"s": Port(size=self.size, format=SPIKE, kind=Kind.EVENT)},
            {"n": Port(size=self.size, format=self.count_format)},
        )

    def init_state(self, batch: int) -> State:
        return {"n": np.zeros((batch, self.size), np.int64)}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (s,) = inputs
        n = state["n"] + s
        return {"n": n}, (n,)
