# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: all that a training run stands on between two epochs, in one .npz file."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.data import read_arrays
from spikewright.learn.options import check_count, within
from spikewright.learn.tape import Array
from spikewright.learn.training.settings import Options
from spikewright.network import Network
from spikewright.network_file import structure, write_arrays
from spikewright.sim.errors import DataError, FileError, ProgramError

FORMAT = "spikewright-checkpoint-1"
"""Name and version of the file format."""

LONG = 200
"""Characters of two differing facts from which on a sentence does not show them."""

Facts = dict[str, dict[str, Any]]
"""What a run is made with: network, data and options, each by name."""


@dataclass
class Standing:
    """Where a run stands after a whole epoch, beside its arrays.

    Attributes
    ----------
    epochs : int
        Epochs done in this run.
    best : float or None
        Lowest validation loss so far.
    best_epoch : int
        Where it was, counted from 0.
    history : list of dict
        All that the network has, this run's epochs last.
    generators : list of dict
        States of the random generators.
    """

    epochs: int
    best: float | None
    best_epoch: int
    history: list[dict[str, float | None]]
    generators: list[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """Where a run leaves checkpoints, and which one it goes on from.

    Parameters
    ----------
    path : path, optional
        File to write; none if not given.
    every : int
        Whole epochs from one to the next; there is always one of the last.
    resume : path, optional
        File to go on from.
    facts : mapping
        See :func:`facts`.

    Raises
    ------
    DataError
        If the file's folder does not exist.
    ProgramError
        If ``every`` is not a positive integer.
    """

    path: str | Path | None = None
    every: int = 1
    resume: str | Path | None = None
    facts: Facts

    def __post_init__(self) -> None:
        check_count("Epochs from one checkpoint to the next", self.every, 1)
        if self.path is not None and not Path(self.path).resolve().parent.is_dir():
            raise DataError(f"Folder {Path(self.path).parent} does not exist: make it first")
        if self.path is not None and Path(self.path).is_dir():
            raise DataError(f"Checkpoint must be a file, and {self.path} is a folder: name a file")

    def write(self, standing: Standing, arrays: Sequence[Array], *, last: bool) -> None:
        """Write the file, complete or not at all, if it is time to or this was the last epoch."""
        if self.path is None or not (last or standing.epochs % self.every == 0):
            return
        head = {"format": FORMAT, "made_with": self.facts, "standing": asdict(standing)}
        text = np.array(json.dumps(head, default=_plain))
        write_arrays(self.path, head=text, **dict(_named(arrays)))

    def read(
        self, arrays: Sequence[Array], generators: Sequence[np.random.Generator]
    ) -> Standing | None:
        """Read the file to go on from into ``arrays`` and ``generators``, if there is one.

        Raises
        ------
        FileError
            If the file is missing, incomplete, altered or of another kind.
        DataError, ProgramError
            If it was made with other data, or with another network or other options; the arrays
            have not changed then.
        """
        if self.resume is None:
            return None
        path = self.resume
        if not Path(path).is_file():
            raise FileError(f"There is no checkpoint {path}: check its name")
        try:
            stored = read_arrays(path)
            head = json.loads(str(stored["head"]))
            if head["format"] != FORMAT:
                raise _foreign(path)
            made_with, standing = head["made_with"], Standing(**head["standing"])
            _check(made_with, standing)
            for generator, state in zip(generators, standing.generators, strict=True):
                generator.bit_generator.state = state
        except (KeyError, TypeError, ValueError) as error:
            raise _foreign(path) from error
        _compare(path, made_with, json.loads(json.dumps(self.facts, default=_plain)))
        _restore(path, stored, arrays)
        return standing


def facts(network: Network, rule: str, x: Array, targets: Array, options: Options) -> Facts:
    """What a checkpoint must agree on with the run that goes on from it.

    Parameters
    ----------
    network : Network
    rule : str
    x, targets : ndarray
        As the run uses them.
    options : Options

    Returns
    -------
    dict of str to dict
        "network", "data" (shapes and SHA-256) and "options".
    """
    of_network = structure(network)
    layers = {f"layer {k}": _layer(layer) for k, layer in enumerate(of_network["layers"])}
    # Those of a network that rounds: they are chosen when it is made, and no layer's option.
    formats = getattr(network, "formats", None)
    return {
        "network": {"layers": len(layers), **layers, **of_network["options"], "formats": formats},
        "data": dict(_digests(x=x, y=targets)),
        "options": {"rule": rule, **dict(_flat(asdict(options)))},
    }


def _layer(options: Mapping[str, Any]) -> str:
    # Objects that show no more than their place in memory are never the same twice.
    shown = {k: v for k, v in options.items() if f" at {id(v):#x}>" not in repr(v)}
    inside = ", ".join(f"{name}={value!r}" for name, value in shown.items() if name != "kind")
    return f"{options['kind']}({inside})"


def _flat(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Regularisers beside the other options, as ``fit`` takes them."""
    for name, value in options.items():
        if name == "regularisers":
            yield from value.items()
        else:
            yield name, value


def _digests(**arrays: Array) -> Iterator[tuple[str, Any]]:
    for name, array in arrays.items():
        yield f"{name} of shape", list(array.shape)
        yield name, hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _check(made_with: Facts, standing: Standing) -> None:
    """Raise ValueError where an altered file holds what no run leaves."""
    history = standing.history
    if not all(isinstance(made_with[kind], dict) for kind in ("network", "data", "options")):
        raise ValueError("facts")
    if not isinstance(history, list) or not 1 <= standing.epochs <= len(history):
        raise ValueError("history")
    if not within(standing.best_epoch, 0, standing.epochs):
        raise ValueError("best epoch")
    if standing.best is not None and not within(standing.best, -math.inf, math.inf, "[]"):
        raise ValueError("best loss")


def _compare(path: str | Path, made_with: Facts, given: Facts) -> None:
    """Refuse the first fact that differs."""
    for kind, wanted in given.items():
        before = made_with.get(kind, {})
        for name in dict.fromkeys([*wanted, *before]):
            old, new = before.get(name), wanted.get(name)
            if old == new:
                continue
            error = DataError if kind == "data" else ProgramError
            if kind == "data" and isinstance(new, str):
                raise error(f"Checkpoint {path} was made with other values in {name}: {_REMEDY}")
            old, new = (v if isinstance(v, str) and " " in name else repr(v) for v in (old, new))
            if len(old) + len(new) > LONG:
                raise error(f"Checkpoint {path} was made with other {name}: {_REMEDY}")
            raise error(f"Checkpoint {path} was made with {name} {old}, not {new}: {_REMEDY}")


_REMEDY = "go on with the same network, data and options"


def _restore(path: str | Path, stored: Mapping[str, NDArray[Any]], arrays: Sequence[Array]) -> None:
    for name, array in _named(arrays):
        found = stored.get(name)
        if found is None or found.shape != array.shape or found.dtype != array.dtype:
            raise _foreign(path)
    for name, array in _named(arrays):
        array[...] = stored[name]


def _named(arrays: Sequence[Array]) -> Iterator[tuple[str, Array]]:
    return ((f"array{k}", array) for k, array in enumerate(arrays))


def _plain(value: Any) -> Any:
    """NumPy's numbers as JSON has them; anything else by its name."""
    return value.item() if isinstance(value, np.generic) else repr(value)


def _foreign(path: str | Path) -> FileError:
    return FileError(f"{path} is not a complete checkpoint: begin the training anew")
