# SPDX-License-Identifier: Apache-2.0
import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trained import blobs, trained

from spikewright.aware import quantization_aware
from spikewright.encoding import input_codes
from spikewright.formats import NeuronFormat
from spikewright.learn import ops
from spikewright.learn.fit import fit
from spikewright.learn.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Leaky,
    Lif,
    Relu,
)
from spikewright.learn.layers import quantized as layers
from spikewright.learn.layers.quantizers import Weights
from spikewright.learn.tape import Tape
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import DataError, FileError, FormatError, ProgramError
from spikewright.sim.fixed import QFormat

SPIKING = [("current", "membrane"), ("current", "count"), ("rate", "membrane"), ("rate", "count")]


def assert_exact(aware, x):
    """The network's outputs are the program's, in every layer and for every frame."""
    program = quantize(aware)
    emulator = Emulator(program, engine="NumPy")
    codes = {"x": input_codes(program, x)}
    positions = {**program.metadata["layers"], program.outputs["logits"]: None}
    streams = emulator.trace(codes, list(positions))
    floats = aware.trace(x)
    for name, position in positions.items():
        got = program.port(name).format.decode(streams[name])
        wanted = aware.forward(x) if position is None else floats[position]
        if wanted.size > got.size:
            wanted = wanted[:, -1]
        assert np.array_equal(got.ravel(), wanted.ravel().astype(np.float64)), name
    assert np.array_equal(emulator.run(codes)["class"][:, 0], aware.predict(x))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_program_equals_what_training_sees(data):
    draw = data.draw
    seed = draw(st.integers(0, 1 << 20))
    rng = np.random.default_rng(seed)
    spiking = draw(st.booleans())
    depth, bits = draw(st.integers(1, 3)), st.integers(2, 8)
    sizes = rng.integers(1, 9, depth + 1)
    sizes[-1] += 1
    chain = []
    for n_in, n_out in itertools.pairwise(sizes):
        reset = draw(st.sampled_from(["subtract", "zero"]))
        neuron = Lif(int(n_out), 0.005, 0.7, reset) if spiking else Relu()
        weight = rng.normal(0, draw(st.sampled_from([0.05, 1, 30])), (n_out, n_in))
        bias = rng.normal(0, 0.5, n_out)
        chain += [Dense(int(n_in), int(n_out), weight=weight, bias=bias), neuron]
    encoding, readout = draw(st.sampled_from(SPIKING))
    if not spiking:
        chain.pop()
    elif readout == "membrane":
        chain[-1] = Leaky(int(sizes[-1]), 0.004)
    network = Network(chain, encoding=encoding, readout=readout, steps=5, seed=seed)
    low = 0 if spiking and encoding == "rate" else draw(st.sampled_from([0, -1]))
    x = rng.uniform(low, 1, (9, sizes[0])).astype(np.float32)
    activations = 1 + depth if spiking else depth
    aware = quantization_aware(
        network,
        x[:6],
        weight_bits=[draw(bits) for _ in range(depth)],
        activation_bits=[draw(bits) for _ in range(activations)],
        per_channel=draw(st.booleans()),
        learned=draw(st.booleans()),
    )
    assert_exact(aware, x)
    y = rng.integers(0, sizes[-1], len(x))
    fit(aware, x, y, epochs=2, batch=4, learning_rate=0.05, validation=0.0, seed=seed)
    assert_exact(aware, x)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("spiking", [False, True])
def test_convolutions_are_exact_too(spiking, per_channel, learned):
    rng = np.random.default_rng(3)
    x, y = rng.random((20, 36)).astype(np.float32), rng.integers(0, 3, 20)
    neurons = (Lif(27), Lif(12)) if spiking else (Relu(), Relu())
    network = Network(
        [
            Conv2d(1, 3, 3, padding=1, stride=2),
            neurons[0],
            Dropout(0.2),
            Conv2d(3, 3, 2),
            neurons[1],
            Flatten(),
            Dense(12, 3),
            *([Leaky(3)] if spiking else []),
        ],
        shape=(1, 6, 6),
        steps=6,
        seed=2,
    )
    # Kernels of different scale have different fractions.
    network.layers[0].weight *= np.array([0.1, 2, 0.5]).reshape(3, 1, 1, 1)
    activations = [8, 4, 6, 5] if spiking else [8, 4, 6]
    aware = quantization_aware(
        network,
        x,
        weight_bits=[4, 3, 5],
        activation_bits=activations,
        per_channel=per_channel,
        learned=learned,
    )
    assert_exact(aware, x)
    fit(aware, x, y, epochs=3, batch=8, learning_rate=0.02, validation=0.0)
    assert_exact(aware, x)


def test_convolution_may_end_a_network_that_has_scales_for_each_channel():
    x = np.random.default_rng(3).random((9, 36)).astype(np.float32)
    network = Network(
        [Conv2d(1, 3, 3), Relu(), Conv2d(3, 3, 4), Flatten()], shape=(1, 6, 6), seed=2
    )
    assert_exact(quantization_aware(network, x, weight_bits=3, per_channel=True), x)


