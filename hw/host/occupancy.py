# SPDX-License-Identifier: Apache-2.0
"""Whether a frame is inside, and how often and how long one was."""

from amaranth import Cat, Module, Signal, Value

INSIDE_BITS = 16
"""Bits of the count of frames inside; far more than can be at once."""


def frames_inside(
    m: Module, started: Value, over: Value, resetting: Value
) -> tuple[Signal, Signal]:
    """Whether a frame is inside, and which of ``over`` came, each a cycle late or two.

    Parameters
    ----------
    m : Module
    started : Value
        A frame began.
    over : Value
        For each place where frames end: one came to its end there. What leaves need not have
        waited for all of a frame where a Delay is on the way.
    resetting : Value
        Whether all frames are forgotten.
    """
    busy, began = Signal(), Signal()
    gone = Signal(len(over))
    inside = [Signal(INSIDE_BITS, name=f"inside_{k}") for k in range(len(over))]
    m.d.sync += [
        began.eq(started),
        gone.eq(over),
        busy.eq(Cat(inside).any() | began),
    ]
    for count, one in zip(inside, gone, strict=True):
        m.d.sync += count.eq(count + Cat(began ^ one, one & ~began).as_signed())
    with m.If(resetting):
        m.d.sync += [x.eq(0) for x in (*inside, busy, began, gone)]
    return busy, gone


def occupied(
    m: Module, busy: Value, arrived: Value, deaf: Value, notice: int
) -> tuple[Signal, Value]:
    """Whether a frame is inside or on its way, and whether no more can come that is not told yet.

    A word is on its way for ``notice`` cycles before its frame has begun, and the last one that is
    taken after ``deaf`` is told two cycles late.

    Parameters
    ----------
    m : Module
    busy, arrived, deaf : Value
        Whether a frame is inside, a word was taken, no word shall be taken in the next cycle.
    notice : int
    """
    came, found, settled = Signal(), Signal(), Signal(2)
    lately = Signal(range(notice + 1))
    m.d.sync += [
        came.eq(arrived),
        found.eq(busy | came | (lately != 0)),
        settled.eq(Cat(deaf, settled)),
    ]
    with m.If(came):
        m.d.sync += lately.eq(notice)
    with m.Elif(lately != 0):
        m.d.sync += lately.eq(lately - 1)
    return found, settled[1]


def count(m: Module, raises: Value, clears: Value, name: str) -> Value:
    """A 64-bit count; its upper half, and so all of it, a cycle late."""
    low, high = Signal(32, name=f"{name}_low"), Signal(32, name=f"{name}_high")
    shown, carry = Signal(32, name=f"{name}_shown"), Signal(name=f"{name}_carry")
    m.d.sync += [shown.eq(low), carry.eq(raises & low.all()), high.eq(high + carry)]
    with m.If(raises):
        m.d.sync += low.eq(low + 1)
    with m.If(clears):
        m.d.sync += [x.eq(0) for x in (low, high, shown, carry)]
    return Cat(shown, high)
