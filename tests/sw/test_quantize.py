# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trained import blobs, trained

from spikewright.calibration import voltages
from spikewright.cost import compare
from spikewright.encoding import input_codes, saturated_inputs
from spikewright.learn.layers import Dense, Leaky, Lif, Relu
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.scales import best_frac, quantized, width_for
from spikewright.sim import golden
from spikewright.sim.errors import DataError, FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE
from spikewright.sim.program_file import load_program, save_program

SPIKING = [("current", "membrane"), ("current", "count"), ("rate", "membrane"), ("rate", "count")]


@pytest.mark.parametrize("per_channel", [False, True])
def test_relu_program_is_as_accurate_as_its_network(per_channel):
    data, network = blobs(), trained("relu")
    program = quantize(network, calibrate=data.x_train, per_channel=per_channel)
    cost = compare(network, program, data.x_test, data.y_test)
    assert cost.float_accuracy > 0.9
    assert abs(cost.integer_accuracy - cost.float_accuracy) <= 0.01
    assert [layer.layer for layer in cost.layers] == ["relu1", "logits" if per_channel else "fc2"]
    # Half an LSB of rounding in a layer, and what the input's and weights' rounding adds.
    assert cost.layers[0].largest_error < 8 * 2.0 ** -program.port("relu1").format.frac


@pytest.mark.parametrize(("encoding", "readout"), SPIKING)
def test_spiking_program_is_as_accurate_as_its_network(encoding, readout):
    data, network = blobs(), trained("lif", encoding, readout)
    program = quantize(network, calibrate=data.x_train)
    cost = compare(network, program, data.x_test, data.y_test)
    assert cost.float_accuracy > 0.85
    assert abs(cost.integer_accuracy - cost.float_accuracy) <= 0.02
    assert program.steps == 8
    assert cost.agreement > 0.95


def test_sixteen_bits_compute_what_the_network_computes():
    data, network = blobs(), trained("relu")
    program = quantize(network, calibrate=data.x_test, weight_bits=16, activation_bits=16)
    cost = compare(network, program, data.x_test, data.y_test)
    assert cost.agreement == 1.0
    assert max(layer.largest_error for layer in cost.layers) < 2e-3


def test_more_bits_cost_less():
    data, network = blobs(), trained("relu")
    errors = [
        compare(
            network,
            quantize(network, calibrate=data.x_train, weight_bits=bits, activation_bits=bits),
            data.x_test,
            data.y_test,
        )
        .layers[-1]
        .largest_error
        for bits in (2, 4, 8, 12)
    ]
    assert errors == sorted(errors, reverse=True)


def test_bytes_stay_the_bytes_they_are():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 12)).astype(np.uint8)
    pixels[0, 0] = 255
    program = quantize(trained("relu"), calibrate=pixels)
    assert np.array_equal(input_codes(program, pixels), pixels)


def test_inputs_beyond_calibration_saturate_and_are_counted():
    program = quantize(trained("relu"), calibrate=blobs().x_train)
    x = np.full((2, 12), 3.0, np.float32)
    assert (input_codes(program, x) == 255).all()
    assert saturated_inputs(program, x) == 24


def test_negative_inputs_get_a_signed_format():
    network = Network([Dense(3, 5), Relu(), Dense(5, 2)], seed=3)
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    program = quantize(network, calibrate=x)
    assert program.inputs["x"].port.format == QFormat(width=8, frac=7)
    wanted = network.forward(x)
    got = golden.run(program, {"x": input_codes(program, x)})["fc2.y"]
    assert np.abs(program.port("fc2").format.decode(got) - wanted).max() < 0.1


def test_rate_coding_sends_spikes_drawn_by_frame():
    program = quantize(trained("lif", "rate"), calibrate=blobs().x_train)
    assert program.inputs["x"].port.format == SPIKE
    x = blobs().x_test[:6]
    assert np.array_equal(input_codes(program, x)[4:], input_codes(program, x[4:], first=4))


