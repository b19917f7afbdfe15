# SPDX-License-Identifier: Apache-2.0
import math
import re

import numpy as np
import pytest

from spikewright.learn.layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Flatten,
    Leaky,
    Lif,
    Lstm,
    MaxPool2d,
    Relu,
    Rnn,
    Tanh,
    pad,
)
from spikewright.network import Network
from spikewright.sim.errors import DataError


def test_images_pass_through_the_layers() -> None:
    layers = [Conv2d(2, 4, 3, padding=1), Relu(), MaxPool2d(2), Flatten(), Dense(24, 3)]
    network = Network(layers, shape=(2, 4, 6))
    assert network.shapes == [(2, 4, 6), (4, 4, 6), (4, 4, 6), (4, 2, 3), (24,), (3,)]
    assert (network.n_in, network.n_out) == (48, 3)
    x = np.random.default_rng(0).random((5, 2, 4, 6), np.float32)
    np.testing.assert_array_equal(network.forward(x), network.forward(x.reshape(5, -1)))
    for output, shape in zip(network.trace(x), network.shapes[1:], strict=True):
        assert output.shape == (5, *shape)


def test_a_network_may_end_where_images_become_values() -> None:
    network = Network([Conv2d(1, 2, 2), Flatten()], shape=(1, 3, 3))
    assert network.forward(np.zeros((4, 9))).shape == (4, 8)


@pytest.mark.parametrize("encoding", ["current", "rate"])
def test_images_spike(encoding: str) -> None:
    layers = [
        Conv2d(1, 3, 2),
        Lif(27, threshold=0.1),
        AvgPool2d(2, 1),
        Flatten(),
        Dense(12, 2),
        Leaky(2),
    ]
    network = Network(layers, shape=(1, 4, 4), encoding=encoding, steps=6, seed=2)
    x = np.random.default_rng(0).random((5, 16), np.float32)
    trace = network.trace(x)
    held = (5,) if encoding == "current" else (5, 6)
    assert [output.shape for output in trace] == [
        (*held, 3, 3, 3),
        (5, 6, 3, 3, 3),
        (5, 6, 3, 2, 2),
        (5, 6, 12),
        (5, 6, 2),
        (5, 6, 2),
    ]
    assert 0.05 < trace[1].mean() < 0.95
    np.testing.assert_array_equal(trace[3], trace[2].reshape(5, 6, 12))
    v, wanted = np.zeros((5, 27)), []
    currents = trace[0].reshape(*held, 27)
    for t in range(6):
        v = v * math.exp(-1 / 20) + (currents if encoding == "current" else currents[:, t])
        wanted.append(v >= 0.1)
        v = v - 0.1 * wanted[-1]
    np.testing.assert_array_equal(trace[1].reshape(5, 6, 27), np.stack(wanted, 1))


def test_sequences_of_several_lengths() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(length, 2)).astype(np.float32) for length in (3, 5, 1)]
    network = Network(
        [Lstm(2, 4, masked=True, sequence=True), Rnn(4, 4, masked=True), Tanh(), Dense(4, 2)],
        shape=(5, 3),
    )
    together = network.forward(pad(sequences))
    for k, sequence in enumerate(sequences):
        alone = network.forward(pad([sequence], 5))
        np.testing.assert_allclose(together[k], alone[0], rtol=1e-5, atol=1e-6)
        shorter = Network(network.layers, shape=(len(sequence), 3))
        np.testing.assert_allclose(shorter.forward(pad([sequence]))[0], alone[0], rtol=1e-5)


def test_sequences_that_cannot_be_padded_are_refused() -> None:
    for sequences, steps, sentence in (
        ([], None, "There must be at least one sequence to pad, not none"),
        ([np.ones((3, 2))], 2, "Sequence 0 must have shape (1 to 2, 2), not (3, 2)"),
        (
            [np.ones((3, 2)), np.ones((2, 1))],
            None,
            "Sequence 1 must have shape (1 to 3, 2), not (2, 1)",
        ),
        ([np.ones(3)], None, "Sequence 0 must have shape (1 to 3, 1), not (3,)"),
    ):
        with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
            pad(sequences, steps)
