# SPDX-License-Identifier: Apache-2.0
"""Proofs of random spikes: the draws of all lanes are those of one generator that steps bit by bit.

That this one has the greatest length there is needs no prover: see ``tests/sim/test_lfsr.py``. The
matrices of the generator are proved at their full size for every state of a single one bit, which
says all of a circuit of exclusive ors (``test_draws.py`` sees that there is nothing else). Solvers
do badly with exclusive ors of many bits, so what is around the matrices is proved with a generator
of fewer.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.bench import Bench
from formal.contract import Events, Vectors, hosts_quiet, progress
from formal.follow import Balance, SpikeTracker
from formal.sby import Proof
from spikewright.hw.bernoulli import Bernoulli
from spikewright.hw.lfsr import Parities, Strides, combined
from spikewright.sim import bernoulli as sim
from spikewright.sim import lfsr
from spikewright.sim.fixed import QFormat
from spikewright.sim.lfsr import ORDER

SHORT, SHORT_TAPS = 7, 0b11
"""A generator with ``x^7 + x + 1``, whose period of 127 is prime as well."""


@contextmanager
def short_generator() -> Iterator[None]:
    """Let gateware be made with the short generator."""
    seed = QFormat(width=SHORT, signed=False)
    changes: dict[str, Any] = {"sim.lfsr.ORDER": SHORT, "sim.lfsr.TAPS": SHORT_TAPS}
    changes |= {"hw.lfsr.ORDER": SHORT, "hw.bernoulli.ORDER": SHORT}
    changes |= {f"{place}.bernoulli.SEED_FORMAT": seed for place in ("sim", "hw")}
    with ExitStack() as stack:
        stack.callback(lfsr.skip.cache_clear)
        lfsr.skip.cache_clear()
        for name, value in changes.items():
            stack.enter_context(patch(f"spikewright.{name}", value))
        yield


class Steps:
    """Bits that follow a state by single steps, as the recurrence reads.

    Parameters
    ----------
    m : Module
    state : Value
    """

    def __init__(self, m: Module, state: Value):
        self.m, self.order = m, len(state)
        self.window = list(state)

    def __call__(self, bits: int) -> Value:
        """State so many steps later."""
        window = self.window
        while len(window) < bits + self.order:
            here = window[-self.order :]
            taps = [bit for k, bit in enumerate(here) if lfsr.TAPS >> k & 1]
            following = Signal(name=f"formal_step_{len(window)}")
            self.m.d.comb += following.eq(Cat(taps).xor())
            window.append(following)
        return Cat(window[bits : bits + self.order])


class Skips(wiring.Component):
    """Skips in coordinates, and the single steps that each stands for.

    Parameters
    ----------
    bits, lanes : int
        Of a draw, and draws of a stride.
    tail : int
        Draws of a shorter step.
    """

    def __init__(self, bits: int, lanes: int, tail: int):
        self.bits, self.lanes, self.tail = bits, lanes, tail
        names = ("back", "after", "skipped")
        draws = {f"draw{k}": Out(bits) for k in range(lanes)}
        super().__init__({"state": In(ORDER)} | {name: Out(ORDER) for name in names} | draws)

    def elaborate(self, platform: object) -> Module:
        m, bits = Module(), self.bits
        strides = Strides(self.lanes * bits)
        coordinates = Signal(ORDER)
        m.d.comb += [
            coordinates.eq(strides.of_state(self.state)),
            self.back.eq(combined(strides.to_state, coordinates)),
            self.after.eq(strides.after(coordinates)),
            self.skipped.eq(strides.skipped(coordinates, self.tail * bits)),
        ]
        # What a register holds between its two halves goes straight on here.
        parities = Parities(coordinates, lambda bit: bit)
        for k in range(self.lanes):
            draw = parities.combined(strides.rows_of(k * bits, bits))
            m.d.comb += getattr(self, f"draw{k}").eq(draw)
        return m


def skips(bits: int, lanes: int, tail: int) -> Bench:
    component = Skips(bits, lanes, tail)
    bench = Bench(component, inductive=False)
    given, strides = component.state, Strides(lanes * bits)
    single = bench.register(ORDER, "single", init=1)
    bench.m.d.sync += single.eq(single.rotate_left(1))
    bench.assume(given == single)
    bench.check("coordinates are of one state", component.back == given)
    steps_from = Steps(bench.m, given)
    for name, steps in (("after", lanes * bits), ("skipped", tail * bits)):
        there = bench.named(steps_from(steps), name)
        wanted = strides.of_state(there)
        bench.check(f"{name} is {steps} single steps", getattr(component, name) == wanted)
    for k in range(lanes):
        draw = steps_from(k * bits)[:bits]
        name = f"the draw of lane {k} is that after {k * bits} single steps"
        bench.check(name, getattr(component, f"draw{k}") == draw)
    bench.cover("the highest bit", given[-1])
    return bench


class Serial:
    """The generator that steps bit by bit, beside a :class:`Bernoulli` that is given beats.

    Parameters
    ----------
    bench : Bench
    i : Vectors
        Probabilities.
    primitive : spikewright.sim.bernoulli.Bernoulli
    """

    def __init__(self, bench: Bench, i: Vectors, primitive: sim.Bernoulli):
        m, bits = bench.m, primitive.input.frac
        (name,) = [name for name in bench.taps.names if name.endswith("seed.value")]
        code = Value.cast(bench.tap(name))
        self.seed = bench.named(Mux(code == 0, 1, code), "seed")
        held = bench.past(self.seed, "seed")
        bench.assume((held == self.seed) | ~bench.past(1, "seed_began"))
        self.opens = bench.register(1, "opens", init=1)
        """Whether the next beat is a frame's first."""
        state = Signal(lfsr.ORDER, name="formal_serial")
        self.state = bench.named(Mux(self.opens, self.seed, state), "now")
        later = Steps(m, self.state)
        self.draws = [later(k * bits)[:bits] for k in range(i.lanes)]
        tail = i.size - (i.beats - 1) * i.lanes
        final = i.beat == i.beats - 1
        following = Mux(final, later(tail * bits), later(i.lanes * bits))
        with m.If(i.moved):
            m.d.sync += [state.eq(following), self.opens.eq(final & i.payload.end)]

    def spikes(self, i: Vectors, lane: int) -> Value:
        """Whether a lane's element spikes."""
        p = Value.cast(i.payload.data[lane])
        signed = i.payload.shape()["data"].shape.elem_shape.signed
        return self.draws[lane] < (p.as_signed() if signed else p)


