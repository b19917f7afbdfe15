# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from trained import blobs, trained

from spikewright.calibration import activation_widths, choose, rectified, weight_widths
from spikewright.encoding import input_codes
from spikewright.formats import InputFormat, NeuronFormat, WeightFormat, plain, weight_format
from spikewright.learn.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, Leaky, Lif, Relu
from spikewright.learn.lowering.folding import hardware_form
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import DataError, FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE


def widths(network, bits):
    folded, places = hardware_form(network)
    return weight_widths(folded, places, bits), activation_widths(folded, places, bits)


def test_widths_are_one_or_one_for_each_layer():
    network = Network([Dense(12, 9), Dropout(0.1), Relu(), Dense(9, 4)])
    assert widths(network, 5) == ((5, 5), (5, 5))
    assert widths(network, (3, 7)) == ((3, 7), (3, 7))
    folded, places = hardware_form(network)
    assert weight_widths(folded, places, {3: 2}) == (8, 2)
    assert activation_widths(folded, places, {"input": 4}) == (4, 8)
    assert activation_widths(folded, places, {2: 6}) == (8, 6)


def test_positions_are_those_of_the_network_that_was_given():
    network = Network(
        [Conv2d(1, 3, 3), BatchNorm(3), Relu(), Flatten(), Dense(48, 4)], shape=(1, 6, 6)
    )
    folded, places = hardware_form(network)
    assert weight_widths(folded, places, {0: 3, 4: 5}) == (3, 5)
    assert activation_widths(folded, places, {2: 6, "input": 7}) == (7, 6)


@pytest.mark.parametrize("bits", [[8], [8, 8, 8]])
def test_as_many_widths_as_layers(bits):
    with pytest.raises(
        FormatError,
        match=rf"^Weight widths must be 2, one for each of the layers 0, 2, not {len(bits)}$",
    ):
        quantize(trained("relu"), calibrate=blobs().x_train, weight_bits=bits)
    with pytest.raises(
        FormatError,
        match=rf"^Activation widths must be 2, one for each of the layers input, 1, "
        rf"not {len(bits)}$",
    ):
        quantize(trained("relu"), calibrate=blobs().x_train, activation_bits=bits)


def test_widths_of_layers_without_weights_are_refused():
    with pytest.raises(FormatError, match=r"^Weight widths must be for layer 0 or 2, not 1$"):
        quantize(trained("relu"), calibrate=blobs().x_train, weight_bits={1: 4})
    with pytest.raises(
        FormatError, match=r"^Activation widths must be for layer 'input' or 1, not 0$"
    ):
        quantize(trained("relu"), calibrate=blobs().x_train, activation_bits={0: 4})


@pytest.mark.parametrize("bits", [[8, 1], {2: 17}])
def test_each_width_is_checked(bits):
    wrong = bits[1] if isinstance(bits, list) else 17
    with pytest.raises(
        FormatError, match=rf"^Weight width must be between 2 and 16 bits, not {wrong}$"
    ):
        quantize(trained("relu"), calibrate=blobs().x_train, weight_bits=bits)


def test_samples_are_needed():
    with pytest.raises(
        DataError, match=r"^calibrate must hold samples on which the formats are chosen$"
    ):
        quantize(trained("relu"))


def test_mixed_widths_are_those_of_the_program():
    program = quantize(
        trained("relu"), calibrate=blobs().x_train, weight_bits=[3, 6], activation_bits=[5, 4]
    )
    assert program.inputs["x"].port.format.width == 5
    assert program.by_name["fc1"].primitive.weight_format.width == 3
    assert program.port("relu1").format.width == 4
    assert program.by_name["fc2"].primitive.weight_format.width == 6
    assert program.metadata["weight_bits"] == [3, 6]
    assert program.metadata["activation_bits"] == [5, 4]


def test_equal_widths_are_said_as_one():
    assert plain((4, 4)) == 4
    assert plain((4, 5)) == [4, 5]


def test_rows_of_one_kernel_have_one_scale():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(3, 1, 3, 3)) * np.array([0.1, 1, 10]).reshape(3, 1, 1, 1)
    network = Network(
        [Conv2d(1, 3, 3, padding=1, weight=weight), Relu(), Flatten(), Dense(48, 4)],
        shape=(1, 4, 4),
    )
    x = rng.random((9, 16))
    program = quantize(network, calibrate=x, per_channel=True)
    shifts = program.tensors["fc1.shift"].reshape(3, 16)
    assert (shifts == shifts[:, :1]).all()
    assert len(set(shifts[:, 0])) == 3


