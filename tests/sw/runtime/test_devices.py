# SPDX-License-Identifier: Apache-2.0
"""One device interface over the emulator, the RTL engine and the simulated board."""

from dataclasses import replace

import numpy as np
import pytest
from trained import blobs, trained

from spikewright.encoding import input_codes
from spikewright.hw.folding import fold
from spikewright.quantize import quantize
from spikewright.runtime.accelerated import AcceleratorDevice, EngineConnection
from spikewright.runtime.emulated import EmulatorDevice
from spikewright.runtime.opening import open_device
from spikewright.runtime.rtl import RtlDevice, engine_for
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import DataError, DeviceError
from spikewright.sim.packets import pack_frames, stream_crc
from spikewright.sim.registers import mask, offset


@pytest.fixture(scope="module")
def program():
    return quantize(trained("relu"), calibrate=blobs().x_train)


@pytest.fixture(scope="module")
def device(program):
    with RtlDevice(program, 4) as device:
        yield device


def test_rtl_answers_what_the_emulator_answers(program, device):
    x = blobs().x_test
    answer, wanted = device.run(x), EmulatorDevice(program).run(x)
    assert np.array_equal(answer.outputs["logits"], wanted.outputs["logits"])
    assert np.array_equal(answer.classes, wanted.classes)
    assert answer.accuracy(blobs().y_test) == wanted.accuracy(blobs().y_test)
    assert answer.cycles is not None
    assert answer.cycles > 12 * 120
    assert answer.times.core == pytest.approx(answer.cycles / 100e6)
    assert wanted.cycles is None


def test_values_are_what_codes_mean(program, device):
    x = blobs().x_test[:5]
    answer = device.run(x)
    wanted = trained("relu").forward(x)
    assert np.abs(answer.values("logits") - wanted).max() < 0.2


def test_layer_crcs_are_those_of_the_last_frame(program, device):
    x = blobs().x_test[:3]
    device.run(x)
    emulator = Emulator(program)
    streams = emulator.trace({"x": input_codes(program, x)}, program.layers)
    assert device.layer_crcs() == {
        layer: stream_crc(program.port(layer), streams[layer][-1]) for layer in program.layers
    }


def test_parameters_are_loaded_once(program, device):
    before = device.engine.cycles
    device.load()
    assert device.engine.cycles - before < 50


def test_another_program_of_the_same_structure_needs_no_new_gateware(program):
    other_tensors = {name: np.roll(t, 1, axis=0) for name, t in program.tensors.items()}
    other = replace(program, tensors=other_tensors)
    with RtlDevice(program, 4) as device:
        connection = EngineConnection(device.engine)
        again = AcceleratorDevice(other, device.lanes, connection, clock_mhz=100.0)
        x = blobs().x_test[:4]
        assert np.array_equal(
            again.run(x).outputs["logits"], EmulatorDevice(other).run(x).outputs["logits"]
        )


def test_an_accelerator_of_other_lanes_is_refused(program):
    with (
        RtlDevice(program, 4) as device,
        pytest.raises(
            DeviceError,
            match=r"^Accelerator must have structure [0-9a-f]{16}, not [0-9a-f]{16}: "
            r"it was generated for another program or other lanes$",
        ),
    ):
        AcceleratorDevice(
            program,
            {**device.lanes, "fc1": 2},
            EngineConnection(device.engine),
            clock_mhz=100.0,
        )


def test_a_reset_recovers_a_cut_frame(program):
    with RtlDevice(program, 4) as device:
        device.engine.tx_start([1, 2])
        device.engine.run(50)
        status = device.engine.read(offset("STATUS"))
        assert status & mask("STATUS", "CUT_FRAME")
        device.reset()
        x = blobs().x_test[:4]
        assert np.array_equal(device.run(x).classes, EmulatorDevice(program).run(x).classes)


def test_nothing_is_loaded_while_a_frame_is_inside(program, monkeypatch):
    monkeypatch.setattr("spikewright.runtime.accelerated.POLLS", 20)
    tensors = {name: np.roll(t, 1, axis=0) for name, t in program.tensors.items()}
    other = replace(program, tensors=tensors)
    with RtlDevice(program, 4) as device:
        connection = EngineConnection(device.engine)
        # Nobody takes what comes out.
        device.engine.tx_start(
            pack_frames(program, {"x": input_codes(program, blobs().x_test[:1])})
        )
        device.engine.run(2000)
        busy = (
            r"^Device must be idle to be loaded, and is busy after 20 reads of its status: reset "
            r"it and load again$"
        )
        with pytest.raises(DeviceError, match=busy):
            AcceleratorDevice(other, device.lanes, connection, clock_mhz=100.0)
        device.reset()
        again = AcceleratorDevice(other, device.lanes, connection, clock_mhz=100.0)
        x = blobs().x_test[:4]
        wanted = EmulatorDevice(other).run(x).outputs["logits"]
        assert np.array_equal(again.run(x).outputs["logits"], wanted)


def test_frames_go_in_pieces_where_they_are_many(program, monkeypatch):
    monkeypatch.setattr("spikewright.runtime.accelerated.MOST_WORDS", 16)
    with RtlDevice(program, 4) as device:
        x = blobs().x_test[:11]
        assert np.array_equal(device.run(x).classes, EmulatorDevice(program).run(x).classes)


def test_wrong_codes_are_refused(device):
    with pytest.raises(
        DataError, match=r"^Input 'x' must have shape \(frames, 12\), not \(2, 5\)$"
    ):
        device.run_codes({"x": np.zeros((2, 5), np.int64)})


def test_an_engine_without_parameters_has_no_program(program):
    with engine_for(program, fold(program, 4)) as engine:
        assert engine.read(offset("PROGRAM_HASH_LO")) == 0


def test_unknown_device(program):
    with pytest.raises(DeviceError, match=r"^Device must be emulator, rtl, pynq-sim, not 'moon'$"):
        open_device(program, on="moon")


@pytest.mark.pynq
@pytest.mark.parametrize("neuron", ["relu", "lif"])
def test_the_simulated_board_answers_what_the_emulator_answers(neuron):
    program = quantize(trained(neuron), calibrate=blobs().x_train)
    x = blobs().x_test
    wanted = EmulatorDevice(program).run(x)
    with open_device(program, on="pynq-sim", lanes=4) as board:
        assert board.name == "simulated PYNQ-Z2"
        answer = board.run(x)
    assert np.array_equal(answer.outputs["logits"], wanted.outputs["logits"])
    assert answer.times.transfer > 0
