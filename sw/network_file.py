# SPDX-License-Identifier: Apache-2.0
"""The network file: structure and history as JSON beside the parameters, in one .npz."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikewright.data import read_arrays
from spikewright.learn.layers import LAYERS
from spikewright.learn.tape import Array
from spikewright.sim.errors import FileError

if TYPE_CHECKING:
    from spikewright.network import Network

FORMAT = "spikewright-network-1"
"""Name and version of the file format."""


def save(network: "Network", path: str | Path) -> None:
    """Write a network to a .npz file under another name, then rename it."""
    head = {"format": FORMAT, **structure(network), "history": network.history}
    write_arrays(path, structure=np.array(json.dumps(head)), **dict(_arrays(network)))


def structure(network: "Network") -> dict[str, Any]:
    """What a network is, without its arrays: ``layers`` and ``options``, as JSON can hold them."""
    return {
        "layers": [{"kind": type(la).__name__, **la.options()} for la in network.layers],
        "options": {
            "dt": network.dt,
            "steps": network.steps,
            "encoding": network.encoding,
            "readout": network.readout,
            "seed": network.seed,
            "shape": list(network.shapes[0]),
        },
    }


def write_arrays(path: str | Path, **arrays: NDArray[Any]) -> None:
    """Write arrays to a .npz file under another name, then rename it: complete or not at all."""
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | Path, kind: type["Network"]) -> "Network":
    """Read a network of class ``kind`` that :func:`save` wrote.

    Raises
    ------
    FileError
        If the file is missing, incomplete, altered or of another kind.
    """
    if not Path(path).is_file():
        raise FileError(f"There is no file {path}: check its name")
    try:
        arrays = read_arrays(path)
        head = json.loads(str(arrays["structure"]))
        if head["format"] != FORMAT:
            raise _foreign(path)
        layers = [LAYERS[layer.pop("kind")](**layer) for layer in head["layers"]]
        network = kind(layers, **head["options"])
        network.history = head["history"]
        for name, array in _arrays(network):
            stored = arrays[name]
            if stored.shape != array.shape or not np.isfinite(stored).all():
                raise _foreign(path)
            array[...] = stored
    except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
        raise _foreign(path) from error
    return network


def _arrays(network: "Network") -> Iterator[tuple[str, Array]]:
    """What a file holds of the network, by name."""
    for kind, arrays in (("parameter", network.parameters()), ("buffer", network.buffers())):
        yield from ((f"{kind}{i}", array) for i, array in enumerate(arrays))


def _foreign(path: str | Path) -> FileError:
    return FileError(f"{path} is not a complete network file: train and save the network again")
