# SPDX-License-Identifier: Apache-2.0
"""The simulated board's .bit: a Xilinx bitstream container that holds Verilog.

Its header is what pynq's own reader expects. The payload is ``SPKWSIM1``, the SHA-256 of the rest,
the length of a zip as a 32-bit little-endian number, the zip, and padding to whole words; real
silicon sees no synchronisation word in it and ignores it. The zip is stored, not compressed, so
that the same design gives the same bytes everywhere. It contains the hash of the .hwh because pynq
keeps what it parsed from a .hwh under the hash of the .bit alone: two designs with equal .bit files
would get each other's addresses.

A .bit is a program: Verilog can contain C++ that the simulator runs. Load those you trust.
"""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from spikewright.sim.errors import FileError

MAGIC = b"SPKWSIM1"
VERSION = 1
"""Version of the manifest."""

_START = bytes.fromhex("0009 0ff00ff00ff00ff000 0001")
_MANIFEST = "manifest.json"
_VERILOG = "spikewright.v"
_LENGTH = struct.Struct("<I")
_HASH_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a simulated fabric is programmed with.

    Parameters
    ----------
    verilog : str
        Source text of the accelerator.
    top : str
        Its top module.
    layers : int
        Layers with probes.
    fclk_mhz : float
        Clock of the fabric, in MHz.
    addresses : mapping of str to int
        Base address of each block.
    hwh_sha256 : str
        Hash of the .hwh that belongs to it.
    """

    verilog: str
    top: str
    layers: int
    fclk_mhz: float
    addresses: Mapping[str, int]
    hwh_sha256: str


def hash_hwh(hwh: bytes) -> str:
    """Hash under which a .bit knows its .hwh."""
    return hashlib.sha256(hwh).hexdigest()


def pack_bit(name: str, configuration: Configuration) -> bytes:
    """Contents of a .bit file; equal arguments give equal bytes."""
    manifest = {"version": VERSION, **asdict(configuration)}
    verilog = manifest.pop("verilog")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for entry, text in {
            _MANIFEST: json.dumps(manifest, sort_keys=True),
            _VERILOG: verilog,
        }.items():
            # A fixed time and system, because the zip must not tell when and where it was made.
            info = zipfile.ZipInfo(entry)
            info.create_system = 3
            archive.writestr(info, text)
    stored = buffer.getvalue()
    content = _LENGTH.pack(len(stored)) + stored + bytes(-len(stored) % 4)
    payload = MAGIC + hashlib.sha256(content).digest() + content
    fields = f"{name};UserID=0XFFFFFFFF;Version=simulated", "7z020clg400", "2000/01/01", "00:00:00"
    header = b"".join(map(_header_field, b"abcd", fields))
    return _START + header + b"e" + struct.pack(">I", len(payload)) + payload


def is_simulated(data: bytes) -> bool:
    """Whether the contents of a .bit file are for the simulated board."""
    return _payload(data).startswith(MAGIC)


def unpack_bit(data: bytes) -> Configuration:
    """Read a .bit file back.

    Raises
    ------
    FileError
        If it is no .bit, a real one, damaged or of another version.
    """
    payload = _payload(data)
    if not payload.startswith(MAGIC):
        raise FileError(
            "This .bit is not a simulated one: load it on a real board, or build the design for "
            "the simulated board"
        )
    start = len(MAGIC) + _HASH_BYTES
    content = payload[start:]
    if payload[len(MAGIC) : start] != hashlib.sha256(content).digest():
        raise FileError("The simulated .bit was altered or damaged: build the design again")
    (size,) = _LENGTH.unpack_from(content)
    with zipfile.ZipFile(io.BytesIO(content[_LENGTH.size : _LENGTH.size + size])) as archive:
        manifest = json.loads(archive.read(_MANIFEST))
        verilog = archive.read(_VERILOG).decode()
    version = manifest.pop("version")
    if version != VERSION:
        raise FileError(
            f"The simulated .bit has version {version!r} and this program reads {VERSION}: "
            "build the design again"
        )
    return Configuration(verilog=verilog, **manifest)


def _header_field(key: int, text: str) -> bytes:
    value = text.encode() + b"\0"
    return bytes([key]) + struct.pack(">H", len(value)) + value


def _payload(data: bytes) -> bytes:
    """Configuration data of a .bit file."""
    position = len(_START)
    try:
        if data[:position] != _START:
            raise FileError("The file is not a .bit: give the one that was built with the design")
        for _ in range(4):
            (length,) = struct.unpack_from(">H", data, position + 1)
            position += 3 + length
        (size,) = struct.unpack_from(">I", data, position + 1)
    except struct.error as error:
        raise FileError("The .bit ends within its header: copy or build it again") from error
    payload = data[position + 5 :]
    if len(payload) != size:
        raise FileError(
            f"The .bit must hold {size} bytes of configuration, not {len(payload)}: "
            "copy or build it again"
        )
    return payload
