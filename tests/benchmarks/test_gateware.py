# SPDX-License-Identifier: Apache-2.0
"""The gateware benchmark measures what it says, and nothing of its own."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from amaranth import Cat, Module, Signal
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.boards import yosys
from spikewright.boards.part import PARTS

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Import a script of the folder by its name; nothing of it stays imported."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


class Mixer(wiring.Component):
    """So many bits in and fewer out, one lookup table for each that goes out."""

    i: Signal
    o: Signal

    def __init__(self, inputs: int, outputs: int):
        super().__init__({"i": In(inputs), "o": Out(outputs)})

    def elaborate(self, platform: Platform | None) -> Module:
        # From the last bit on, or synthesis would cut the end off the shift register.
        m, last = Module(), len(self.i) - 1
        mixed = [self.i[last - k] & self.i[last - k - 1] for k in range(len(self.o))]
        m.d.comb += self.o.eq(Cat(*mixed))
        return m


@pytest.mark.parametrize(("inputs", "outputs"), [(40, 33), (41, 40), (100, 65), (9, 1)])
def test_the_harness_takes_what_it_says(script, tmp_path: Path, inputs: int, outputs: int) -> None:
    harness = script("_harness")
    bench = harness.Bench(Mixer(inputs, outputs))
    part = PARTS["ecp5-25k"]
    (tmp_path / "bench.il").write_text(bench.rtlil(part.family))
    cells = yosys.synthesize(
        tmp_path, part=part, rtlil="bench.il", top=harness.TOP, log=tmp_path / "yosys.log"
    )
    assert cells.lut == bench.harness.lut + outputs
    # Nothing here takes the reset, so its two registers are not built.
    assert cells.ff == bench.harness.ff - 2


def test_the_last_beat_of_each_vector_is_timed(script) -> None:
    """A product of one row takes as many cycles as it has columns, back to back."""
    cores, meter = script("_cores"), script("_meter")
    core = cores.component(cores.matvec(24, 2), 2)
    times = meter.run(core, meter.dense_words(7, beats=24, vectors=5), 5)
    assert np.diff(times.ends).tolist() == [24] * 4
    assert times.period() == 24


def test_words_of_vectors(script) -> None:
    meter = script("_meter")
    words = meter.dense_words(-1, beats=2, vectors=2, steps=2)
    low = (1 << 24) - 1
    first, last, end = meter.FIRST, meter.LAST, meter.END
    assert words.tolist() == [low | first, low | first | last, low | end, low | last | end]
    spikes = np.array([[False, True, True], [False, False, False]])
    assert meter.event_words(spikes, steps=2).tolist() == [1, 2, last, last | end]


def rows(**figures: float) -> dict[str, dict[str, float]]:
    return {"core": {"name": "core", **figures}}


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"cycles": 100.0}, {"cycles": 100.0}, []),
        ({"cycles": 100.0}, {"cycles": 99.0}, []),
        ({"cycles": 100.0}, {"cycles": 101.0}, ["core: cycles was 100 and is 101"]),
        ({"dsp": 8}, {"dsp": 9}, ["core: dsp was 8 and is 9"]),
        ({"fmax_mhz": 200.0}, {"fmax_mhz": 190.1}, []),
        ({"fmax_mhz": 200.0}, {"fmax_mhz": 189.9}, ["core: fmax_mhz was 200 and is 189.9"]),
        ({"lut": 100}, {"lut": 106}, ["core: lut was 100 and is 106"]),
        ({"utilization": 1.0}, {"utilization": 0.9}, ["core: utilization was 1 and is 0.9"]),
        ({"fmax_mhz": 200.0}, {}, []),
    ],
)
def test_what_got_worse(
    script, before: dict[str, float], now: dict[str, float], said: list[str]
) -> None:
    against: ModuleType = script("_against")
    assert against.worse(rows(**before), rows(**now)) == said


def test_the_reference_names_rows_that_there_are(script) -> None:
    reference = json.loads((FOLDER / "reference" / "gateware.json").read_text())
    tables, placements = script("_cycles").tables(), script("_placements").placements()
    known = {name for rows in tables.values() for name in rows} | {p.title for p in placements}
    assert {row["name"] for row in reference} <= known