@pytest.mark.parametrize("encoding", ["current", "rate"])
def test_formats_of_a_spiking_network(encoding):
    network, x = trained("lif", encoding), blobs().x_train
    formats = choose(network, x, weight_bits=(4, 5), activation_bits=(8, 6, 7), per_channel=False)
    entry = formats.input.format
    assert entry == (SPIKE if encoding == "rate" else QFormat(width=8, frac=8, signed=False))
    assert [form.width for form in formats.weights] == [4, 5]
    assert [form.input for form in formats.weights] == [entry, SPIKE]
    assert all(isinstance(form, NeuronFormat) for form in formats.activations)
    # bits - 1 below a threshold of 1, and ceil(log2(20.5)) + 2 guard bits.
    assert [form.membrane.frac for form in formats.activations] == [5 + 7, 6 + 7]
    assert all(form.current.frac == form.membrane.frac for form in formats.activations)


def test_neurons_without_leak_have_none_in_the_program():
    rng = np.random.default_rng(0)
    x = rng.random((20, 6)).astype(np.float32)
    layers = [Dense(6, 5), Lif(5, tau=np.inf), Dense(5, 3), Leaky(3, tau=np.inf)]
    network = Network(layers, steps=9, seed=1)
    program = quantize(network, calibrate=x)
    assert program.tensors["lif1.leak"].tolist() == [0]
    assert program.metadata["effective_tau"] == {}
    # 7 bits below the threshold, and ceil(log2(9)) + 2 guard bits.
    assert program.by_name["lif1"].primitive.membrane.frac == 7 + 6
    codes = Emulator(program, engine="NumPy").run({"x": input_codes(program, x)})
    logits = program.port(program.outputs["logits"]).format.decode(codes["logits"])
    assert np.abs(logits - network.forward(x)).mean() < 0.1


def test_a_weak_leak_stays_one():
    network = Network([Dense(6, 3), Leaky(3, tau=100.0)], steps=9, seed=1)
    program = quantize(network, calibrate=np.ones((2, 6)))
    assert program.tensors["lif1.leak"].tolist() == [1]
    assert program.metadata["effective_tau"]["lif1"] == pytest.approx(4.0955, rel=1e-3)


def test_rectified_values_have_no_sign():
    assert rectified(np.array([-9.0, 0.3, 0.9]), 4) == QFormat(width=4, frac=4, signed=False)


def test_biases_limit_the_fraction_of_weights():
    given = QFormat(width=4, frac=4, signed=False)
    options = {"width": 4, "columns": 3, "given": given, "gain": 1.0}
    fracs = np.array([7, 1])
    free = weight_format(fracs, np.array([0.1, 0.1], np.float32), **options)
    assert free.fracs == (7, 1)
    assert free.bias_width == 4 + 4 + 2
    # 40 needs 7 bits with its sign, so 3 of 10 are left for the fraction, 4 of the input's.
    tight = weight_format(fracs, np.array([0.1, 40.0], np.float32), **options)
    assert tight.fracs == (-1, -1)
    _, bias = tight.codes(np.zeros((2, 3), np.float32), np.array([0.1, 40.0], np.float32))
    assert bias.tolist() == [1, 320]


def test_shifts_of_channels_fit_their_format():
    given = QFormat(width=4, frac=4, signed=False)
    form = weight_format(
        np.array([40, 3]),
        np.zeros(2, np.float32),
        width=4,
        columns=3,
        given=given,
        gain=1.0,
    )
    assert form.fracs == (18, 3)
    assert form.own.tolist() == [15, 0]


def test_weights_have_the_codes_of_their_channels():
    given = QFormat(width=8, frac=8, signed=False)
    form = WeightFormat(width=4, fracs=(3, 5), bias_width=16, input=given, gain=2.0)
    weight = np.array([[0.25, -0.1, 9.0], [0.1, -9.0, 0.0]], np.float32)
    codes, biases = form.codes(weight, np.array([1.0, 0.5], np.float32))
    assert codes.tolist() == [[4, -2, 7], [6, -8, 0]]
    assert biases.tolist() == [1 << 11, 1 << 12]
    rows = form.of_rows(np.array([1, 0, 1]))
    assert rows == replace(form, fracs=(5, 3, 5))


def test_input_values_are_those_of_the_codes():
    entry = InputFormat(format=QFormat(width=3, frac=3, signed=False), scale=0.2)
    out = np.empty((1, 5), np.float32)
    entry.values(np.array([[0.0, 0.09, 0.11, 1.4, 9.0]], np.float32), out)
    assert out.tolist() == [[0, 0, 1 / 8, 7 / 8, 7 / 8]]
    assert entry.gain == pytest.approx(1.6)
