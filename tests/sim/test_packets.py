# SPDX-License-Identifier: Apache-2.0
"""Words bit by bit, frames word by word, and the CRC by hand."""

import zlib

import numpy as np
import programs
import pytest
from bench.codes import random_codes
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim import golden
from spikewright.sim.fixed import QFormat
from spikewright.sim.packets import (
    frame_words,
    pack,
    pack_frames,
    slot_width,
    stream_crc,
    unpack,
    unpack_frames,
    vector_words,
)
from spikewright.sim.ports import SPIKE, Kind, Port, Rate
from spikewright.sim.program import Program

FORMATS = [
    QFormat(width=width, signed=signed)
    for width in range(1, 65)
    for signed in (True, False)
    if width < 64 or signed
]


def bits_of(words: list[int]) -> int:
    return sum(word << (32 * k) for k, word in enumerate(words))


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("size", [1, 2, 5, 33])
def test_every_width(fmt: QFormat, size: int) -> None:
    codes = random_codes(np.random.default_rng(size), fmt, (2, 3, size))
    codes[0, 0, 0], codes[1, 2, -1] = fmt.lo, fmt.hi
    slot = slot_width(fmt)
    assert slot in (1, 2, 4, 8, 16, 32, 64)
    assert fmt.width <= slot < 2 * fmt.width
    words = pack(codes, fmt)
    assert words.dtype == np.uint32
    assert words.shape == (2, 3, vector_words(Port(size=size, format=fmt)))
    for vector, packed in zip(codes.reshape(-1, size), words.reshape(6, -1), strict=True):
        expected = sum((code % 2**slot) << (slot * k) for k, code in enumerate(vector.tolist()))
        assert bits_of(packed.tolist()) == expected
    back = unpack(words, size, fmt)
    assert back.dtype == np.int64
    assert np.array_equal(back, codes)


@given(st.integers(1, 70), st.integers(1, 63))
def test_words_of_a_vector(size: int, width: int) -> None:
    port = Port(size=size, format=QFormat(width=width))
    slot = slot_width(port.format)
    words = vector_words(port)
    assert 32 * (words - 1) < size * slot <= 32 * words


def test_a_frame_in_words() -> None:
    program = programs.many_ports(steps=2)
    codes = {
        "a": np.arange(5)[None],
        "b": np.arange(10, 13)[None],
        "c": np.array([[[20, 21, 22, 23, 24], [30, 31, 32, 33, 34]]]),
        "d": np.array([[[-1, -2], [-3, -4]]]),
    }
    words = pack_frames(program, codes)
    halves = words.view("<i2").reshape(1, -1, 2).tolist()[0]
    # 9 bits take 16: per-frame inputs in the program's order, then each step's.
    assert halves == [
        *([0, 1], [2, 3], [4, 0]),
        *([10, 11], [12, 0]),
        *([20, 21], [22, 23], [24, 0], [-1, -2]),
        *([30, 31], [32, 33], [34, 0], [-3, -4]),
    ]
    assert frame_words(program)[0] == words.shape[1]


def packed_by_hand(program: Program, streams: dict[str, np.ndarray], steps: int) -> np.ndarray:
    """Outputs in words: each step's, then the frame's."""
    ports = {name: program.port(r) for name, r in program.outputs.items()}
    rates = {name: program.rates[r.partition(".")[0]] for name, r in program.outputs.items()}
    words = []
    for t in range(steps):
        for name, reference in program.outputs.items():
            if rates[name] is Rate.STEP:
                stream = streams[program.resolve(reference)][:, t]
                words.append(pack(stream, ports[name].format))
    for name, reference in program.outputs.items():
        if rates[name] is Rate.FRAME:
            words.append(pack(streams[program.resolve(reference)], ports[name].format))
    return np.concatenate(words, axis=1)


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_outputs_come_back(name: str) -> None:
    program = programs.PROGRAMS[name]()
    steps = 3 if program.steps is None else program.steps
    streams = golden.run(program, programs.random_inputs(program, 2, steps=steps))
    words = packed_by_hand(program, streams, steps)
    unpacked = unpack_frames(program, words, steps)
    assert list(unpacked) == list(program.outputs)
    for output, reference in program.outputs.items():
        assert np.array_equal(unpacked[output], streams[program.resolve(reference)])
    whole = 1 if program.steps is None else steps
    assert words.shape[1] == frame_words(program)[1] * steps // whole


def test_outputs_of_a_frame_that_ended_early() -> None:
    program = programs.spike_input(steps=6)
    inputs = {"x": programs.random_inputs(program, 2)["x"][:, :2]}
    streams = golden.run(program, inputs)
    unpacked = unpack_frames(program, packed_by_hand(program, streams, 2), 2)
    assert np.array_equal(unpacked["spikes"], streams["lif.spike"])
    assert np.array_equal(unpacked["counts"], streams["count.n"])


@given(st.sampled_from(FORMATS), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32))
def test_crc_of_dense_streams(fmt: QFormat, steps: int, size: int, seed: int) -> None:
    codes = random_codes(np.random.default_rng(seed), fmt, (steps, size))
    length = 8 if fmt.width > 32 else 4
    data = b"".join(
        (code % 2 ** (8 * length)).to_bytes(length, "little") for code in codes.ravel().tolist()
    )
    port = Port(size=size, format=fmt)
    assert stream_crc(port, codes) == zlib.crc32(data)
    assert stream_crc(port, codes[0]) == zlib.crc32(data[: length * size])


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32))
def test_crc_of_spikes(steps: int, size: int, seed: int) -> None:
    spikes = np.random.default_rng(seed).integers(0, 2, (steps, size))
    data = b""
    for step in spikes.tolist():
        for k, spike in enumerate(step):
            data += k.to_bytes(4, "little") * spike
        data += b"\xff\xff\xff\xff"
    assert stream_crc(Port(size=size, format=SPIKE, kind=Kind.EVENT), spikes) == zlib.crc32(data)
