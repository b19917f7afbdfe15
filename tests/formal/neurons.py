# SPDX-License-Identifier: Apache-2.0
"""Proofs of the neurons: every step of any neuron is the one its equation gives."""

from typing import Any

from amaranth.hdl import Mux, Signal, Value, signed

from formal.bench import Bench
from formal.contract import Events, Vectors, hosts_quiet, progress
from formal.cores import clipped
from formal.follow import Balance, SpikeTracker, Tracker
from formal.sby import Proof
from spikewright.hw.leaky import Leaky
from spikewright.hw.lif import Lif
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat

MEMBRANE = QFormat(width=4, frac=2)
CURRENT = QFormat(width=4, frac=2)
LEAK = (1, 3)


def leaked(v: Value, i: Value) -> Value:
    """``v - round(v (2^-1 + 2^-3)) + i`` in exact integers."""
    return v - ((v * 5 + 4) >> 3) + i


def leaky(size: int, lanes: int) -> Bench:
    primitive = sim.Leaky(
        size=size, input=CURRENT, membrane=MEMBRANE, leak=LEAK, leak_frac=LEAK[-1]
    )
    bench = Bench(Leaky(primitive, lanes=lanes), inductive=False)
    m = bench.m
    hosts_quiet(bench)
    i = Vectors(bench, "i_i", size=size, lanes=lanes, source=True)
    o = Vectors(bench, "o_v", size=size, lanes=lanes, source=False)
    balance = Balance(bench, i.done, o.done, most=16)
    n = Signal(range(size), name="formal_neuron")
    v = Signal(signed(MEMBRANE.width), name="formal_v")
    old = Mux(i.payload.first, 0, v)
    new = clipped(leaked(old, i.element(n).as_signed()), MEMBRANE)
    with m.If(i.moved & i.holds(n)):
        m.d.sync += v.eq(new)
    track = Tracker(bench, i, o, balance, given=new, changed=lambda v: v[: MEMBRANE.width])
    m.d.comb += n.eq(track.element)
    progress(bench, [i, o], within=16)
    return bench


def lif(size: int, lanes: int, **options: Any) -> Bench:
    primitive = sim.Lif(
        size=size,
        input=CURRENT,
        membrane=MEMBRANE,
        leak=LEAK,
        leak_frac=LEAK[-1],
        threshold="threshold",
        **options,
    )
    bench = Bench(Lif(primitive, lanes=lanes), inductive=False)
    m = bench.m
    hosts_quiet(bench)
    i = Vectors(bench, "i_i", size=size, lanes=lanes, source=True)
    o = Events(bench, "o_spike", size=size, source=False)
    balance = Balance(bench, i.done, o.done, most=24)
    threshold = bench.constant(MEMBRANE.width, "threshold").as_signed()
    bench.assume(registers(bench)[0] == threshold)
    n = Signal(range(size), name="formal_neuron")
    v = Signal(signed(MEMBRANE.width), name="formal_v")
    left = Signal(range(primitive.refractory + 1), name="formal_left")
    first = i.payload.first
    old, waits = Mux(first, 0, v), Mux(first, 0, left)
    current = i.element(n).as_signed()
    updated = clipped(Mux(waits != 0, old, leaked(old, current)), MEMBRANE)
    spike = (updated >= threshold) & (waits == 0)
    after = Mux(spike, clipped(updated - threshold, MEMBRANE), updated)
    with m.If(i.moved & i.holds(n)):
        count = Mux(waits == 0, 0, waits - 1)
        m.d.sync += [v.eq(after), left.eq(Mux(spike, primitive.refractory, count))]
    track = SpikeTracker(bench, i, o, balance, fires=lambda n: spike)
    m.d.comb += n.eq(track.neuron)
    rests(bench, o, track.neuron, primitive.refractory)
    progress(bench, [i, o], within=24)
    return bench


def rests(bench: Bench, o: Events, neuron: Value, refractory: int) -> None:
    """A neuron is silent for so many steps after a spike, unless its frame ends."""
    m, event = bench.m, o.payload
    steps = bench.register(range(refractory + 2), "steps_to_rest")
    mine = o.valid & ~event.end_step & (event.index == neuron)
    bench.check(f"silent for {refractory} steps after a spike", ~mine | (steps == 0))
    before = bench.register(1, "spiked_before")
    with m.If(o.moved & (mine | (event.end_step & event.end_frame))):
        m.d.sync += before.eq(mine)
    bench.cover("a neuron spikes again in its frame", mine & before)
    with m.If(o.moved & mine):
        m.d.sync += steps.eq(refractory + 1)
    with m.Elif(o.done):
        m.d.sync += steps.eq(Mux(event.end_frame | (steps == 0), 0, steps - 1))


def registers(bench: Bench) -> list[Value]:
    """Parameters that all neurons share."""
    found = [name for name in bench.taps.names if name.endswith("kept")]
    return [bench.tap(name).as_signed() for name in sorted(found)]


PROOFS = [
    Proof("Leaky", "3 neurons, 2 lanes", lambda: leaky(3, 2), bound=22, reach=24),
    Proof("Leaky", "1 neuron", lambda: leaky(1, 1), bound=24, reach=24),
    Proof("Lif", "2 neurons, 2 lanes", lambda: lif(2, 2), bound=26, reach=50),
    Proof(
        "Lif", "2 neurons, 1 lane, refractory", lambda: lif(2, 1, refractory=1), bound=30, reach=50
    ),
]
