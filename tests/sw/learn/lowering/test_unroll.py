# SPDX-License-Identifier: Apache-2.0
import re
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.cost import compare
from spikewright.encoding import input_codes
from spikewright.learn.fit import fit
from spikewright.learn.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Leaky,
    Lif,
    MaxPool2d,
    Relu,
)
from spikewright.learn.lowering.folding import hardware_form
from spikewright.learn.lowering.unroll import Unrolled, unroll
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import ProgramError
from spikewright.verify import verify

SHAPE = (2, 7, 6)
X = np.random.default_rng(0).normal(size=(40, *SHAPE)).astype(np.float32)


def biased(network: Network) -> Network:
    rng = np.random.default_rng(4)
    for layer in network.layers:
        if isinstance(layer, Dense | Conv2d):
            layer.bias[...] = rng.normal(0, 0.5, layer.bias.shape)
    return network


NETWORKS: list[tuple[list[Layer], list[int], list[int | None]]] = [
    # Layers, the layer that each unrolled one stands for, and the kernels of the unrolled ones.
    ([Conv2d(2, 3, 3), Relu(), Flatten(), Dense(60, 4)], [0, 1, 3], [3, None, None]),
    (
        [Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2)), Relu(), Flatten(), Dense(108, 4)],
        [0, 1, 3],
        [3, None, None],
    ),
    ([AvgPool2d(2), Conv2d(2, 5, 2), Relu(), Flatten(), Dense(20, 4)], [1, 2, 4], [5, None, None]),
    (
        [
            Conv2d(2, 5, 2),
            AvgPool2d(2, stride=1),
            Relu(),
            AvgPool2d((1, 2)),
            Flatten(),
            Dense(50, 4),
        ],
        [1, 2, 5],
        [5, None, None],
    ),
    (
        [Relu(), AvgPool2d(3, stride=2), Relu(), Flatten(), Dense(12, 4)],
        [0, 1, 2, 4],
        [None, 2] + [None] * 2,
    ),
    (
        [AvgPool2d(2, stride=1), Conv2d(2, 3, 2), AvgPool2d((2, 1)), AvgPool2d((1, 2)), Flatten()],
        [4],
        [3],
    ),
    ([Flatten(), Dense(84, 9), Relu(), Dense(9, 3)], [1, 2, 3], [None] * 3),
    (
        [Conv2d(2, 3, 4), Relu(), Conv2d(3, 5, 2), Relu(), Flatten()],
        [0, 1, 2, 4],
        [3, None, 5, None],
    ),
]


@pytest.mark.parametrize(("layers", "places", "kernels"), NETWORKS)
def test_unrolled_network_computes_the_same(
    layers: list[Layer], places: list[int], kernels: list[int | None]
) -> None:
    network = biased(Network(layers, shape=SHAPE))
    unrolled, positions = unroll(network)
    assert positions == places
    assert {type(layer) for layer in unrolled.layers} <= {Dense, Unrolled, Relu}
    wanted, got = network.forward(X), unrolled.forward(X)
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    traces = network.trace(X)
    for output, position in zip(unrolled.trace(X), positions, strict=True):
        flat = traces[position].reshape(len(X), -1)
        np.testing.assert_allclose(output, flat, rtol=1e-4, atol=1e-5)
    for layer, count in zip(unrolled.layers, kernels, strict=True):
        assert isinstance(layer, Unrolled) == (count is not None)
        if isinstance(layer, Unrolled) and count is not None:
            each = layer.n_out // count
            np.testing.assert_array_equal(layer.groups, np.repeat(np.arange(count), each))


@pytest.mark.parametrize("encoding", ["current", "rate"])
def test_spiking_images_become_spiking_vectors(encoding: str) -> None:
    layers: list[Layer] = [
        *(Conv2d(2, 4, 3, stride=2, padding=1), Lif(48, threshold=0.2), AvgPool2d(2)),
        *(Conv2d(4, 3, 1), Lif(6, threshold=0.1)),
        *(Flatten(), Dense(6, 3), Leaky(3)),
    ]
    network = biased(Network(layers, shape=SHAPE, encoding=encoding, steps=9, seed=3))
    x = np.abs(X) / np.abs(X).max()
    unrolled, positions = unroll(network)
    assert positions == [0, 1, 3, 4, 6, 7]
    assert (unrolled.encoding, unrolled.steps, unrolled.seed) == (encoding, 9, 3)
    traces = network.trace(x)
    assert 0.1 < traces[4].mean() < 0.9
    for output, position in zip(unrolled.trace(x), positions, strict=True):
        wanted = traces[position].reshape(output.shape)
        # A voltage within rounding of the threshold may fire in one of the two only.
        assert np.mean(np.abs(output - wanted) > 1e-4) < 1e-3


