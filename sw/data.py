# SPDX-License-Identifier: Apache-2.0
"""Samples and labels: reading, checking, splitting."""

import importlib
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import within
from spikewright.sim.errors import DataError, FileError, ToolError

if TYPE_CHECKING:
    from spikewright.network import Network

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
"""Arrays of a data file."""


@dataclass(frozen=True)
class Dataset:
    """Training and test samples with their labels, checked and converted when made.

    Parameters
    ----------
    x_train, x_test : (n, ...) array_like
        Samples of any shape, kept as (n, features) float32; uint8 is scaled by 1/255, every
        other type is taken as it is.
    y_train, y_test : (n,) array_like of int
        Classes, counted from 0.

    Raises
    ------
    DataError
        If an array is empty, not finite, not of numbers or does not fit the others.
    """

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x = samples(f"x_{part}", getattr(self, f"x_{part}"))
            y = labels(f"y_{part}", getattr(self, f"y_{part}"))
            if len(x) != len(y):
                raise DataError(
                    f"x_{part} and y_{part} must be of one length, not {len(x)} and {len(y)}"
                )
            object.__setattr__(self, f"x_{part}", x)
            object.__setattr__(self, f"y_{part}", y)
        if self.x_train.shape[1] != self.x_test.shape[1]:
            raise DataError(
                "x_train and x_test must have one number of features, "
                f"not {self.x_train.shape[1]} and {self.x_test.shape[1]}"
            )

    @property
    def features(self) -> int:
        """Values per sample."""
        return int(self.x_train.shape[1])

    @property
    def classes(self) -> int:
        """Number of classes: the largest label plus one."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a .npz file of the arrays x_train, y_train, x_test and y_test.

        Raises
        ------
        FileError
            If the file is missing or not a complete .npz file.
        DataError
            If an array is missing or does not fit.
        """
        arrays = read_arrays(path, ARRAYS)
        return cls(**{name: arrays[name] for name in ARRAYS})

    def check_fits(self, network: "Network") -> None:
        """Refuse samples and labels that the network cannot take.

        Raises
        ------
        DataError
            If the features or the classes differ from the network's inputs and outputs, or a
            coding by spikes meets a value outside 0 to 1.
        """
        for part in ("train", "test"):
            x = network.check_samples(getattr(self, f"x_{part}"), name=f"x_{part}")
            network.check_labels(getattr(self, f"y_{part}"), len(x), name=f"y_{part}")


def samples(name: str, values: Any) -> NDArray[np.float32]:
    """Check samples and return them as (n, features) float32; uint8 is scaled by 1/255.

    Parameters
    ----------
    name : str
        What error sentences call the array.
    values : (n, ...) array_like

    Raises
    ------
    DataError
        If the array is empty, has no features, is not of real numbers or not finite.
    """
    array = array_of(name, values)
    if array.dtype.kind not in "buif":
        raise DataError(f"{name} must hold real numbers, not {array.dtype}")
    if array.ndim < 2:
        raise DataError(f"{name} must have shape (samples, features), not {array.shape}")
    if array.size == 0:
        raise DataError(f"{name} must not be empty, and its shape is {array.shape}")
    # Values beyond float32 become infinite and are reported below.
    with np.errstate(over="ignore"):
        flat = np.ascontiguousarray(array.reshape(len(array), -1), np.float32)
    bad = flat.size - np.count_nonzero(np.isfinite(flat))
    if bad:
        raise DataError(f"{name} must be finite, and {bad} of its {flat.size} values are not")
    return flat * np.float32(1 / 255) if array.dtype == np.uint8 else flat


def labels(name: str, values: Any, classes: int | None = None) -> NDArray[np.int64]:
    """Check class labels and return them as int64.

    Parameters
    ----------
    name : str
        What error sentences call the array.
    values : (n,) array_like of int
    classes : int, optional
        Number of classes; any number if not given.

    Raises
    ------
    DataError
        If the array is empty, not one-dimensional, not of integers, or a label is out of range.
    """
    array = array_of(name, values)
    if array.dtype.kind not in "ui":
        raise DataError(f"{name} must hold integer class labels, not {array.dtype}")
    if array.ndim != 1:
        raise DataError(f"{name} must have shape (samples,), not {array.shape}")
    if array.size == 0:
        raise DataError(f"{name} must not be empty")
    if array.min() < 0:
        raise DataError(f"{name} must hold labels from 0, not {array.min()}")
    if classes is not None and array.max() >= classes:
        raise DataError(
            f"{name} must hold labels from 0 to {classes - 1}, one per output of the network, "
            f"not {array.max()}"
        )
    return array.astype(np.int64)


def read_arrays(path: str | Path, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays of a .npz file, never unpickling.

    Parameters
    ----------
    path : path
    names : iterable of str, optional
        Arrays that must be there; all that are there if not given.

    Raises
    ------
    FileError
        If the file is missing or not a complete .npz file.
    DataError
        If a named array is missing or holds Python objects.
    """
    if not Path(path).is_file():
        raise FileError(f"There is no file {path}: check its name")
    if not zipfile.is_zipfile(path):
        raise _incomplete(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            wanted = archive.files if names is None else list(names)
            for name in wanted:
                if name not in archive.files:
                    raise DataError(f"{path} has no array {name}: it must hold {', '.join(wanted)}")
            return {name: archive[name] for name in wanted}
    except DataError:
        raise
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        # NumPy's only refusal that is about the content and not about its encoding.
        if "Object arrays" in str(error):
            raise DataError(
                f"{path} holds an array of Python objects: store arrays of numbers"
            ) from error
        raise _incomplete(path) from error


def digits(*, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
    """scikit-learn's 1797 handwritten digits: 8 x 8 pixels in 0 to 1, ten classes.

    Parameters
    ----------
    test_fraction : float
        Share of every class that is held out for the test.
    seed : int
        Seed of the shuffle.

    Raises
    ------
    DataError
        If the fraction is not between 0 and 1.
    ToolError
        If scikit-learn is not installed.
    """
    if not within(test_fraction, 0, 1, "()"):
        raise DataError(f"Test fraction must be between 0 and 1, not {test_fraction!r}")
    try:
        bunch = importlib.import_module("sklearn.datasets").load_digits()
    except ImportError as error:
        raise ToolError(
            "The bundled digits need scikit-learn: run pip install spikewright[demo]"
        ) from error
    x, y = np.asarray(bunch.data / 16, np.float32), np.asarray(bunch.target)
    rng = np.random.default_rng(seed)
    train, test = [], []
    for label in range(10):
        rows = rng.permutation(np.flatnonzero(y == label))
        held_out = max(1, round(test_fraction * len(rows)))
        test.append(rows[:held_out])
        train.append(rows[held_out:])
    chosen, rest = rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))
    return Dataset(x_train=x[chosen], y_train=y[chosen], x_test=x[rest], y_test=y[rest])


def array_of(name: str, values: Any) -> NDArray[Any]:
    """Return values as an array.

    Raises
    ------
    DataError
        If their rows differ in shape.
    """
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} must be an array, and its rows differ in shape") from error


def _incomplete(path: str | Path) -> FileError:
    return FileError(f"{path} is not a complete .npz file: write it again with numpy.savez")
