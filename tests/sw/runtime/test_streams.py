# SPDX-License-Identifier: Apache-2.0
"""A stream program's state, and what it learns, are the same on every device."""

from collections.abc import Iterator

import numpy as np
import program_parts
import programs
import pytest

from spikewright.runtime.accelerated import AcceleratorDevice, EngineConnection
from spikewright.runtime.device import Device
from spikewright.runtime.opening import open_device
from spikewright.runtime.rtl import RtlDevice
from spikewright.sim import golden
from spikewright.sim.errors import DataError, DeviceError
from spikewright.sim.primitive import Codes, State
from spikewright.sim.program import Program

DEVICES = ["emulator", "rtl", pytest.param("pynq-sim", marks=pytest.mark.pynq)]


@pytest.fixture(scope="module")
def program() -> Program:
    return programs.learning()


@pytest.fixture(scope="module", params=DEVICES)
def opened(request: pytest.FixtureRequest, program: Program) -> Iterator[Device]:
    with open_device(program, on=request.param) as device:
        yield device


@pytest.fixture
def device(opened: Device) -> Device:
    """As if just opened."""
    opened.reset()
    return opened


def weights(program: Program, state: dict[str, State]) -> dict[str, Codes]:
    """Every tensor after a golden run."""
    found = dict(program.tensors)
    for tensor, node in program.learned.items():
        found[tensor] = found[tensor] + state[node]["learned"][0]
    return found


def assert_holds(device: Device, wanted: dict[str, Codes]) -> None:
    for name, codes in wanted.items():
        found = device.read_tensor(name)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, codes, err_msg=name, strict=True)


def test_a_stream_goes_on_from_run_to_run(program: Program, device: Device) -> None:
    state: dict[str, State] = {}
    assert_holds(device, dict(program.tensors))
    for seed, steps in enumerate((7, 0, 1, 12)):
        inputs = programs.random_inputs(program, 1, steps, seed=seed)
        streams = golden.run(program, inputs, state=state)
        outputs = device.run_codes(inputs).outputs
        for name, reference in program.outputs.items():
            np.testing.assert_array_equal(outputs[name], streams[program.resolve(reference)])
        assert_holds(device, weights(program, state))
    assert np.abs(state["decode"]["learned"]).max() > 30


def test_a_reset_starts_anew(program: Program, device: Device) -> None:
    inputs = programs.random_inputs(program, 1, 9)
    first = device.run_codes(inputs).outputs
    device.reset()
    assert_holds(device, dict(program.tensors))
    again = device.run_codes(inputs).outputs
    for name, codes in first.items():
        np.testing.assert_array_equal(again[name], codes)
    assert not np.array_equal(device.run_codes(inputs).outputs["decode"], first["decode"])


def test_a_device_has_one_stream(program: Program, device: Device) -> None:
    with pytest.raises(
        DataError,
        match=r"^A device must be given one stream, not 2 at once: "
        r"run one after the other, with reset\(\) between them$",
    ):
        device.run_codes(programs.random_inputs(program, 2, 9))


def test_a_tensor_must_be_the_programs(device: Device) -> None:
    with pytest.raises(
        DataError,
        match=r"^Tensor must be one of the program's \(threshold, decode, free\), not 'w'$",
    ):
        device.read_tensor("w")


@pytest.mark.parametrize("on", DEVICES)
def test_a_stream_without_weights(on: str) -> None:
    echo = programs.delayed_echo()
    inputs = programs.random_inputs(echo, 1, 5)
    with open_device(echo, on=on) as device:
        first = device.run_codes(inputs).outputs["y"]
        np.testing.assert_array_equal(first[0, 1:], inputs["x"][0, :-1])
        # The last vector of the run before comes first, and nothing does after a reset.
        assert np.array_equal(device.run_codes(inputs).outputs["y"][0, 0], inputs["x"][0, -1])
        device.reset()
        np.testing.assert_array_equal(device.run_codes(inputs).outputs["y"], first)
        with pytest.raises(
            DataError, match=r"^Tensor must be one of the program's \(none at all\), not 'w'$"
        ):
            device.read_tensor("w")


@pytest.mark.parametrize("on", DEVICES)
def test_frames_keep_nothing(on: str) -> None:
    fc = program_parts.dense("fc", 2, 3)
    product = program_parts.program(
        {"x": program_parts.per_frame(3)}, {"fc": (fc, ("x",))}, {"y": "fc"}
    )
    inputs = programs.random_inputs(product, 2)
    with open_device(product, on=on) as device:
        first = device.run_codes(inputs).outputs
        for _ in range(2):
            again = device.run_codes(inputs).outputs
            assert all(np.array_equal(again[name], codes) for name, codes in first.items())
            device.reset()
        assert_holds(device, dict(product.tensors))


def test_who_opens_a_device_starts_anew(program: Program) -> None:
    inputs = programs.random_inputs(program, 1, 9)
    with RtlDevice(program) as device:
        first = device.run_codes(inputs).outputs["decode"]
        connection = EngineConnection(device.engine)
        again = AcceleratorDevice(program, device.lanes, connection, clock_mhz=100.0)
        assert_holds(again, dict(program.tensors))
        np.testing.assert_array_equal(again.run_codes(inputs).outputs["decode"], first)


def test_nothing_is_read_while_a_step_is_inside(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikewright.runtime.accelerated.POLLS", 20)
    with RtlDevice(program) as device:
        # Less than a step.
        device.engine.tx_start([1, 2])
        device.engine.run(50)
        with pytest.raises(
            DeviceError,
            match=r"^Device must be idle to be read, and is busy after 20 reads of its status: "
            r"reset it and read again$",
        ):
            device.read_tensor("decode")
        device.reset()
        assert_holds(device, dict(program.tensors))
