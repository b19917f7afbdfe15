# SPDX-License-Identifier: Apache-2.0
"""Spikes at random, each element with a probability of its own."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikewright.sim.fixed import QFormat
from spikewright.sim.lfsr import ORDER, SEED_FORMAT, apply, draws, skip
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

MOST_BITS = ORDER // 2
"""Most bits of a draw: two draws side by side then share no bit of the generator's state."""


@dataclass(frozen=True, kw_only=True)
class Bernoulli(Primitive):
    """``s[k] = 1 if u[t, k] < p[k] else 0``: element ``k`` fires with probability ``p[k]``.

    ``u`` is uniform over the codes from 0 to ``2**frac - 1``, so that the probability is exactly
    ``p`` cut to the range from 0 to 1. Draw ``t * size + k`` of the generator
    (:mod:`spikewright.sim.lfsr`), counted from the frame's start, belongs to element ``k`` of step
    ``t``, whatever the lanes and the batch. Each frame starts from the seed; a stream program runs
    on. Two nodes with the same seed draw the same numbers.

    Parameters
    ----------
    size : int
    input : QFormat
        Of the probabilities, with 1 to 15 fraction bits, which are the bits of a draw.
    seed : str
        Name of a tensor of one element: the generator's state at the start, as
        :func:`spikewright.sim.lfsr.seed_of` makes it. 0 counts as 1.

    Raises
    ------
    FormatError
        If the fraction bits are out of range.
    """

    size: int
    input: QFormat
    seed: str

    per_step: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range("Bernoulli input fraction bits", self.input.frac, 1, MOST_BITS)

    def ports(self) -> Ports:
        return Ports(
            {"p": Port(size=self.size, format=self.input)},
            {"s": Port(size=self.size, format=SPIKE, kind=Kind.EVENT)},
        )

    def tensors(self) -> dict[str, TensorSpec]:
        return {self.seed: TensorSpec((1,), SEED_FORMAT)}

    def init_state(self, batch: int) -> State:
        """Zero, which no generator reaches: it stands for the seed."""
        return {"generator": np.zeros((batch, 1), np.int64)}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (p,) = inputs
        given = state["generator"][:, 0]
        states = np.where(given == 0, max(int(tensors[self.seed][0]), 1), given)
        u = draws(states, self.size, self.input.frac)
        later = apply(skip(self.size * self.input.frac), states)
        return {"generator": later[:, None]}, ((u < p).astype(np.int64),)
