# SPDX-License-Identifier: Apache-2.0
"""One safe file for a program: a zip of JSON and ``.npy`` arrays, never pickle."""

import io
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from spikewright.sim.errors import FileError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Kind, Port, Rate
from spikewright.sim.primitive import Codes
from spikewright.sim.primitives import primitive_from
from spikewright.sim.program import Input, Node, Program, canonical

FORMAT_VERSION = 1
"""Version of the file format; a reader refuses newer ones."""

_EPOCH = (1980, 1, 1, 0, 0, 0)

# A changed byte of a zip can ask for encryption, a later version or a place outside the file.
_NO_PROGRAM = (
    zipfile.BadZipFile,
    zlib.error,
    json.JSONDecodeError,
    KeyError,
    EOFError,
    OSError,
    RuntimeError,
)


def save_program(program: Program, path: str | os.PathLike[str]) -> Path:
    """Write a program to a ``.spk`` file; the same program gives the same bytes."""
    path = Path(path)
    head = {
        "format_version": FORMAT_VERSION,
        "content_hash": program.content_hash,
        "structure": program.structure(),
        "metadata": dict(program.metadata),
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            _write(archive, "program.json", canonical(head))
            for name, tensor in sorted(program.tensors.items()):
                _write(archive, f"tensors/{name}.npy", _npy(tensor))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_program(path: str | os.PathLike[str]) -> Program:
    """Read a program back.

    Raises
    ------
    FileError
        If the file is missing, truncated, altered, not a program or of a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"Program file {path} does not exist: make it with `spikewright quantize`")
    try:
        with zipfile.ZipFile(path) as archive:
            head = json.loads(archive.read("program.json"))
            version = head["format_version"]
            if version != FORMAT_VERSION:
                raise FileError(
                    f"Program file {path} has format version {version}, and this Spikewright reads "
                    f"version {FORMAT_VERSION}: upgrade Spikewright or quantize again"
                )
            tensors = {
                name.removeprefix("tensors/").removesuffix(".npy"): _array(archive.read(name))
                for name in archive.namelist()
                if name.startswith("tensors/")
            }
        program = _program(head, tensors)
    except FileError:
        raise
    except _NO_PROGRAM as error:
        raise FileError(
            f"Program file {path} is truncated or not a program: quantize again ({error})"
        ) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise FileError(f"Program file {path} is damaged: quantize again ({error})") from None
    if program.content_hash != head["content_hash"]:
        raise FileError(
            f"Program file {path} was altered: its content does not match its hash; quantize again"
        )
    return program


def _program(head: dict[str, Any], tensors: dict[str, Codes]) -> Program:
    structure = head["structure"]
    return Program(
        inputs={given["name"]: _input(given) for given in structure["inputs"]},
        nodes=tuple(
            Node(node["name"], primitive_from(node["primitive"]), tuple(node["inputs"]))
            for node in structure["nodes"]
        ),
        outputs=dict(structure["outputs"]),
        tensors=tensors,
        dt=structure["dt"],
        steps=structure["steps"],
        metadata=head["metadata"],
    )


def _input(given: dict[str, Any]) -> Input:
    fmt = QFormat(width=given["width"], frac=given["frac"], signed=given["signed"])
    return Input(
        Port(size=given["size"], format=fmt, kind=Kind(given["kind"])), Rate(given["rate"])
    )


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)


def _npy(tensor: Codes) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, tensor.astype("<i8"), allow_pickle=False)
    return buffer.getvalue()


def _array(data: bytes) -> Codes:
    tensor: Codes = np.load(io.BytesIO(data), allow_pickle=False).astype(np.int64)
    return tensor
