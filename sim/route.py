# SPDX-License-Identifier: Apache-2.0
"""Concatenate, slice and permute vectors."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port
from spikewright.sim.primitive import Codes, Ports, Primitive, State, Tensors


@dataclass(frozen=True, kw_only=True)
class Route(Primitive):
    """``y[k] = concatenate(x0, x1, ...)[index[k]]``.

    Parameters
    ----------
    sizes : tuple of int
        Elements of each input vector.
    format : QFormat
        Format of all of them.
    index : tuple of int or None
        Which element of the concatenation each output is; ``None`` is all of it, in order.

    Raises
    ------
    FormatError
        If there is no input or an index lies outside the concatenation.
    """

    sizes: tuple[int, ...]
    format: QFormat
    index: tuple[int, ...] | None = None

    serial: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.sizes:
            raise FormatError("Route must have at least one input")
        for k in self.order:
            if not 0 <= k < sum(self.sizes):
                raise FormatError(
                    f"Route index must be between 0 and {sum(self.sizes) - 1}, not {k!r}"
                )

    @property
    def order(self) -> tuple[int, ...]:
        """The index of every output, also where none was given."""
        return tuple(range(sum(self.sizes))) if self.index is None else self.index

    def ports(self) -> Ports:
        inputs = {f"x{k}": Port(size=size, format=self.format) for k, size in enumerate(self.sizes)}
        return Ports(inputs, {"y": Port(size=len(self.order), format=self.format)})

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        return state, (np.concatenate(inputs, axis=1)[:, list(self.order)],)
