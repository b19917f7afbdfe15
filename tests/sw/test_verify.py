# SPDX-License-Identifier: Apache-2.0
"""Verification of a user's program, and of gateware with a planted fault."""

import re

import numpy as np
import pytest
from trained import blobs, trained

from spikewright import nef
from spikewright.comparison import (
    END,
    END_FRAME,
    END_STEP,
    FIRST,
    LAST,
    expected_beats,
    first_difference,
    split_frames,
)
from spikewright.hw.accelerator import Accelerator
from spikewright.hw.verilog import to_verilog
from spikewright.quantize import quantize
from spikewright.sim.errors import DataError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Kind, Port
from spikewright.verify import verify

DENSE = Port(size=3, format=QFormat(width=8))
EVENTS = Port(size=3, format=SPIKE, kind=Kind.EVENT)


def program_of(neuron, **options):
    return quantize(trained(neuron, **options), calibrate=blobs().x_train)


def plant(verilog, module, pattern, replacement):
    """Change one expression in one module of the text."""
    start = verilog.index(f"module \\spikewright.accelerator.datapath.{module} ")
    end = verilog.index("endmodule", start)
    body, count = re.subn(pattern, replacement, verilog[start:end], count=1)
    assert count == 1, f"nothing to change in {module}"
    return verilog[:start] + body + verilog[end:]


def test_gateware_is_the_program():
    program = program_of("relu")
    outcome = verify(program, blobs().x_test[:20], lanes=4)
    assert (outcome.frames, outcome.mismatches, outcome.first) == (20, 0, None)
    assert outcome.elements == 20 * (9 + 4 + 1)
    assert outcome.waveform is None


def test_spiking_gateware_is_the_program():
    outcome = verify(program_of("lif", encoding="rate", readout="count"), blobs().x_test[:10])
    assert (outcome.frames, outcome.mismatches) == (10, 0)


def test_a_planted_fault_is_named_and_leaves_a_waveform(tmp_path):
    program = program_of("relu")
    verilog = to_verilog(Accelerator(program, 4))
    broken = plant(verilog, "node_relu1", r" \+ ", " - ")
    outcome = verify(program, blobs().x_test[:8], lanes=4, verilog=broken, folder=tmp_path)
    assert outcome.mismatches == 8
    assert outcome.first is not None
    assert (outcome.first.frame, outcome.first.step) == (0, 0)
    assert outcome.first.layer == "relu1.y"
    assert outcome.first.expected != outcome.first.got
    assert "$var" in (tmp_path / "mismatch.vcd").read_text()


def test_a_fault_in_a_later_layer_is_named_there(tmp_path):
    program = program_of("lif")
    verilog = to_verilog(Accelerator(program, 4))
    broken = plant(verilog, "node_membrane", r" \+ ", " - ")
    outcome = verify(program, blobs().x_test[:4], lanes=4, verilog=broken, folder=tmp_path)
    assert outcome.first is not None
    assert outcome.first.layer == "last.y"


def test_gateware_that_never_answers_is_a_difference(tmp_path):
    program = program_of("relu")
    verilog = to_verilog(Accelerator(program, 4))
    start = verilog.index("module \\spikewright.accelerator.datapath.packer ")
    end = verilog.index("endmodule", start)
    silent = re.sub(r" o__valid = .*?;", " o__valid = 1'h0;", verilog[start:end])
    broken = verilog[:start] + silent + verilog[end:]
    outcome = verify(program, blobs().x_test[:4], lanes=4, verilog=broken, folder=tmp_path)
    assert outcome.mismatches > 0
    assert outcome.first is not None
    assert outcome.first.got is None


def test_a_stream_is_compared_step_by_step(tmp_path):
    with nef.Network(seed=1) as model:
        ensemble = nef.Ensemble(12, 1, label="a")
        nef.Connection(ensemble, ensemble, synapse=0.05, transform=0.5)
        nef.Connection(nef.Node([0.0]), ensemble, synapse=None)
        nef.Probe(ensemble, synapse=0.02, label="out")
    program = nef.Simulator(model).program
    codes = np.full((1, 30, 1), 9000)
    outcome = verify(program, {"a_x_in": codes}, folder=tmp_path)
    assert (outcome.frames, outcome.mismatches, outcome.first) == (1, 0, None)
    verilog = plant(to_verilog(Accelerator(program, 12)), "node_a_x_total_sum", r" \+ ", " - ")
    outcome = verify(program, {"a_x_in": codes}, lanes=12, verilog=verilog, folder=tmp_path)
    assert outcome.first is not None
    assert outcome.first.layer == "a_x_total_sum_rounded.y"
    # What comes around is nothing until the first spikes.
    assert outcome.first.step > 0


def test_no_samples_are_refused():
    with pytest.raises(DataError, match=r"^Verification needs at least one sample$"):
        verify(program_of("relu"), {"x": np.zeros((0, 12), np.int64)})


def test_dense_beats_carry_the_contract_s_flags():
    beats = expected_beats(DENSE, np.array([[1, 2, 3], [4, 5, 6]]))
    assert beats[:, 1].tolist() == [1, 2, 3, 4, 5, 6]
    assert beats[:, 0].tolist() == [FIRST, FIRST, FIRST | LAST, 0, 0, LAST | END]


def test_events_are_ascending_with_a_marker_each_step():
    beats = expected_beats(EVENTS, np.array([[0, 1, 1], [0, 0, 0]]))
    assert beats.tolist() == [[0, 1], [0, 2], [END_STEP, 0], [END_STEP | END_FRAME, 0]]


@pytest.mark.parametrize("port", [DENSE, EVENTS])
def test_frames_are_split_where_they_end(port):
    frames = [np.array([[1, 0, 1]]), np.array([[0, 0, 1]])]
    beats = [expected_beats(port, frame) for frame in frames]
    found = list(split_frames(port, np.concatenate([*beats, beats[0][:1]])))
    assert [f.tolist() for f in found] == [*(b.tolist() for b in beats), beats[0][:1].tolist()]


@pytest.mark.parametrize(
    ("port", "wanted", "given", "difference"),
    [
        (DENSE, [[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 9, 6]], (1, 1, 5, 9)),
        (EVENTS, [[0, 1, 1], [1, 0, 0]], [[0, 1, 0], [1, 0, 0]], (0, 2, 1, 0)),
        (EVENTS, [[0, 0, 1], [1, 0, 0]], [[0, 0, 1], [1, 1, 0]], (1, 1, 0, 1)),
        (EVENTS, [[0, 0, 1], [0, 0, 0]], [[1, 0, 1], [0, 0, 0]], (0, 0, 0, 1)),
        (DENSE, [[1, 2, 3]], [[1, 2, 3]], None),
    ],
)
def test_first_difference_names_step_and_neuron(port, wanted, given, difference):
    expected, got = (expected_beats(port, np.array(frame)) for frame in (wanted, given))
    assert first_difference(port, expected, got) == difference


def test_a_stream_that_stops_early_differs_where_it_stops():
    expected = expected_beats(DENSE, np.array([[1, 2, 3]]))
    assert first_difference(DENSE, expected, expected[:2]) == (0, 2, 3, None)
