# SPDX-License-Identifier: Apache-2.0
"""Where frames end besides the outputs."""

import program_parts as parts
import programs
import pytest

from spikewright.hw.host.ends import ends_of
from spikewright.sim.primitives import Delay
from spikewright.sim.program import Program


def side_branch(steps: int | None) -> Program:
    """A Delay into the output, and a product that nobody reads."""
    delay = Delay(size=3, format=parts.PIXEL, steps=1)
    nodes = {"d": (delay, ("x",)), "aside": (parts.dense("aside", 2, 3), ("x",))}
    return parts.program({"x": parts.per_step(3)}, nodes, {"y": "d"}, steps=steps)


@pytest.mark.parametrize(
    ("program", "ends"),
    [
        (programs.mlp((5, 3, 3)), []),
        (programs.lif_count(), []),
        (side_branch(4), ["d", "aside.y"]),
        (side_branch(None), ["d", "aside.y"]),
    ],
)
def test_delays_and_what_nobody_reads(program: Program, ends: list[str]) -> None:
    assert ends_of(program) == ends