def test_sums_beyond_24_bits_are_exact():
    rng = np.random.default_rng(0)
    weight = rng.choice([-127.0, 127.0], (4, 900))
    weight[0] = 127
    network = Network([Dense(900, 4, weight=weight)])
    x = rng.integers(128, 256, (5, 900)).astype(np.float32)
    x[0] = 255
    aware = quantization_aware(network, x)
    assert_exact(aware, x)
    step = aware.formats.input.format.lsb * aware.formats.weights[0].weight.lsb
    assert aware.forward(x)[0, 0] / step == 127 * 255 * 900 > 1 << 24


def test_training_trains_the_network_it_shares_weights_with():
    data, network = blobs(), copy.deepcopy(trained("relu"))
    before = [array.copy() for array in network.parameters()]
    aware = quantization_aware(network, data.x_train, weight_bits=2, activation_bits=3)
    rounded = aware.accuracy(data.x_test, data.y_test)
    epochs = len(network.history)
    fit(aware, data.x_train, data.y_train, epochs=30, batch=16, learning_rate=0.01, seed=1)
    assert all(a is b for a, b in zip(aware.parameters(), network.parameters(), strict=True))
    assert all((a != b).any() for a, b in zip(before, network.parameters(), strict=True))
    assert len(network.history) == epochs + 30
    assert aware.accuracy(data.x_test, data.y_test) > max(0.9, rounded + 0.05)


def test_learned_ranges_find_their_way():
    data, network = blobs(), copy.deepcopy(trained("relu"))
    bits = {"weight_bits": 3, "activation_bits": 3}
    aware = quantization_aware(network, data.x_train, **bits, learned=True)
    assert aware.formats == quantization_aware(network, data.x_train, **bits).formats
    ranges = [array for array in aware.parameters() if array.shape == (1,)]
    assert len(ranges) == 3
    for array in ranges:
        array -= 3
    narrow = aware.formats
    assert aware.accuracy(data.x_test, data.y_test) < 0.5
    fit(aware, data.x_train, data.y_train, epochs=30, batch=16, learning_rate=0.05, seed=1)
    assert aware.accuracy(data.x_test, data.y_test) > 0.9
    moved = zip(narrow.weights, aware.formats.weights, strict=True)
    assert all(old.weight.frac > new.weight.frac for old, new in moved)
    assert narrow.activations[0].frac > aware.formats.activations[0].frac
    assert_exact(aware, data.x_test)


@pytest.mark.parametrize("learned", [False, True])
def test_recalibration_chooses_for_the_weights_of_now(learned):
    data, network = blobs(), copy.deepcopy(trained("relu"))
    aware = quantization_aware(network, data.x_train, weight_bits=4, learned=learned)
    before = aware.formats
    network.layers[0].weight *= 8
    network.layers[0].bias *= 8
    assert aware.formats.weights[0].fracs == before.weights[0].fracs
    aware.recalibrate(data.x_train)
    # Weights are eight times what they were, and activations follow as far as they did not
    # saturate before: the second time all of them do.
    aware.recalibrate(data.x_train)
    moved = zip(before.weights[0].fracs, aware.formats.weights[0].fracs, strict=True)
    assert all(old - new == 3 for old, new in moved)
    assert before.activations[0].frac - aware.formats.activations[0].frac == 3
    assert_exact(aware, data.x_test)


def test_recalibration_sees_rounded_weights():
    # At 2 bits -2, -1, 0 and 1 steps of 1/2 are left: 0.26 becomes 1/2.
    network = Network(
        [Dense(9, 1, weight=np.full((1, 9), 0.26)), Relu(), Dense(1, 2, weight=[[1], [-1]])]
    )
    x = np.random.default_rng(0).random((50, 9))
    aware = quantization_aware(network, x, weight_bits={0: 2})
    aware.layers[0].quantizer = Weights(
        replace(aware.formats.weights[0], fracs=(1,)),
        lambda: aware.formats.input.format,
        columns=9,
        bias=network.layers[0].bias,
    )
    assert aware.formats.activations[0].frac == 7
    aware.recalibrate(x)
    assert aware.formats.activations[0].frac == 6


@pytest.mark.parametrize("kind", [layers.Leaky, layers.Lif])
def test_gradients_leak_as_the_program_does(kind):
    membrane = QFormat(width=20, frac=12)
    form = NeuronFormat(current=membrane, membrane=membrane, leak=1 << 11)
    options = {"slope": 1e-9} if kind is layers.Lif else {}
    tape = Tape()
    x = tape.variable(np.full((2, 1, 1), 0.25))
    y = kind(1, 0.02, format=form, **options).record(x, dt=1e-3, steps=2)
    tape.backward(ops.total(ops.mul(y, tape.constant(np.array([[[0.0]], [[1.0]]])))))
    assert x.gradient().ravel() == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize("current", [0.5, 0.25])
