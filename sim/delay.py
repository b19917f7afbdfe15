# SPDX-License-Identifier: Apache-2.0
"""Delay by whole steps."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors


@dataclass(frozen=True, kw_only=True)
class Delay(Primitive):
    """``y[t] = x[t - steps]``, zero at the start of a frame: the only way around a cycle.

    Parameters
    ----------
    size : int
    format : QFormat
    steps : int
        At least 1.

    Raises
    ------
    FormatError
        If ``steps`` is not positive.
    """

    size: int
    format: QFormat
    steps: int = 1

    per_step: ClassVar[bool] = True
    breaks_cycle: ClassVar[bool] = True
    serial: ClassVar[bool] = True
    plays_ahead: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise FormatError(f"Delay steps must be a positive integer, not {self.steps!r}")

    def ports(self) -> Ports:
        port = Port(size=self.size, format=self.format)
        return Ports({"x": port}, {"y": port})

    def init_state(self, batch: int) -> State:
        return {"line": np.zeros((batch, self.steps, self.size), np.int64)}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (x,) = inputs
        line = np.concatenate([state["line"][:, 1:], x[:, None]], axis=1)
        return {"line": line}, (state["line"][:, 0],)
