# SPDX-License-Identifier: Apache-2.0
"""The cores that are mutated, each at a shape that uses all of it."""

from itertools import chain
from typing import Any

import numpy as np
from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from bench.vectors import dense_beats, event_beats

from mutation.campaign import Core
from spikewright.hw.event_matvec import EventMatVec
from spikewright.hw.extremum import Extremum
from spikewright.hw.glue.events import Gather
from spikewright.hw.glue.outlet import Outlet
from spikewright.hw.glue.streams import Narrow, dense_layout
from spikewright.hw.leaky import Leaky
from spikewright.hw.learn import Learn
from spikewright.hw.lif import Lif
from spikewright.hw.matvec import MatVec
from spikewright.hw.requantize import Requantize
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat


def _requantize() -> Requantize:
    given, wanted = QFormat(width=12, frac=6), QFormat(width=6, frac=3)
    return Requantize(sim.Requantize(size=5, input=given, output=wanted, shift="shift"), lanes=2)


def _extremum() -> Extremum:
    return Extremum(sim.Extremum(size=5, input=QFormat(width=6)))


def _gather() -> Gather:
    return Gather(size=11, lanes=4)


def _spikes(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    density = rng.choice([0.05, 0.3, 0.8])
    spikes = (rng.random((6, 4, 11)) < density).astype(np.int64)
    return {"i": dense_beats(spikes, 4, rng)}, {"o": event_beats(spikes)}


def _narrow() -> Narrow:
    return Narrow(Shape(6, signed=True), size=7, lanes=3)


def _vectors(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    given = rng.integers(-32, 32, (6, 4, 7))
    return {"i": dense_beats(given, 3, rng)}, {"o": dense_beats(given, 1)}


def _matvec() -> MatVec:
    primitive = sim.MatVec(
        rows=7,
        columns=6,
        input=QFormat(width=5),
        weight="w",
        weight_format=QFormat(width=4),
        bias="b",
    )
    return MatVec(primitive, lanes=4, lanes_out=2)


def _event_matvec() -> EventMatVec:
    """Three tiles of two beats, of which the last is of no rows and the one before half full.

    With so many columns its steps wait in a ring.
    """
    primitive = sim.EventMatVec(
        rows=9, columns=7, weight="w", weight_format=QFormat(width=4), bias="b"
    )
    return EventMatVec(primitive, lanes=4, lanes_out=2)


def _learn() -> Learn:
    """Two tiles, the last of which is half full."""
    weight, change = QFormat(width=6, frac=2), QFormat(width=4, frac=2)
    primitive = sim.Learn(rows=3, columns=6, weight="w", weight_format=weight, change=change)
    return Learn(primitive, lanes=2)


MEMBRANE = QFormat(width=10, frac=4)


def _leaky() -> Leaky:
    primitive = sim.Leaky(
        size=5, input=MEMBRANE, membrane=MEMBRANE, leak="leak", leak_frac=6, per_neuron=True
    )
    return Leaky(primitive, lanes=2)


def _lif() -> Lif:
    primitive = sim.Lif(
        size=5,
        input=MEMBRANE,
        membrane=MEMBRANE,
        leak=(2, 3),
        leak_frac=6,
        threshold="threshold",
        refractory=1,
    )
    return Lif(primitive, lanes=2)


class Lent(wiring.Component):
    """Pairs of elements through an outlet that is lent its places in groups of two.

    Of a pair whose first element is negative nothing comes out.
    """

    i: Any
    o: Any

    def __init__(self) -> None:
        signature = stream.Signature(dense_layout(Shape(6, signed=True), 1))
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.outlet = outlet = Outlet(self.i.payload.shape(), depth=6, group=2)
        second, drop = Signal(), Signal()
        take = self.i.valid & self.i.ready
        negative = self.i.payload.data[0] < 0
        with m.If(take):
            m.d.sync += [second.eq(~second), drop.eq(negative)]
        came = Signal.like(self.i.payload)
        m.d.sync += [
            came.eq(self.i.payload),
            outlet.valid.eq(take),
            outlet.drop.eq(Mux(second, drop, negative)),
        ]
        m.d.comb += [
            self.i.ready.eq(second | outlet.room),
            outlet.reserve.eq(take & ~second),
            outlet.payload.eq(came),
        ]
        wiring.connect(m, outlet.o, wiring.flipped(self.o))
        return m


def _lent(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    codes = rng.integers(-32, 32, (120, 2))
    beats = [[{"data": [int(c)], "first": 1, "last": 1, "end": 1} for c in pair] for pair in codes]
    kept = [pair for pair in beats if pair[0]["data"][0] >= 0]
    return {"i": [*chain(*beats)]}, {"o": [*chain(*kept)]}


CORES = {
    core.name: core
    for core in (
        Core(
            "narrow",
            _narrow,
            stimuli=_vectors,
            streams={"i": ("dense", 7, 3), "o": ("dense", 7, 1)},
        ),
        Core(
            "gather",
            _gather,
            stimuli=_spikes,
            streams={"i": ("dense", 11, 4), "o": ("events", 11, 1)},
        ),
        Core(
            "outlet",
            Lent,
            stimuli=_lent,
            streams={"i": ("dense", 1, 1), "o": ("dense", 1, 1)},
            apart=(),
        ),
        Core("requantize", _requantize),
        Core("extremum", _extremum),
        Core("matvec", _matvec),
        Core("event_matvec", _event_matvec),
        Core("learn", _learn, steps=40, frames=1),
        Core("leaky", _leaky, steps=6),
        Core("lif", _lif, steps=8, apart=(Outlet, Gather)),
    )
}
"""Every core by its name."""