def test_threshold_is_that_of_the_program(current):
    membrane = QFormat(width=8, frac=2)
    form = NeuronFormat(current=membrane, membrane=membrane, leak=0)
    # 0.6 is 2.4 steps of 1/4, so 2.
    neurons = layers.Lif(1, np.inf, 0.6, format=form)
    x = Tape().constant(np.full((1, 1), current))
    spikes = neurons.record(x, dt=1e-3, steps=4).data.ravel()
    assert spikes.tolist() == ([1, 1, 1, 1] if current == 0.5 else [0, 1, 0, 1])


def test_dropout_stays_where_it_is():
    x = blobs().x_train
    network = Network([Dropout(0.1), Dense(12, 9), Relu(), Dropout(0.5), Dense(9, 4)], seed=1)
    aware = quantization_aware(network, x, weight_bits={1: 3}, activation_bits={"input": 5, 2: 6})
    assert [type(layer).__name__ for layer in aware.layers] == [
        type(layer).__name__ for layer in network.layers
    ]
    program = quantize(aware)
    assert program.metadata["weight_bits"] == [3, 8]
    assert program.metadata["activation_bits"] == [5, 6]
    assert_exact(aware, x)


def test_program_is_that_of_the_same_formats():
    data, network = blobs(), trained("lif")
    options = {"weight_bits": [4, 6], "activation_bits": [8, 5, 7], "per_channel": True}
    plain = quantize(network, calibrate=data.x_train, **options)
    aware = quantization_aware(network, data.x_train, **options)
    assert quantize(aware).content_hash == plain.content_hash


def test_batch_normalisation_is_folded_first():
    network = Network([Dense(12, 4), BatchNorm(4)])
    with pytest.raises(
        ProgramError,
        match=r"^Layer 1, BatchNorm\(4\), must be folded into the layer before it first: "
        r"train fold\(network\)\[0\] of spikewright\.learn\.lowering\.folding$",
    ):
        quantization_aware(network, blobs().x_train)


def test_pools_are_refused():
    network = Network([AvgPool2d(2), Flatten(), Dense(4, 2)], shape=(1, 4, 4))
    with pytest.raises(
        ProgramError,
        match=r"^Layer 0, AvgPool2d\(\(2, 2\), stride=\(2, 2\)\), has no weights of its own to "
        r"train for rounding: use a stride of the Conv2d before it in its place$",
    ):
        quantization_aware(network, np.ones((2, 16)))


def test_formats_are_given_once():
    aware = quantization_aware(trained("relu"), blobs().x_train)
    for option in ({"calibrate": blobs().x_train}, {"weight_bits": 4}, {"per_channel": False}):
        with pytest.raises(
            ProgramError,
            match=r"^Network made by quantization_aware brings its own formats: "
            r"quantize it without calibrate, widths and per_channel$",
        ):
            quantize(aware, **option)


def test_it_has_no_file(tmp_path):
    aware = quantization_aware(trained("relu"), blobs().x_train)
    with pytest.raises(
        FileError,
        match=r"^Network made by quantization_aware has no file: save the network it shares its "
        r"weights with, and the program that quantize makes of it$",
    ):
        aware.save(tmp_path / "net.npz")
    assert not list(tmp_path.iterdir())


def test_samples_that_do_not_fit_are_refused():
    aware = quantization_aware(trained("relu"), blobs().x_train)
    with pytest.raises(
        DataError,
        match=r"^calibrate must have 12 features, one per input of the network, not 5$",
    ):
        aware.recalibrate(np.ones((3, 5)))


def test_sums_of_more_than_53_bits_are_refused():
    aware = quantization_aware(trained("relu"), blobs().x_train, weight_bits=16, activation_bits=16)
    form = aware.formats.weights[0]
    with pytest.raises(
        FormatError,
        match=r"^Sums must have at most 53 bits to be exact in training, not 54: "
        r"use narrower weights or activations$",
    ):
        Weights(form, lambda: form.input, columns=1 << 22, bias=np.zeros(9))


@pytest.mark.parametrize("burst", [np.nan, 70.0, -70.0])
def test_ranges_that_burst_stop_the_training(burst):
    data = blobs()
    aware = quantization_aware(copy.deepcopy(trained("relu")), data.x_train, learned=True)
    aware.parameters()[2][0] = burst
    with pytest.raises(
        DataError,
        match=rf"^Trained range must stay between 2\^-60 and 2\^60, not reach 2\^{burst:g}: "
        r"lower the learning rate$",
    ):
        fit(aware, data.x_train, data.y_train, epochs=1)


@pytest.mark.parametrize(("per_channel", "ranges"), [(False, (1, 1)), (True, (9, 4))])
def test_channels_have_ranges_of_their_own(per_channel, ranges):
    aware = quantization_aware(
        trained("relu"), blobs().x_train, per_channel=per_channel, learned=True
    )
    sizes = [array.shape for array in aware.parameters()]
    assert sizes == [(9, 12), (9,), (ranges[0],), (1,), (4, 9), (4,), (ranges[1],)]
