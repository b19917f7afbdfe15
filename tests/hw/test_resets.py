# SPDX-License-Identifier: Apache-2.0
"""A reset that goes from part to part."""

from typing import Any

import pytest
from amaranth.sim import Simulator

from spikewright.hw.host.resets import Resets


def traced(
    parts: int, requests: list[int], cycles: int, *, grace: int = 0, soft: tuple[int, ...] = ()
) -> list[tuple[int, list[int]]]:
    """``busy`` and the parts' resets in every cycle, with requests in some of them."""
    dut = Resets(parts, grace=grace)
    seen = []

    async def watch(ctx: Any) -> None:
        for cycle in range(cycles):
            ctx.set(dut.request, cycle in requests)
            ctx.set(dut.soft, cycle in soft)
            resets = ctx.get(dut.o)
            seen.append((ctx.get(dut.busy), [resets >> k & 1 for k in range(parts)]))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(watch)
    simulator.run()
    return seen


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("requests", [[], [200], [200, 201, 202], [200, 205]])
def test_all_parts_are_reset_at_once(parts: int, requests: list[int]) -> None:
    seen = traced(parts, requests, 600)
    for start in [0, *requests[-1:]]:
        after = seen[start:]
        together = [k for k, (_, resets) in enumerate(after) if all(resets)]
        over = next(k for k, (busy, _) in enumerate(after[1:], 1) if not busy)
        # Two cycles in which all are in reset, at least, and they are over while it is busy.
        assert len([k for k in together if k < over]) >= 2
        assert over <= 2 * parts + 4
        until = 200 - start if start == 0 else len(after)
        assert all(not busy and not any(resets) for busy, resets in after[over + 1 : until])
        assert not any(after[over][1])


def test_parts_follow_each_other() -> None:
    seen = traced(5, [100], 200)
    entered = [next(c for c in range(100, 200) if seen[c][1][k]) for k in range(5)]
    left = [next(c for c in range(entered[k], 200) if not seen[c][1][k]) for k in range(5)]
    assert entered == [102 + k for k in range(5)]
    assert left == [108 + k for k in range(5)]


@pytest.mark.parametrize("grace", [0, 1, 40])
def test_a_soft_reset_waits(grace: int) -> None:
    """It is the same reset so many cycles later, and busy from the start."""
    hard = traced(5, [100 + grace], 300, grace=grace)
    soft = traced(5, [], 300, grace=grace, soft=(100,))
    assert [resets for _, resets in soft] == [resets for _, resets in hard]
    assert all(busy for busy, _ in soft[101 : 101 + grace])
    assert [busy for busy, _ in soft[101 + grace :]] == [busy for busy, _ in hard[101 + grace :]]


def test_a_hard_reset_does_not_wait_for_a_soft_one() -> None:
    hard = traced(5, [110], 300, grace=40)
    both = traced(5, [110], 300, grace=40, soft=(100, 110))
    assert [resets for _, resets in both] == [resets for _, resets in hard]
    assert all(busy for busy, _ in both[101:111])
