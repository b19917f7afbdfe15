# SPDX-License-Identifier: Apache-2.0
"""Tensors in memory: row-major for the host, words of lanes for the datapath."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from bench.streams import read_back, simulate

from spikewright.hw.glue.flow import delayed
from spikewright.hw.glue.outlet import CYCLES, Outlet
from spikewright.hw.parameters import ParameterHost, ParameterRegister, ParameterVector
from spikewright.sim.fixed import QFormat

SIGNED, UNSIGNED = QFormat(width=7), QFormat(width=7, signed=False)


class Words(wiring.Component):
    """A vector read by addresses that come in a stream."""

    def __init__(self, inner: ParameterVector):
        self.inner = inner
        self.layout = data.StructLayout({"word": inner.word.shape()})
        super().__init__(
            {
                "host": In(ParameterHost),
                "i": In(stream.Signature(len(inner.address))),
                "o": Out(stream.Signature(self.layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self.inner
        m.submodules.outlet = outlet = Outlet(self.layout, depth=inner.latency + CYCLES)
        wiring.connect(m, wiring.flipped(self.host), inner.host)
        wiring.connect(m, outlet.o, wiring.flipped(self.o))
        m.d.comb += [
            inner.address.eq(self.i.payload),
            self.i.ready.eq(outlet.room),
            outlet.reserve.eq(self.i.valid & outlet.room),
            outlet.valid.eq(delayed(m, outlet.reserve, inner.latency, init=0)),
            outlet.payload.word.eq(inner.word),
        ]
        return m


SHAPES = [(1, 1), (4, 1), (4, 4), (7, 2), (7, 5), (6, 3), (40, 1), (5, 5)]
"""Size and lanes."""


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(("size", "lanes"), SHAPES)
def test_words(size: int, lanes: int, seed: int | None) -> None:
    rng = np.random.default_rng(size)
    codes = rng.integers(-64, 64, size).tolist()
    places = rng.permutation(-(-size // lanes)).tolist()
    got = simulate(
        Words(ParameterVector(size=size, lanes=lanes, format=SIGNED)),
        {"i": places},
        {"o": len(places)},
        tensors={"host": codes},
        stall_seed=seed,
    )
    for place, beat in zip(places, got["o"], strict=True):
        there = codes[place * lanes : (place + 1) * lanes]
        assert beat["word"][: len(there)] == there


@pytest.mark.parametrize(("size", "lanes"), SHAPES)
def test_read_back(size: int, lanes: int) -> None:
    codes = np.random.default_rng(1).integers(-64, 64, size).tolist()
    component = ParameterVector(size=size, lanes=lanes, format=SIGNED)
    assert read_back(component, "host", size, tensors={"host": codes}) == codes


@pytest.mark.parametrize("fmt", [SIGNED, UNSIGNED, QFormat(width=32)], ids=str)
def test_codes_are_sign_extended(fmt: QFormat) -> None:
    codes = [fmt.lo, fmt.hi, 0]
    component = ParameterVector(size=3, lanes=2, format=fmt)
    assert read_back(component, "host", 3, tensors={"host": codes}) == codes
    assert read_back(ParameterRegister(fmt), "host", 1, tensors={"host": codes[:1]}) == codes[:1]
