# SPDX-License-Identifier: Apache-2.0
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.data import Dataset, digits
from spikewright.network import Network
from spikewright.sim.errors import DataError, FileError, ToolError


def arrays(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "x_train": np.zeros((4, 2, 3), np.float32),
        "y_train": np.array([0, 1, 2, 1], np.uint8),
        "x_test": np.ones((2, 2, 3), np.float32),
        "y_test": np.array([2, 0]),
    }
    return {**good, **changes}


def test_images_are_flattened_and_bytes_scaled() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    data = Dataset(**arrays(x_train=pixels, x_test=pixels[:2] * 1.0))
    np.testing.assert_array_equal(data.x_train, pixels.reshape(4, 6) * np.float32(1 / 255))
    np.testing.assert_array_equal(data.x_test, pixels[:2].reshape(2, 6))
    assert {data.x_train.dtype, data.x_test.dtype} == {np.dtype(np.float32)}
    assert {data.y_train.dtype, data.y_test.dtype} == {np.dtype(np.int64)}
    assert (data.features, data.classes) == (6, 3)


def test_white_is_one() -> None:
    data = Dataset(**arrays(x_train=np.full((4, 6), 255, np.uint8)))
    assert (data.x_train == 1).all()


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays(), other=np.zeros(1))
    data = Dataset.load(path)
    np.testing.assert_array_equal(data.x_test, np.ones((2, 6)))
    np.testing.assert_array_equal(data.y_train, [0, 1, 2, 1])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"y_train": np.zeros(3, int)},
            "x_train and y_train must be of one length, not 4 and 3",
        ),
        (
            {"x_test": np.ones((2, 5))},
            "x_train and x_test must have one number of features, not 6 and 5",
        ),
        ({"x_train": np.zeros(4)}, "x_train must have shape (samples, features), not (4,)"),
        (
            {"x_test": np.zeros((0, 6))},
            "x_test must not be empty, and its shape is (0, 6)",
        ),
        ({"y_test": np.zeros(0, int)}, "y_test must not be empty"),
        ({"x_train": np.full((4, 6), "a")}, "x_train must hold real numbers, not <U1"),
        (
            {"x_train": np.array([[1], None], object)},
            "x_train must hold real numbers, not object",
        ),
        ({"x_train": [[1], [1, 2]]}, "x_train must be an array, and its rows differ in shape"),
        (
            {"x_test": np.array([[1, np.nan, np.inf]] * 2)},
            "x_test must be finite, and 4 of its 6 values are not",
        ),
        (
            {"x_test": np.full((2, 6), 1e300)},
            "x_test must be finite, and 12 of its 12 values are not",
        ),
        (
            {"y_test": np.array([0.0, 1.0])},
            "y_test must hold integer class labels, not float64",
        ),
        ({"y_test": np.eye(2, dtype=int)}, "y_test must have shape (samples,), not (2, 2)"),
        ({"y_test": np.array([0, -1])}, "y_test must hold labels from 0, not -1"),
    ],
)
def test_wrong_arrays_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        Dataset(**arrays(**changes))


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.npz"
    with pytest.raises(
        FileError, match=f"^There is no file {re.escape(str(path))}: check its name$"
    ):
        Dataset.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"x_train,y_train\n", b"PK\x03\x04", b"\x93NUMPY\x01\x00"]
)
def test_what_is_no_npz_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    incomplete(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_file(compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    incomplete(path)
    damaged = bytearray(content)
    middle = slice(50, 120)
    damaged[middle] = bytes(byte ^ 0x55 for byte in damaged[middle])
    path.write_bytes(damaged)
    incomplete(path)


def incomplete(path: Path) -> None:
    sentence = f"{path} is not a complete .npz file: write it again with numpy.savez"
    with pytest.raises(FileError, match=f"^{re.escape(sentence)}$"):
        Dataset.load(path)


def test_missing_array_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    content = arrays()
    del content["y_test"]
    np.savez(path, **content)
    sentence = f"{path} has no array y_test: it must hold x_train, y_train, x_test, y_test"
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        Dataset.load(path)


def test_python_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays(y_test=np.array([0, {}], object)))
    sentence = f"{path} holds an array of Python objects: store arrays of numbers"
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        Dataset.load(path)


@pytest.mark.parametrize(
    ("spec", "changes", "sentence"),
    [
        ("5-3", {}, "x_train must have 5 features, one per input of the network, not 6"),
        (
            "6-2",
            {"y_train": np.zeros(4, int)},
            "y_test must hold labels from 0 to 1, one per output of the network, not 2",
        ),
        (
            "6-3",
            {"x_test": np.full((2, 6), -0.5)},
            (
                "Rate coding needs values from 0 to 1, and x_test holds -0.5 to -0.5: "
                'scale it or use encoding="current"'
            ),
        ),
    ],
)
def test_data_must_fit_the_network(spec: str, changes: dict[str, Any], sentence: str) -> None:
    network = Network.from_spec(spec, neuron="lif", encoding="rate")
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        Dataset(**arrays(**changes)).check_fits(network)


def test_data_that_fit_pass() -> None:
    Dataset(**arrays()).check_fits(Network.from_spec("6-3", neuron="lif", encoding="rate"))
    Dataset(**arrays(x_test=np.full((2, 6), -0.5))).check_fits(Network.from_spec("6-3"))


def test_digits_are_split_by_class_and_seed() -> None:
    pytest.importorskip("sklearn")
    data, same, other = digits(), digits(), digits(seed=1)
    assert (len(data.x_train), len(data.x_test), data.features, data.classes) == (1438, 359, 64, 10)
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    everything = np.bincount(np.concatenate([data.y_train, data.y_test]))
    np.testing.assert_array_equal(np.bincount(data.y_test), np.round(everything * 0.2))
    np.testing.assert_array_equal(data.x_train, same.x_train)
    assert (data.y_test != other.y_test).any()
    both = np.concatenate([data.x_train, data.x_test])
    assert len(np.unique(both, axis=0)) == 1797


def test_digits_need_a_fraction_and_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"^Test fraction must be between 0 and 1, not 1$"):
        digits(test_fraction=1)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    sentence = "The bundled digits need scikit-learn: run pip install spikewright[demo]"
    with pytest.raises(ToolError, match=f"^{re.escape(sentence)}$"):
        digits()
