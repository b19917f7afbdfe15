# SPDX-License-Identifier: Apache-2.0
"""Two streams of beats, element by element: where they part first."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.ports import Kind, Port
from spikewright.sim.primitive import Codes

FIRST, LAST, END = 1, 2, 4
"""Flags of a dense element."""
END_STEP, END_FRAME = 1, 2
"""Flags of an event."""


@dataclass(frozen=True)
class Divergence:
    """The first difference of a run.

    Attributes
    ----------
    frame, step : int
        Counted from 0; a per-frame layer's step is 0.
    layer : str
    neuron : int
    expected, got : int or None
        Codes; ``got`` is None where the stream ended too early.
    """

    frame: int
    step: int
    layer: str
    neuron: int
    expected: int | None
    got: int | None

    def facts(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        got = "nothing" if self.got is None else self.got
        expected = "nothing" if self.expected is None else self.expected
        return (
            f"frame {self.frame}, step {self.step}, layer {self.layer}, neuron {self.neuron}: "
            f"expected {expected}, got {got}"
        )


def expected_beats(port: Port, steps: Codes, *, endless: bool = False) -> NDArray[np.int64]:
    """(beats, 2) flags and data of one frame of a layer, (steps, size).

    The order is the contract's: elements by index, events ascending with a marker after each step.
    ``endless`` is a stream, in which no step is the last.
    """
    beats: list[NDArray[np.int64]] = []
    for t, vector in enumerate(steps):
        final = t == len(steps) - 1 and not endless
        if port.kind is Kind.EVENT:
            spikes = np.flatnonzero(vector)
            beats.append(np.column_stack([np.zeros_like(spikes), spikes]))
            beats.append(np.array([[END_STEP | END_FRAME * final, 0]]))
        else:
            flags = np.full(len(vector), FIRST * (t == 0))
            flags[-1] |= LAST | END * final
            beats.append(np.column_stack([flags, vector]))
    return np.concatenate(beats).astype(np.int64)


def split_frames(port: Port, beats: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Beats that a probe saw, (beats, 2), frame by frame; the last may be incomplete."""
    closing = END_STEP | END_FRAME if port.kind is Kind.EVENT else LAST | END
    ends = np.flatnonzero((beats[:, 0] & closing) == closing) + 1
    start = 0
    for end in [*ends.tolist(), len(beats)]:
        if end > start:
            yield beats[start:end]
        start = end


def first_difference(
    port: Port, expected: NDArray[np.int64], got: NDArray[np.int64]
) -> tuple[int, int, int | None, int | None] | None:
    """Step, neuron, expected and got code of the first beat that differs in one frame."""
    got = _comparable(port, got)
    wanted = _comparable(port, expected)
    shared = min(len(wanted), len(got))
    differ = np.flatnonzero((wanted[:shared] != got[:shared]).any(axis=1))
    if not len(differ) and len(wanted) == len(got):
        return None
    at = int(differ[0]) if len(differ) else shared
    want = wanted[at] if at < len(wanted) else None
    have = got[at] if at < len(got) else None
    if port.kind is Kind.EVENT:
        step = int((wanted[:at, 0] & END_STEP > 0).sum())
        return step, *_event_difference(want, have)
    neuron = at % port.size
    return (
        at // port.size,
        neuron,
        None if want is None else int(want[1]),
        None if have is None else int(have[1]),
    )


def _event_difference(
    want: NDArray[np.int64] | None, have: NDArray[np.int64] | None
) -> tuple[int, int | None, int | None]:
    """The lowest neuron on which two events disagree: one spiked, the other did not."""
    wanted = None if want is None or want[0] & END_STEP else int(want[1])
    found = None if have is None or have[0] & END_STEP else int(have[1])
    if wanted is not None and (found is None or wanted < found):
        return wanted, 1, None if have is None else 0
    if found is not None:
        return found, 0, 1
    # Both are markers, or one is missing altogether.
    return 0, None if want is None else int(want[0]), None if have is None else int(have[0])


def _comparable(port: Port, beats: NDArray[np.int64]) -> NDArray[np.int64]:
    """Beats without what the contract leaves open: ``end`` before a vector's last beat."""
    if port.kind is Kind.EVENT:
        return beats
    flags = np.where(beats[:, 0] & LAST, beats[:, 0], beats[:, 0] & ~END)
    return np.column_stack([flags, beats[:, 1]])
