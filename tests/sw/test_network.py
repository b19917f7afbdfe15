# SPDX-License-Identifier: Apache-2.0
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.learn.fit import fit
from spikewright.learn.layers import (
    Alif,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Gru,
    Leaky,
    LeakyRelu,
    Lif,
    Lstm,
    Maxout,
    RecurrentLif,
    Relu,
)
from spikewright.network import CHUNK, Network
from spikewright.sim.errors import DataError, FileError, FormatError, ProgramError
from spikewright.spikes import spike_encode

X = np.random.default_rng(0).random((CHUNK + 7, 6), np.float32)


def simulate(network: Network, inputs: np.ndarray) -> list[np.ndarray]:
    """Outputs of all layers for one frame of inputs (steps, n_in), step by step in plain NumPy."""
    voltages = [np.zeros(layer.n_out or 0) for layer in network.layers]
    outputs: list[list[np.ndarray]] = [[] for _ in network.layers]
    for value in inputs:
        for k, layer in enumerate(network.layers):
            if isinstance(layer, Dense):
                value = layer.weight @ value + layer.bias
            elif isinstance(layer, Leaky):
                leak = 1 - math.exp(-network.dt / layer.tau)
                v = voltages[k] - leak * voltages[k] + value
                value = v
                if isinstance(layer, Lif):
                    value = (v >= layer.threshold).astype(np.float64)
                    v = (
                        v - layer.threshold * value
                        if layer.reset == "subtract"
                        else v * (1 - value)
                    )
                voltages[k] = v
            outputs[k].append(value)
    return [np.array(rows) for rows in outputs]


