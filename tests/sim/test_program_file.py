# SPDX-License-Identifier: Apache-2.0
"""A program survives its file; every other file gives one sentence."""

import dataclasses
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest

from spikewright.sim.errors import FileError
from spikewright.sim.program import Program
from spikewright.sim.program_file import load_program, save_program


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save_program(programs.spike_recurrence(), tmp_path / "net.spk")


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_round_trip(name: str, tmp_path: Path) -> None:
    saved = dataclasses.replace(programs.PROGRAMS[name](), metadata={"classes": ["a", "ö"]})
    loaded = load_program(save_program(saved, tmp_path / "net.spk"))
    for field in ("inputs", "nodes", "outputs", "dt", "steps", "metadata"):
        assert getattr(loaded, field) == getattr(saved, field)
    assert list(loaded.inputs) == list(saved.inputs)
    assert list(loaded.outputs) == list(saved.outputs)
    assert set(loaded.tensors) == set(saved.tensors)
    for tensor, codes in saved.tensors.items():
        assert np.array_equal(loaded.tensors[tensor], codes)
        assert loaded.tensors[tensor].dtype == np.int64
    assert loaded.content_hash == saved.content_hash
    assert loaded.structure_hash({}) == saved.structure_hash({})


def test_the_same_program_gives_the_same_bytes(path: Path) -> None:
    again = save_program(programs.spike_recurrence(), path.with_name("other.spk"))
    assert again.read_bytes() == path.read_bytes()
    loaded = save_program(load_program(path), path.with_name("third.spk"))
    assert loaded.read_bytes() == path.read_bytes()


def test_saving_leaves_nothing_else_behind(path: Path) -> None:
    save_program(programs.mlp(), path)
    assert [found.name for found in path.parent.iterdir()] == ["net.spk"]
    assert load_program(path).content_hash == programs.mlp().content_hash


def test_a_failed_save_keeps_the_old_file(path: Path) -> None:
    before = path.read_bytes()
    broken = dataclasses.replace(programs.mlp(), metadata={"x": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_program(broken, path)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def refused(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        load_program(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"Program file {path} ")
    assert "\n" not in sentence
    return sentence


def test_missing_file(tmp_path: Path) -> None:
    for missing in (tmp_path / "none.spk", tmp_path):
        assert refused(missing) == (
            f"Program file {missing} does not exist: make it with `spikewright quantize`"
        )


def test_truncated_anywhere(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        assert "is truncated or not a program: quantize again" in refused(path)


def test_any_changed_bit_is_noticed_or_without_meaning(tmp_path: Path) -> None:
    path = save_program(programs.delayed_echo(), tmp_path / "net.spk")
    whole = path.read_bytes()
    noticed = 0
    for bit in range(0, 8 * len(whole), 9):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            # Some bytes of a zip mean nothing, such as dates.
            assert load_program(path).content_hash == programs.delayed_echo().content_hash
        except FileError:
            refused(path)
            noticed += 1
    assert noticed > 200


def rewritten(path: Path, change: Any) -> None:
    """Write the file again, its members as `change` makes them."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def with_head(**changes: Any) -> Any:
    def change(members: dict[str, bytes]) -> None:
        head = {**json.loads(members["program.json"]), **changes}
        members["program.json"] = json.dumps(head).encode()

    return change


def test_altered_tensor(path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        data = bytearray(members["tensors/fc.weight.npy"])
        data[-8] ^= 1
        members["tensors/fc.weight.npy"] = bytes(data)

    rewritten(path, change)
    assert refused(path) == (
        f"Program file {path} was altered: its content does not match its hash; quantize again"
    )


def test_altered_metadata(path: Path) -> None:
    rewritten(path, with_head(metadata={"classes": 3}))
    assert "was altered" in refused(path)


def test_newer_version(path: Path) -> None:
    rewritten(path, with_head(format_version=2))
    assert refused(path) == (
        f"Program file {path} has format version 2, and this Spikewright reads version 1: "
        "upgrade Spikewright or quantize again"
    )


def test_foreign_files(path: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "foreign"), "zip", root_dir=path.parent, base_dir=".")
    assert "is truncated or not a program" in refused(tmp_path / "foreign.zip")
    path.write_bytes(b"\x89PNG not a zip at all")
    assert "is truncated or not a program" in refused(path)
    np.savez(tmp_path / "data.npz", x_train=np.zeros(3))
    assert "is truncated or not a program" in refused(tmp_path / "data.npz")


def node_of(members: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    head = json.loads(members["program.json"])
    return head, head["structure"]["nodes"][0]["primitive"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "Softmax"),
        ("type", None),
        ("rows", "7"),
        ("rows", 0),
        ("input", {"width": 8}),
        ("input", {"bits": 8}),
        ("input", 8),
        ("weight", None),
        ("colour", 1),
    ],
)
def test_damaged_description(path: Path, field: str, value: Any) -> None:
    def change(members: dict[str, bytes]) -> None:
        head, primitive = node_of(members)
        primitive[field] = value
        members["program.json"] = json.dumps(head).encode()

    rewritten(path, change)
    assert "quantize again" in refused(path)


@pytest.mark.parametrize(
    "head", [[], 3, None, {}, {"format_version": 1}, {"format_version": 1, "structure": []}]
)
def test_damaged_head(path: Path, head: Any) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["program.json"] = json.dumps(head).encode()

    rewritten(path, change)
    assert "quantize again" in refused(path)


@pytest.mark.parametrize("data", [b"", b"no array", b"\x93NUMPY\x01\x00\xff\xff", b"PK\x03\x04"])
def test_damaged_array(path: Path, data: bytes) -> None:
    rewritten(path, lambda members: members.update({"tensors/fc.bias.npy": data}))
    assert "quantize again" in refused(path)


def test_an_array_of_objects_is_not_unpickled(path: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    data = (tmp_path / "bad.npy").read_bytes()
    rewritten(path, lambda members: members.update({"tensors/fc.bias.npy": data}))
    assert "is damaged" in refused(path)


def test_a_program_is_what_it_says(path: Path) -> None:
    assert isinstance(load_program(str(path)), Program)
    with zipfile.ZipFile(path) as archive:
        head = json.loads(archive.read("program.json"))
        assert head["format_version"] == 1
        assert head["content_hash"] == programs.spike_recurrence().content_hash
        assert all(name == "program.json" or name.endswith(".npy") for name in archive.namelist())
