# SPDX-License-Identifier: Apache-2.0
"""The network file: structure and history as JSON beside the parameters, in one .npz."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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
    structure = {
        "format": FORMAT,
        "layers": [{"kind": type(la).__name__, **la.options()} for la in network.layers],
        "options": {
            "dt": network.dt,
            "steps": network.steps,
            "encoding": network.encoding,
            "readout": network.readout,
            "seed": network.seed,
            "shape": list(network.shapes[0]),
        },
        "history": network.history,
    }
    arrays = dict(_arrays(network))
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, structure=np.array(json.dumps(structure)), **arrays)
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
        structure = json.loads(str(arrays["structure"]))
        if structure["format"] != FORMAT:
            raise _foreign(path)
        layers = [LAYERS[layer.pop("kind")](**layer) for layer in structure["layers"]]
        network = kind(layers, **structure["options"])
        network.history = structure["history"]
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