@pytest.mark.parametrize("encoding", ["current", "rate", "latency"])
@pytest.mark.parametrize("readout", ["membrane", "count"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_spiking_network_follows_its_equations(encoding: str, readout: str, reset: str) -> None:
    network = Network.from_spec(
        "6-9-8-3",
        neuron="lif",
        encoding=encoding,
        readout=readout,
        reset=reset,
        threshold=0.1 if encoding == "latency" else 0.4,
        tau=0.01,
        steps=11,
        seed=3,
    )
    logits, trace = network.forward(X), network.trace(X)
    spikes = X if encoding == "current" else spike_encode(encoding, X, 11, seed=3)
    rates = []
    for frame in range(0, len(X), 9):
        inputs = np.tile(X[frame], (11, 1)) if encoding == "current" else spikes[frame]
        expected = simulate(network, inputs)
        for k, layer in enumerate(network.layers):
            got = trace[k][frame]
            if isinstance(layer, Lif):
                np.testing.assert_array_equal(got, expected[k])
                rates.append(got.mean())
            else:
                wanted = expected[k][0] if got.ndim == 1 else expected[k]
                np.testing.assert_allclose(got, wanted, atol=1e-5)
        last = expected[-1]
        answer = last[-1] if readout == "membrane" else last.sum(0)
        np.testing.assert_allclose(logits[frame], answer, atol=1e-5)
    assert 0.05 < np.mean(rates) < 0.8


def test_relu_network_follows_its_equations() -> None:
    network = Network.from_spec("6-9-3", seed=1)
    first, last = network.layers[0], network.layers[2]
    assert isinstance(first, Dense)
    assert isinstance(last, Dense)
    hidden = np.maximum(X @ first.weight.T + first.bias, 0)
    logits = hidden @ last.weight.T + last.bias
    np.testing.assert_allclose(network.forward(X), logits, atol=1e-5)
    np.testing.assert_array_equal(network.predict(X), logits.argmax(1))
    np.testing.assert_allclose(network.trace(X)[1], hidden, atol=1e-5)
    y = logits.argmax(1)
    y[:27] = (y[:27] + 1) % 3
    assert network.accuracy(X, y) == (len(X) - 27) / len(X)


def test_samples_may_have_any_shape() -> None:
    network = Network.from_spec("6-3")
    np.testing.assert_array_equal(network.forward(X.reshape(-1, 2, 3)), network.forward(X))
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 6) * 20
    np.testing.assert_allclose(network.forward(pixels), network.forward(pixels / 255), rtol=1e-5)


def test_seed_draws_the_weights() -> None:
    a, b, c = (Network.from_spec("6-9-3", seed=seed).parameters()[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()


def test_spec_builds_the_layers() -> None:
    assert repr(Network.from_spec("6-5-3").layers) == "[Dense(6, 5), Relu(), Dense(5, 3)]"
    spiking = Network.from_spec("6-5-3", neuron="lif", tau=0.01, threshold=0.5, reset="zero")
    assert spiking.layers[1::2] == [Lif(5, 0.01, 0.5, "zero"), Leaky(3, 0.01)]
    counting = Network.from_spec("6-5-3", neuron="lif", readout="count", steps=7, dt=2e-3)
    assert counting.layers[1::2] == [Lif(5), Lif(3)]
    assert (counting.spiking, counting.steps, counting.dt) == (True, 7, 2e-3)
    assert (counting.n_in, counting.n_out) == (6, 3)


@pytest.mark.parametrize(
    "network",
    [
        Network.from_spec("6-5-3", seed=4),
        Network.from_spec("6-5-3", neuron="lif", encoding="rate", dt=2e-3, steps=9, tau=0.01),
        Network.from_spec("6-5-3", neuron="lif", readout="count", reset="zero", threshold=0.3),
        Network([Dense(6, 5), BatchNorm(5), Relu(), Dropout(0.2), Dense(5, 3)]),
        Network([Conv2d(1, 4, 2), LeakyRelu(), Flatten(), Maxout(8, 3)], shape=(1, 2, 3)),
        Network([Gru(1, 5, sequence=True), Lstm(5, 3)], shape=(6, 1)),
        Network([Dense(6, 5), RecurrentLif(5), Dense(5, 3), Alif(3)], readout="count"),
    ],
)
@pytest.mark.filterwarnings("ignore::spikewright.sim.errors.SpikewrightWarning")
def test_file_keeps_everything(network: Network, tmp_path: Path) -> None:
    fit(network, X, np.arange(len(X)) % 3, epochs=1, validation=0.0)
    network.save(tmp_path / "net")
    again = Network.load(tmp_path / "net")
    np.testing.assert_array_equal(again.forward(X), network.forward(X))
    assert repr(again.layers) == repr(network.layers)
    assert again.history == network.history
    assert len(again.history) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_files_of_before_there_were_shapes_are_read(tmp_path: Path) -> None:
    path, network = tmp_path / "net.npz", Network.from_spec("6-5-3", seed=4)
    network.save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    text = str(arrays["structure"])
    assert '"shape": [6]' in text
    arrays["structure"] = np.array(text.replace(', "shape": [6]', ""))
    np.savez(path, **arrays)
    np.testing.assert_array_equal(Network.load(path).forward(X), network.forward(X))


def test_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, network = tmp_path / "net.npz", Network.from_spec("6-3")
    network.save(path)
    before = path.read_bytes()

    def fail(file: Any, **_: Any) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match=r"^disk full$"):
        network.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.npz"
    with pytest.raises(
        FileError, match=f"^There is no file {re.escape(str(path))}: check its name$"
    ):
        Network.load(path)


def refused(path: Path) -> None:
    sentence = f"{path} is not a complete network file: train and save the network again"
    with pytest.raises(FileError, match=f"^{re.escape(sentence)}$"):
        Network.load(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    Network.from_spec("6-5-3").save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path)


def test_altered_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    network = Network.from_spec("6-5-3")
    network.save(path)
    content = bytearray(path.read_bytes())
    at = content.index(network.parameters()[0].tobytes("A"))
    content[at] ^= 1
    path.write_bytes(content)
    refused(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    refused(path)
    with np.load(_saved(tmp_path / "good.npz")) as archive:
        arrays = dict(archive)
    text = str(arrays["structure"])
    for changed in (
        {"structure": np.array(text.replace("network-1", "network-2"))},
        {"structure": np.array(text.replace("Relu", "Selu"))},
        {"structure": np.array(text.replace('"n_in": 6', '"n_in": 7'))},
        {"structure": np.array(text[:-1])},
        {"structure": np.array("[]")},
        {"structure": np.zeros(2)},
        {"parameter0": np.full((5, 6), np.nan)},
        {"parameter0": np.full((5, 6), "x")},
    ):
        np.savez(path, **{**arrays, **changed})
        refused(path)
    np.savez(path, x=np.zeros(2))
    refused(path)


def _saved(path: Path) -> Path:
    Network.from_spec("6-5-3").save(path)
    return path


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (
            lambda: Network.from_spec("784x128"),
            ProgramError,
            "Network must be layer sizes joined by dashes such as 784-128-10, not '784x128'",
        ),
        (
            lambda: Network.from_spec("784-0-10"),
            ProgramError,
            "Network must be layer sizes joined by dashes such as 784-128-10, not '784-0-10'",
        ),
        (
            lambda: Network.from_spec("10"),
            ProgramError,
            "Network must be layer sizes joined by dashes such as 784-128-10, not '10'",
        ),
        (
            lambda: Network.from_spec("4-2", neuron="tanh"),
            ProgramError,
            "Neuron must be relu or lif, not 'tanh'",
        ),
        (
            lambda: Network([Dense(4, 3), Relu(), Dense(2, 1)]),
            FormatError,
            "Layer 2 cannot follow: Dense(2, 1) takes 2 values, not 3",
        ),
        (
            lambda: Network([]),
            ProgramError,
            "Network must have at least one layer, and it is empty",
        ),
        (
            lambda: Network([Relu()]),
            FormatError,
            (
                "Shape of the samples must be given to a network that begins with Relu(), such as "
                "shape=(1, 28, 28)"
            ),
        ),
        (
            lambda: Network([Flatten(), Dense(4, 3)], shape=(1, 0, 4)),
            FormatError,
            "Shape of the samples must hold positive integers, not (1, 0, 4)",
        ),
        (
            lambda: Network([Conv2d(1, 2, 3)], shape=(1, 5, 5)),
            FormatError,
            "Network must end in values, not in images of (2, 3, 3)",
        ),
        (
            lambda: Network([Gru(2, 2, sequence=True)], shape=(5, 2)),
            FormatError,
            "Network must end in values, not in sequences of (5, 2)",
        ),
        (
            lambda: Network([Dense(4, 3)], initialiser="zero"),
            ProgramError,
            "Initialiser must be he, glorot, uniform or coherent, not 'zero'",
        ),
        (
            lambda: Network([Dense(4, 3), Lif(3)]),
            ProgramError,
            'Layers must end in Leaky (readout="membrane"), not Dense, Lif',
        ),
        (
            lambda: Network([Dense(4, 3), Leaky(3)], readout="count"),
            ProgramError,
            ('Layers must end in Lif, Alif or RecurrentLif (readout="count"), not Dense, Leaky'),
        ),
        (
            lambda: Network([Dense(4, 3)], readout="first"),
            ProgramError,
            "Readout must be membrane or count, not 'first'",
        ),
        (
            lambda: Network([Dense(4, 3)], encoding="phase"),
            ProgramError,
            "Encoding must be current, rate or latency, not 'phase'",
        ),
        (
            lambda: Network([Dense(4, 3)], dt=0.0),
            ProgramError,
            "Time step must be positive and finite, not 0.0 s",
        ),
        (
            lambda: Network([Dense(4, 3)], steps=0),
            ProgramError,
            "Steps must be an integer from 1, not 0",
        ),
        (
            lambda: Network([Dense(4, 3)], seed=-1),
            ProgramError,
            "Seed must be an integer from 0, not -1",
        ),
        (
            lambda: Network.from_spec("4-3").forward(np.zeros((2, 5))),
            DataError,
            "x must have 4 features, one per input of the network, not 5",
        ),
        (
            lambda: Network.from_spec("4-3").accuracy(np.zeros((2, 4)), [0, 3]),
            DataError,
            "y must hold labels from 0 to 2, one per output of the network, not 3",
        ),
        (
            lambda: Network.from_spec("4-3", neuron="lif", encoding="rate").forward(
                np.full((2, 4), 1.5)
            ),
            DataError,
            (
                "Rate coding needs values from 0 to 1, and x holds 1.5 to 1.5: "
                'scale it or use encoding="current"'
            ),
        ),
    ],
)
def test_what_cannot_be_is_refused(
    make: Callable[[], object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(sentence)}$"):
        make()
