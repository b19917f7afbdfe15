# SPDX-License-Identifier: Apache-2.0
"""Tensors in memory: row-major for the host, words of lanes for the datapath."""

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from bench.streams import read_back, simulate

from spikewright.hw.parameters import (
    ParameterHost,
    ParameterMemory,
    ParameterRegister,
    Parameters,
)
from spikewright.sim.fixed import QFormat

SIGNED, UNSIGNED = QFormat(width=7), QFormat(width=7, signed=False)


class Words(wiring.Component):
    """A memory read by addresses that come in a stream."""

    def __init__(self, inner: ParameterMemory | Parameters):
        self.inner = inner
        super().__init__(
            {
                "host": In(ParameterHost),
                "i": In(stream.Signature(len(inner.address))),
                "o": Out(stream.Signature(inner.word.shape())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self.inner
        wiring.connect(m, wiring.flipped(self.host), inner.host)
        full = Signal()
        m.d.comb += [
            inner.address.eq(self.i.payload),
            inner.enable.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(~full | self.o.ready),
            self.o.valid.eq(full),
            # Held while nothing is enabled: no register is needed here.
            self.o.payload.eq(inner.word),
        ]
        with m.If(inner.enable):
            m.d.sync += full.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += full.eq(0)
        return m


def memory(
    rows: int, columns: int, lanes: int, *, adjacent: bool, fmt: QFormat = SIGNED
) -> ParameterMemory:
    return ParameterMemory(
        rows=rows, columns=columns, lanes=lanes, format=fmt, tiles_adjacent=adjacent
    )


SHAPES = [(1, 1, 1), (1, 4, 1), (4, 1, 1), (4, 1, 4), (7, 3, 2), (7, 3, 5), (6, 2, 3), (5, 4, 8)]


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("adjacent", [False, True])
@pytest.mark.parametrize(("rows", "columns", "lanes"), SHAPES)
def test_words(rows: int, columns: int, lanes: int, adjacent: bool, seed: int | None) -> None:
    rng = np.random.default_rng(rows)
    codes = rng.integers(-64, 64, (rows, columns))
    component = memory(rows, columns, lanes, adjacent=adjacent)
    tiles = -(-rows // lanes)
    places = [(tile, column) for tile in range(tiles) for column in range(columns)]
    rng.shuffle(places)
    addresses = [
        column * tiles + tile if adjacent else tile * columns + column for tile, column in places
    ]
    got = simulate(
        Words(component),
        {"i": addresses},
        {"o": len(places)},
        tensors={"host": codes.ravel().tolist()},
        stall_seed=seed,
    )
    for (tile, column), word in zip(places, got["o"], strict=True):
        rows_there = codes[tile * lanes : (tile + 1) * lanes, column].tolist()
        assert word[: len(rows_there)] == rows_there


@pytest.mark.parametrize("adjacent", [False, True])
@pytest.mark.parametrize(("rows", "columns", "lanes"), SHAPES)
def test_read_back(rows: int, columns: int, lanes: int, adjacent: bool) -> None:
    codes = np.random.default_rng(1).integers(-64, 64, rows * columns).tolist()
    component = memory(rows, columns, lanes, adjacent=adjacent)
    assert read_back(component, "host", rows * columns, tensors={"host": codes}) == codes


@pytest.mark.parametrize("fmt", [SIGNED, UNSIGNED, QFormat(width=32)], ids=str)
def test_codes_are_sign_extended(fmt: QFormat) -> None:
    codes = [fmt.lo, fmt.hi, 0]
    component = memory(3, 1, 2, adjacent=False, fmt=fmt)
    assert read_back(component, "host", 3, tensors={"host": codes}) == codes
    assert read_back(ParameterRegister(fmt), "host", 1, tensors={"host": codes[:1]}) == codes[:1]


@pytest.mark.parametrize("own", [False, True])
def test_neuron_parameters(own: bool) -> None:
    component = Parameters(size=5, lanes=2, format=SIGNED, per_neuron=own)
    codes = [-64, 63, 5, 6, 7] if own else [-64]
    got = simulate(
        Words(component), {"i": [2, 0, 1]}, {"o": 3}, tensors={"host": codes}, stall_seed=2
    )
    if own:
        assert [word[:1] for word in got["o"]] == [[7], [-64], [5]]
        assert got["o"][1] == [-64, 63]
    else:
        assert got["o"] == [[-64, -64]] * 3