def test_rows_of_a_kernel_hold_the_same_weights_at_other_places() -> None:
    network = Network([Conv2d(1, 2, 2), Relu(), Flatten(), Dense(8, 3)], shape=(1, 3, 3))
    layer = unroll(network)[0].layers[0]
    assert isinstance(layer, Unrolled)
    kernel = network.layers[0].weight[1, 0]
    wanted = np.zeros((4, 3, 3), np.float32)
    for row, (i, j) in enumerate(np.ndindex(2, 2)):
        wanted[row, i : i + 2, j : j + 2] = kernel
    np.testing.assert_array_equal(layer.weight[layer.groups == 1].reshape(4, 3, 3), wanted)


def test_a_network_of_vectors_is_itself() -> None:
    network = Network.from_spec("6-5-3")
    assert unroll(network) == (network, [0, 1, 2])
    assert hardware_form(network) == (network, [0, 1, 2])


def test_positions_lead_through_folding_to_the_layers_that_were_given() -> None:
    layers: list[Layer] = [
        *(Conv2d(2, 4, 2), BatchNorm(4), Relu(), Dropout(0.1), AvgPool2d(2), Flatten()),
        *(Dense(24, 5), BatchNorm(5)),
    ]
    network = biased(Network(layers, shape=SHAPE))
    form, positions = hardware_form(network)
    assert [type(layer) for layer in form.layers] == [Unrolled, Relu, Dense]
    assert positions == [1, 2, 7]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("spiking", [False, True])
def test_a_small_convolutional_network_becomes_a_program(spiking: bool, per_channel: bool) -> None:
    y = (X.reshape(40, 2, -1).mean(axis=2) > 0).sum(axis=1)
    hidden: list[Layer] = [Lif(36, 0.01)] if spiking else [Relu()]
    last: list[Layer] = [Leaky(3, 0.01)] if spiking else []
    layers = [Conv2d(2, 3, (4, 4)), *hidden, Flatten(), Dense(36, 3), *last]
    network = biased(Network(layers, shape=SHAPE, steps=6, seed=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(network, X, y, epochs=20, batch=8, learning_rate=0.02, validation=0.0)
    program = quantize(
        network, calibrate=X, weight_bits=8, activation_bits=10, per_channel=per_channel
    )
    classes = Emulator(program).run({"x": input_codes(program, X)})["class"][:, 0]
    assert np.mean(classes == network.predict(X)) >= 0.95
    cost = compare(network, program, X, y)
    assert [part.layer for part in cost.layers] == list(program.metadata["layers"])
    assert max(part.largest_error for part in cost.layers[:1]) < 0.1
    assert program.metadata["layers"]["lif1" if spiking else "relu1"] == 1


def test_its_gateware_is_the_program() -> None:
    layers: list[Layer] = [Conv2d(1, 2, 2), Relu(), AvgPool2d(2), Flatten(), Dense(2, 2)]
    network = biased(Network(layers, shape=(1, 3, 3)))
    x = np.random.default_rng(1).random((6, 9), np.float32)
    program = quantize(network, calibrate=x, weight_bits=5, activation_bits=5)
    outcome = verify(program, x)
    assert (outcome.frames, outcome.mismatches) == (6, 0)


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (
            lambda: [Conv2d(2, 3, 2), Relu(), MaxPool2d(2), Flatten(), Dense(18, 3)],
            (
                "Layer 2, MaxPool2d((2, 2), stride=(2, 2)), has no hardware form: use AvgPool2d or "
                "a stride in its place"
            ),
        ),
        (
            lambda: [Conv2d(2, 3, 2), Conv2d(3, 3, 2), Relu(), Flatten(), Dense(60, 3)],
            (
                "Layers must alternate Dense or Conv2d and Relu, begin and end with Dense or "
                "Conv2d to have a hardware form, not Conv2d, Conv2d, Relu, Flatten, Dense"
            ),
        ),
        (
            lambda: [Conv2d(2, 3, 2), Lif(90), Flatten(), Dense(90, 3), Lif(3), Leaky(3)],
            (
                "Layers must alternate Dense or Conv2d and Lif and end in Leaky "
                '(readout="membrane") to have a hardware form, not Conv2d, Lif, Flatten, Dense, '
                "Lif, Leaky"
            ),
        ),
    ],
)
def test_what_has_no_form_is_refused(layers: Callable[[], list[Layer]], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        hardware_form(Network(layers(), shape=SHAPE))