def _bench(
    primitive: sim.Bernoulli, lanes: int, *, inductive: bool
) -> tuple[Bench, Vectors, Serial]:
    bench = Bench(Bernoulli(primitive, lanes=lanes), inductive=inductive)
    hosts_quiet(bench)
    i = Vectors(bench, "i_p", size=primitive.size, lanes=lanes, source=True)
    return bench, i, Serial(bench, i, primitive)


CYCLES = 3
"""From a beat to what its draws made of it."""


@short_generator()
def lanes_draw(size: int, fmt: QFormat, lanes: int) -> Bench:
    """Up to the buffer at the end, whatever it does."""
    primitive = sim.Bernoulli(size=size, input=fmt, seed="seed")
    bench, i, serial = _bench(primitive, lanes, inductive=True)
    coordinates = Strides(lanes * primitive.input.frac).of_state(serial.state)
    right = bench.tap("state") == coordinates
    bench.check("the generator is where single steps lead to", ~i.moved | right)
    bench.invariant((bench.tap("fresh") == serial.opens) & (serial.opens | right))
    came = i.moved
    for k in range(CYCLES):
        came = bench.past(came, f"came{k}")
    for lane in range(lanes):
        wanted: Value = serial.spikes(i, lane)
        for k in range(CYCLES):
            wanted = bench.past(wanted, f"wanted{lane}_{k}")
        right = bench.tap(f"spikes[{lane}]") == wanted
        bench.check(f"lane {lane} compares its element with its own draw", ~came | right)
        bench.cover(f"lane {lane} spikes", came & wanted)
    return bench


@short_generator()
def spikes(size: int, fmt: QFormat, lanes: int) -> Bench:
    """From stream to stream."""
    primitive = sim.Bernoulli(size=size, input=fmt, seed="seed")
    bench, i, serial = _bench(primitive, lanes, inductive=False)
    o = Events(bench, "o_s", size=primitive.size, source=False)
    balance = Balance(bench, i.done, o.done, most=16)
    fires = Array([serial.spikes(i, k % lanes) for k in range(primitive.size)])
    SpikeTracker(bench, i, o, balance, fires=lambda neuron: fires[neuron])
    progress(bench, [i, o], within=16)
    return bench


U2, S3 = QFormat(width=2, frac=2, signed=False), QFormat(width=4, frac=3)

PROOFS = [
    *(
        Proof(
            "Lfsr",
            f"{bits} bits, {lanes} lanes, every state of a single one",
            lambda bits=bits, lanes=lanes, tail=tail: skips(bits, lanes, tail),
            bound=ORDER + 2,
            reach=ORDER + 2,
            quick=bits == 2,
        )
        for bits, lanes, tail in ((2, 2, 1), (8, 4, 3), (15, 5, 2))
    ),
    Proof("Bernoulli", "draws of 3 x u2.2, 2 lanes", lambda: lanes_draw(3, U2, 2), k=8),
    Proof("Bernoulli", "draws of 4 x s4.3, 1 lane", lambda: lanes_draw(4, S3, 1), k=8),
    Proof("Bernoulli", "draws of 7 x u2.2, 4 lanes", lambda: lanes_draw(7, U2, 4), k=8),
    Proof("Bernoulli", "3 x u2.2, 2 lanes", lambda: spikes(3, U2, 2), bound=22),
    Proof("Bernoulli", "2 x s4.3, 1 lane", lambda: spikes(2, S3, 1), bound=22),
]
