# SPDX-License-Identifier: Apache-2.0
"""What holds in a pipeline through which beats go in order: enough for induction to close."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Mux, Value

from formal.bench import Bench
from formal.contract import Vectors
from formal.follow import Balance, Tracker


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One register stage.

    Parameters
    ----------
    valid, last, first, end : Value
    elements : sequence of Value
        Of each lane.
    made : callable
        What the stage holds of the followed element's bits.
    """

    valid: Value
    last: Value
    first: Value
    end: Value
    elements: Sequence[Any]
    made: Callable[[Value], Any]


def in_order(
    bench: Bench,
    i: Vectors,
    o: Vectors,
    balance: Balance,
    stages: Sequence[Stage],
    track: Tracker | None = None,
) -> None:
    """State where every beat is; ``stages`` begin with the oldest, the output.

    Without ``track`` only flags and order are stated.
    """
    beat: Value = o.beat
    fresh: Value = o.fresh
    vectors: Value = Const(0)
    for k, stage in enumerate(stages):
        final = beat == o.beats - 1
        beat = bench.named(beat, f"beat_of_stage_{k}")
        vectors = bench.named(vectors, f"vectors_before_stage_{k}")
        bench.invariant(~stage.valid | (stage.last == final))
        bench.invariant(~stage.valid | (stage.first == fresh))
        if track is not None:
            here = stage.valid & track.tracking & track.have & (vectors == track.ahead)
            expected = stage.made(track.value)
            for lane, element in enumerate(stage.elements):
                mine = track.element == beat * o.lanes + lane
                bench.invariant(~(here & mine) | (Value.cast(element) == expected))
        fresh = Mux(stage.valid & stage.last, stage.end, fresh)
        vectors = vectors + (stage.valid & stage.last)
        beat = Mux(stage.valid, Mux(final, 0, beat + 1), beat)
    bench.invariant((i.beat == beat) & (i.fresh == fresh))
    bench.invariant((balance.inside == vectors) & (o.beat < o.beats))
