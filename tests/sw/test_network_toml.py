# SPDX-License-Identifier: Apache-2.0
"""Networks as TOML files of layers: every kind, what is inferred, what is refused."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright import network_toml
from spikewright.learn.layers import (
    LAYERS,
    Alif,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Gru,
    HardTanh,
    Layer,
    Leaky,
    LeakyRelu,
    Lif,
    Lstm,
    Maxout,
    MaxPool2d,
    RecurrentLif,
    Relu,
    Rnn,
    Sigmoid,
    SignedRelu,
    Tanh,
)
from spikewright.network import Network
from spikewright.sim.errors import FileError, FormatError, ProgramError, SpikewrightError

LENET = """
[network]
shape = [1, 9, 9]
initialiser = "glorot"

[[layer]]
kind = "Conv2d"
kernels = 4
size = 3
padding = [1, 0]

[[layer]]
kind = "BatchNorm"

[[layer]]
kind = "Relu"

[[layer]]
kind = "MaxPool2d"
size = 2

[[layer]]
kind = "Flatten"

[[layer]]
kind = "Dense"
n_out = 5
"""


def build(*layers: dict[str, Any], **options: Any) -> Network:
    return network_toml.build({"network": options, "layer": list(layers)}, Network)


def test_a_file_is_the_network_that_it_says(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(LENET)
    network = Network.from_toml(path, seed=7)
    layers = [
        Conv2d(1, 4, 3, padding=(1, 0)),
        BatchNorm(4),
        Relu(),
        MaxPool2d(2),
        Flatten(),
        Dense(48, 5),
    ]
    wanted = Network(layers, shape=(1, 9, 9), seed=7, initialiser="glorot")
    assert list(map(repr, network.layers)) == list(map(repr, wanted.layers))
    x = np.random.default_rng(0).random((3, 81), np.float32)
    np.testing.assert_array_equal(network.forward(x), wanted.forward(x))


def test_the_files_seed_counts_before_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text('network.seed = 3\n[[layer]]\nkind = "Dense"\nn_in = 4\nn_out = 2\n')
    assert Network.from_toml(path, seed=7).seed == 3


def test_sizes_follow_from_the_layers_before() -> None:
    network = build(
        {"kind": "Dense", "n_in": 6, "n_out": 8},
        {"kind": "Lif", "threshold": 1, "tau": 0.01},
        {"kind": "Maxout", "n_out": 5},
        {"kind": "Alif"},
        {"kind": "Dense", "n_out": 4},
        {"kind": "RecurrentLif"},
        {"kind": "Dense", "n_out": 3},
        {"kind": "Leaky"},
        steps=9,
    )
    assert [layer.n_in for layer in network.layers] == [6, 8, 8, 5, 5, 4, 4, 3]
    assert (network.layers[1], network.steps) == (Lif(8, tau=0.01), 9)
    network = build(
        {"kind": "Gru", "n_out": 4, "masked": True, "sequence": True},
        {"kind": "Lstm", "n_out": 5, "masked": True},
        {"kind": "Dense", "n_out": 2},
        shape=[7, 3],
    )
    assert list(map(repr, network.layers)) == ["Gru(2, 4)", "Lstm(4, 5)", "Dense(5, 2)"]


IMAGES: list[Layer] = [
    Conv2d(1, 3, (2, 3), stride=2, padding=1),
    BatchNorm(3, 0.2),
    LeakyRelu(0.25),
    AvgPool2d(2, 1),
    MaxPool2d(1),
    Flatten(),
    Dropout(0.1),
    Maxout(60, 4, 3),
    HardTanh(2.0),
    SignedRelu([1, -1, 1, 1]),
    Sigmoid(),
    Tanh(),
    Relu(),
    Dense(4, 2),
]
SEQUENCES: list[Layer] = [
    Rnn(2, 3, sequence=True),
    Lstm(3, 3, sequence=True),
    Gru(3, 4),
    Dense(4, 2),
]
SPIKES: list[Layer] = [
    Dense(5, 6),
    Lif(6, 0.01, 0.5, "zero", 3.0, "arctan"),
    Alif(6, adaptation=0.3),
    RecurrentLif(6, adaptation=0.2),
    Leaky(6),
]


@pytest.mark.parametrize(
    ("layers", "shape"), [(IMAGES, (1, 9, 12)), (SEQUENCES, (6, 2)), (SPIKES, (5,))]
)
def test_what_is_written_is_read(
    layers: list[Layer], shape: tuple[int, ...], tmp_path: Path
) -> None:
    network = Network(layers, shape=shape, dt=2e-5, encoding="rate", seed=4)
    text = network_toml.dump(network)
    path = tmp_path / "net.toml"
    path.write_text(text)
    again = Network.from_toml(path)
    assert network_toml.dump(again) == text
    assert (again.shapes, again.dt, again.encoding) == (network.shapes, 2e-5, "rate")
    assert [layer.options() for layer in again.layers] == [layer.options() for layer in layers]


def test_the_round_trip_is_of_every_kind() -> None:
    assert {type(layer).__name__ for layer in IMAGES + SEQUENCES + SPIKES} >= set(LAYERS)


@pytest.mark.parametrize(
    ("layers", "options", "sentence"),
    [
        (
            [{"kind": "dens", "n_in": 1}],
            {},
            "Layer 0 has the unknown kind 'dens': did you mean Dense?",
        ),
        ([{"kind": 3}], {}, f"Layer 0 has the unknown kind 3: it must be {', '.join(LAYERS)}"),
        ([{"n_in": 3}], {}, 'Layer 0 must have a kind, such as kind = "Dense"'),
        (
            [{"kind": "Dense", "n_in": 3, "outputs": 4}],
            {},
            "Layer 0, Dense, has no option 'outputs': it takes n_in or n_out",
        ),
        (
            [{"kind": "Dense", "n_in": 3, "n_out": 4, "weight": []}],
            {},
            "Layer 0, Dense, has no option 'weight': it takes n_in or n_out",
        ),
        (
            [{"kind": "Relu", "size": 3}],
            {"shape": [3]},
            "Layer 0, Relu, takes no options, and 'size' was given",
        ),
        (
            [{"kind": "Dense", "n_in": 3, "n_out": "4"}],
            {},
            "Layer 0, Dense, needs an integer as n_out, not '4'",
        ),
        (
            [{"kind": "Dense", "n_in": 3, "n_out": True}],
            {},
            "Layer 0, Dense, needs an integer as n_out, not True",
        ),
        (
            [{"kind": "Conv2d", "kernels": 3, "size": 2.5}],
            {"shape": [1, 5, 5]},
            "Layer 0, Conv2d, needs an integer or a list of integers as size, not 2.5",
        ),
        (
            [{"kind": "Gru", "n_out": 3, "masked": 1}],
            {"shape": [4, 5]},
            "Layer 0, Gru, needs true or false as masked, not 1",
        ),
        (
            [{"kind": "Dropout", "rate": "half"}],
            {"shape": [4]},
            "Layer 0, Dropout, needs a number as rate, not 'half'",
        ),
        (
            [{"kind": "SignedRelu", "signs": [1, 0.5]}],
            {"shape": [2]},
            "Layer 0, SignedRelu, needs a list of integers as signs, not [1, 0.5]",
        ),
        (
            [{"kind": "Dense", "n_in": 4}],
            {},
            (
                "Layer 0, Dense, must have the option n_out: it follows from the layer before only "
                "if [network] has a shape"
            ),
        ),
        ([{"kind": "Dense"}], {"shape": [4]}, "Layer 0, Dense, must have the option n_out"),
        (
            [{"kind": "Dropout", "rate": 2}],
            {"shape": [4]},
            "Layer 0 cannot be: Dropout rate must be at least 0 and below 1, not 2",
        ),
        (
            [{"kind": "Dense", "n_in": 4, "n_out": 3}, {"kind": "Dense", "n_in": 2, "n_out": 3}],
            {},
            "Layer 1 cannot follow: Dense(2, 3) takes 2 values, not 3",
        ),
        (
            [{"kind": "Dense", "n_out": 3}],
            {"shape": [1, 4, 4]},
            (
                "Layer 0 cannot follow: Dense(16, 3) takes 16 values, not images of (1, 4, 4): put "
                "Flatten before it"
            ),
        ),
        (
            [],
            {"tau": 3},
            (
                "Table [network] has no option 'tau': it takes shape, dt, steps, encoding, "
                "readout, seed or initialiser"
            ),
        ),
        ([], {"steps": 2.0}, "Table [network] needs an integer as steps, not 2.0"),
        ([], {"shape": 4}, "Table [network] needs a list of integers as shape, not 4"),
        ([], {}, "Network must have at least one layer, and it is empty"),
    ],
)
def test_what_cannot_be_is_refused(
    layers: list[dict[str, Any]], options: dict[str, Any], sentence: str
) -> None:
    sentence = sentence.replace(", Gru", " or Gru") if "must be Dense" in sentence else sentence
    with pytest.raises(SpikewrightError, match=f"^{re.escape(sentence)}$") as raised:
        build(*layers, **options)
    assert isinstance(raised.value, FormatError | ProgramError)


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"layers": []}, "Table of a network file must be network or layer, not 'layers'"),
        ({"network": 3}, "Options of a network file must be one table [network]"),
        ({"layer": {"kind": "Relu"}}, "Layers of a network file must be tables [[layer]]"),
        ({"layer": ["Relu"]}, "Layers of a network file must be tables [[layer]]"),
    ],
)
def test_other_tables_are_refused(tables: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        network_toml.build(tables, Network)


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    with pytest.raises(
        FileError, match=f"^There is no file {re.escape(str(path))}: check its name$"
    ):
        Network.from_toml(path)
    for content in (b"[[layer]\n", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(FileError, match=f"^{re.escape(str(path))} is not TOML: [^\n]+$"):
            Network.from_toml(path)
