# SPDX-License-Identifier: Apache-2.0
import re

import numpy as np
import pytest
from click import Choice
from trained import blobs, trained

from spikewright.cli import train
from spikewright.encoding import input_codes, saturated_inputs
from spikewright.network import ENCODINGS, Network
from spikewright.quantize import quantize
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import DataError
from spikewright.sim.ports import SPIKE
from spikewright.spikes import latency_encode, rate_encode, spike_encode


def test_spikes_have_the_rate_of_their_value() -> None:
    x = np.array([[0.0, 0.1, 0.5, 0.9, 1.0]])
    spikes = rate_encode(x, 20_000, 3)
    assert spikes.dtype == np.uint8
    assert spikes.shape == (1, 20_000, 5)
    assert set(np.unique(spikes)) == {0, 1}
    rates = spikes[0].mean(0)
    np.testing.assert_array_less(np.abs(rates - x[0]), 4 * np.sqrt(0.25 / 20_000))
    assert (rates[0], rates[4]) == (0, 1)


def test_spikes_of_a_frame_do_not_depend_on_its_batch() -> None:
    x = np.random.default_rng(0).random((6, 4))
    spikes = rate_encode(x, 8, 5)
    np.testing.assert_array_equal(rate_encode(x[[4, 2]], 8, 5, frames=[4, 2]), spikes[[4, 2]])
    np.testing.assert_array_equal(rate_encode(x, 8, 5), spikes)
    np.testing.assert_array_equal(rate_encode(x, 5, 5), spikes[:, :5])
    assert (rate_encode(x, 8, 6) != spikes).any()
    alike = rate_encode(np.full((2, 50), 0.5), 8, 5)
    assert (alike[0] != alike[1]).any()


def test_the_larger_the_value_the_earlier_its_only_spike() -> None:
    """Steps of 0.2 and five of them: each interval of values has a step of its own."""
    x = np.array([[1.0, 0.81, 0.8, 0.61, 0.6, 0.4, 0.2, 1e-6, 0.0]])
    spikes = latency_encode(x, 5)
    assert (spikes.dtype, spikes.shape) == (np.uint8, (1, 5, 9))
    np.testing.assert_array_equal(spikes.sum(axis=1), [[1, 1, 1, 1, 1, 1, 1, 1, 0]])
    np.testing.assert_array_equal(spikes[0, :, :8].argmax(axis=0), [0, 0, 1, 1, 2, 3, 4, 4])


def test_no_level_of_a_byte_is_a_step_off() -> None:
    """Where the whole numbers are exact, ``ceil`` must not see what rounding left."""
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    spikes = latency_encode(levels[None], 255)[0]
    np.testing.assert_array_equal(spikes[::-1], np.eye(256, dtype=np.uint8)[1:])


@pytest.mark.parametrize("code", ["rate", "latency"])
def test_codes_by_name(code: str) -> None:
    x = np.random.default_rng(0).random((3, 4), np.float32)
    wanted = latency_encode(x, 6) if code == "latency" else rate_encode(x, 6, 2, frames=[7, 8, 9])
    np.testing.assert_array_equal(spike_encode(code, x, 6, seed=2, frames=[7, 8, 9]), wanted)


@pytest.mark.parametrize("code", ["Rate", "Latency"])
def test_values_that_no_spikes_stand_for_are_refused(code: str) -> None:
    sentence = (
        f"{code} coding needs values from 0 to 1, and x holds -0.5 to 1: "
        'scale it or use encoding="current"'
    )
    network = Network.from_spec("2-3", neuron="lif", encoding=code.lower())
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        network.forward([[-0.5, 1.0]])
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        spike_encode(code.lower(), np.array([[-0.5, 1.0]]), 3, seed=0)


@pytest.mark.parametrize("readout", ["membrane", "count"])
def test_a_network_of_timed_spikes_trains_and_becomes_a_program(readout: str) -> None:
    data, network = blobs(), trained("lif", "latency", readout)
    assert ENCODINGS == ("current", "rate", "latency")
    assert network.accuracy(data.x_test, data.y_test) > 0.9
    program = quantize(network, calibrate=data.x_train)
    assert program.metadata["encoding"]["kind"] == "latency"
    port = program.inputs["x"].port
    assert port.format == SPIKE
    codes = input_codes(program, data.x_test, first=5)
    np.testing.assert_array_equal(codes, latency_encode(data.x_test, network.steps))
    assert saturated_inputs(program, data.x_test) == 0
    classes = Emulator(program).run({"x": codes})["class"][:, 0]
    assert np.mean(classes == data.y_test) > 0.9
    assert np.mean(classes == network.predict(data.x_test)) > 0.95


def test_the_command_line_offers_every_encoding() -> None:
    option = next(given for given in train.params if given.name == "encoding")
    assert isinstance(option.type, Choice)
    assert tuple(option.type.choices) == ENCODINGS