def test_leak_is_announced_as_it_is():
    program = quantize(trained("lif"), calibrate=blobs().x_train)
    code = int(program.tensors["lif1.leak"][0])
    tau = program.metadata["effective_tau"]["lif1"]
    assert code == round((1 - np.exp(-1 / 20)) * 4096)
    assert tau == pytest.approx(-1e-3 / np.log(1 - code / 4096))
    assert tau == pytest.approx(0.02, rel=5e-3)


def test_membrane_has_guard_bits_and_room():
    program = quantize(trained("lif"), calibrate=blobs().x_train, activation_bits=8)
    lif = program.by_name["lif1"].primitive
    assert lif.membrane.frac == 7 + 7  # 7 below the threshold, ceil(log2(20.5)) + 2 guard bits
    streams = golden.run(program, {"x": input_codes(program, blobs().x_train)})
    assert streams["lif1.spike"].any()


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_voltages_are_those_of_the_layer(reset):
    rng = np.random.default_rng(0)
    currents = rng.normal(0.2, 0.5, (5, 30, 7))
    layer = Lif(7, tau=0.02, reset=reset)
    lo, hi = voltages(currents, layer, steps=30, leak=0.1)
    v, seen = np.zeros((5, 7)), []
    for t in range(30):
        v = 0.9 * v + currents[:, t]
        seen.append(v.copy())
        v[v >= 1] = v[v >= 1] - 1 if reset == "subtract" else 0
    assert (lo, hi) == (pytest.approx(np.min(seen)), pytest.approx(np.max(seen)))
    assert voltages(currents, Leaky(7), steps=30, leak=0.1)[1] >= hi


def test_program_round_trips_through_its_file(tmp_path):
    program = quantize(trained("lif"), calibrate=blobs().x_train, per_channel=True)
    path = save_program(program, tmp_path / "net.spk")
    assert load_program(path).content_hash == program.content_hash


@pytest.mark.parametrize("bits", [0, 1, 17, 40, 2.5])
def test_widths_outside_the_range_are_refused(bits):
    x = blobs().x_train
    with pytest.raises(
        FormatError, match=rf"^Weight width must be between 2 and 16 bits, not {bits}$"
    ):
        quantize(trained("relu"), calibrate=x, weight_bits=bits)
    with pytest.raises(
        FormatError, match=rf"^Activation width must be between 2 and 16 bits, not {bits}$"
    ):
        quantize(trained("relu"), calibrate=x, activation_bits=bits)


def test_calibration_on_zeros_is_refused():
    with pytest.raises(
        DataError,
        match=r"^calibrate must hold a value other than 0 to choose the input's scale$",
    ):
        quantize(trained("relu"), calibrate=np.zeros((3, 12)))


def test_samples_that_do_not_fit_the_program_are_refused():
    program = quantize(trained("relu"), calibrate=blobs().x_train)
    with pytest.raises(
        DataError,
        match=r"^x must have 12 features, one per input of the program, not 5$",
    ):
        input_codes(program, np.zeros((3, 5)))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30),
    width=st.integers(2, 16),
)
def test_best_frac_is_no_worse_than_the_scale_that_holds_everything(values, width):
    array = np.array(values)
    frac = best_frac(array, width, signed=True)
    largest = np.abs(array).max()

    def error(f):
        fmt = QFormat(width=width, frac=f)
        return np.square(fmt.decode(quantized(array, fmt)) - array).sum()

    if largest > 0:
        whole = width - 1 - int(np.ceil(np.log2(largest)))
        assert error(frac) <= error(whole)


@given(largest=st.floats(1e-3, 1e3), frac=st.integers(0, 20))
def test_width_for_holds_the_margin(largest, frac):
    assert QFormat(width=width_for(largest, frac), frac=frac).hi >= 1.5 * largest * 2**frac - 1
