# SPDX-License-Identifier: Apache-2.0
"""Words and vectors: the same bits that the host packs and unpacks."""

from typing import Any

import numpy as np
import programs
import pytest
from bench.codes import random_codes
from bench.streams import first_divergence, simulate
from bench.vectors import dense_beats
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.hw.host.packets import Elements, Packer, Unpacker, Words
from spikewright.sim import packets
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port, Rate

SEEDS = [None, 1, 2]
WIDTHS = [1, 2, 3, 4, 7, 8, 9, 16, 17, 32, 33, 64]


def port_of(size: int, width: int, *, signed: bool = True) -> Port:
    return Port(size=size, format=QFormat(width=width, signed=signed or width == 64))


def words(packed: np.ndarray, last: bool = False) -> list[dict[str, int]]:
    """Stream of (vectors, words); `last` ends each vector."""
    return [
        {"data": word, "last": last and k == len(row) - 1}
        for row in packed.tolist()
        for k, word in enumerate(row)
    ]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("size", [1, 3, 33])
@pytest.mark.parametrize("width", WIDTHS)
def test_elements(width: int, size: int, signed: bool) -> None:
    port = port_of(size, width, signed=signed)
    codes = random_codes(np.random.default_rng(width), port.format, (3, 1, size))
    want = dense_beats(codes, 1)
    stimuli = {"i": words(packets.pack(codes[:, 0], port.format))}
    flags = {"first": 1, "end": 1}
    for seed in SEEDS:
        got = simulate(Elements(port), stimuli, {"o": len(want)}, inputs=flags, stall_seed=seed)
        assert first_divergence(want, got["o"]) is None


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("size", [1, 3, 33])
@pytest.mark.parametrize("width", WIDTHS)
def test_words(width: int, size: int, signed: bool) -> None:
    port = port_of(size, width, signed=signed)
    codes = random_codes(np.random.default_rng(width), port.format, (3, 1, size))
    want = words(packets.pack(codes[:, 0], port.format), last=True)
    stimuli = {"i": dense_beats(codes, 1, np.random.default_rng(0))}
    for seed in SEEDS:
        got = simulate(Words(port), stimuli, {"o": len(want)}, stall_seed=seed)
        assert first_divergence(want, got["o"]) is None


def test_an_element_a_cycle() -> None:
    port = port_of(64, 8)
    codes = np.zeros((4, 1, 64), np.int64)
    stimuli = {"i": words(packets.pack(codes[:, 0], port.format))}
    simulate(Elements(port), stimuli, {"o": 256}, max_cycles=256 + 35)
    simulate(Words(port), {"i": dense_beats(codes, 1)}, {"o": 64}, max_cycles=256 + 35)


ports = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([1, 3, 8, 12, 20, 40]), st.sampled_from(Rate)),
    min_size=1,
    max_size=4,
)


def vectors_of(given_ports: list[tuple[int, int, Rate]], steps: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        random_codes(rng, QFormat(width=width), (3, steps if rate is Rate.STEP else 1, size))
        for size, width, rate in given_ports
    ]


def in_order(
    given_ports: list[tuple[int, int, Rate]],
    vectors: list[np.ndarray],
    steps: int,
    *,
    frame_first: bool,
) -> list[list[int]]:
    """Words of each frame: per-frame vectors and, before or after, each step's."""
    frames = []
    for frame in range(3):
        per_frame, per_step = [], [[] for _ in range(steps)]
        for (_, width, rate), codes in zip(given_ports, vectors, strict=True):
            for t, vector in enumerate(codes[frame]):
                packed = packets.pack(vector, QFormat(width=width)).tolist()
                (per_frame if rate is Rate.FRAME else per_step[t]).extend(packed)
        stepped = [word for step in per_step for word in step]
        frames.append(per_frame + stepped if frame_first else stepped + per_frame)
    return frames


@settings(max_examples=30)
@given(ports, st.integers(1, 3), st.integers(0, 99))
def test_unpacker(given_ports: list[tuple[int, int, Rate]], steps: int, seed: int) -> None:
    vectors = vectors_of(given_ports, steps, seed)
    component = Unpacker(
        [(port_of(size, width), rate) for size, width, rate in given_ports],
        steps=steps,
        may_end_early=False,
    )
    frames = in_order(given_ports, vectors, steps, frame_first=True)
    stimuli = {"i": [{"data": word} for frame in frames for word in frame]}
    want = {f"o{k}": dense_beats(codes, 1) for k, codes in enumerate(vectors)}
    got = simulate(component, stimuli, {n: len(b) for n, b in want.items()}, stall_seed=seed)
    for name, beats in want.items():
        assert first_divergence(beats, got[name]) is None


@settings(max_examples=30)
@given(ports, st.integers(1, 3), st.integers(0, 99))
def test_packer(given_ports: list[tuple[int, int, Rate]], steps: int, seed: int) -> None:
    vectors = vectors_of(given_ports, steps, seed)
    component = Packer(
        [(port_of(size, width), rate) for size, width, rate in given_ports], streaming=False
    )
    frames = in_order(given_ports, vectors, steps, frame_first=False)
    noise = np.random.default_rng(seed)
    stimuli = {f"i{k}": dense_beats(codes, 1, noise) for k, codes in enumerate(vectors)}
    want = words(np.array(frames), last=True)
    got = simulate(component, stimuli, {"o": len(want)}, stall_seed=seed)
    assert first_divergence(want, got["o"]) is None


def unpacked(packet: list[tuple[int, int]], expect: int, **options: Any) -> list[dict[str, Any]]:
    """One per-step input of one element, from words with their `last`."""
    component = Unpacker([(port_of(1, 32), Rate.STEP)], **options)
    stimuli = {"i": [{"data": data, "last": last} for data, last in packet]}
    return simulate(component, stimuli, {"o0": expect})["o0"]


def test_a_packet_may_end_a_frame_early() -> None:
    packet = [(1, 0), (2, 1), (3, 1), (4, 0), (5, 0), (6, 0), (7, 1)]
    got = unpacked(packet, 7, steps=3, may_end_early=True)
    assert [(beat["first"], beat["end"]) for beat in got] == [
        *((1, 0), (0, 1)),
        (1, 1),
        *((1, 0), (0, 0), (0, 1)),
        (1, 1),
    ]


def test_where_it_may_not_end_early_the_frame_goes_on() -> None:
    got = unpacked([(1, 1), (2, 1), (3, 1)], 3, steps=3, may_end_early=False)
    assert [(beat["first"], beat["end"]) for beat in got] == [(1, 0), (0, 0), (0, 1)]


def test_a_stream_has_one_first_step_and_no_end() -> None:
    got = unpacked([(1, 0), (2, 1), (3, 0)], 3, steps=None, may_end_early=False)
    assert [(beat["first"], beat["end"]) for beat in got] == [(1, 0), (0, 0), (0, 0)]


def test_steps_of_a_stream_are_packed_one_by_one() -> None:
    component = Packer([(port_of(3, 16), Rate.STEP), (port_of(1, 8), Rate.STEP)], streaming=True)
    one, two = np.arange(6).reshape(1, 2, 3), np.array([[[7], [8]]])
    stimuli = {
        "i0": [{**beat, "end": 0} for beat in dense_beats(one, 1)],
        "i1": [{**beat, "end": 0} for beat in dense_beats(two, 1)],
    }
    got = simulate(component, stimuli, {"o": 6}, stall_seed=1)
    assert [(beat["data"], beat["last"]) for beat in got["o"]] == [
        *((0x10000, 0), (2, 0), (7, 1)),
        *((0x40003, 0), (5, 0), (8, 1)),
    ]


def test_the_hosts_packets_are_these() -> None:
    """What pack_frames sends is what the unpacker of that program takes apart."""
    program = programs.many_ports(steps=2)
    inputs = programs.random_inputs(program, 3)
    component = Unpacker(
        [(value.port, value.rate) for value in program.inputs.values()],
        steps=2,
        may_end_early=False,
    )
    stimuli = {"i": words(packets.pack_frames(program, inputs))}
    want = {}
    for k, codes in enumerate(inputs.values()):
        want[f"o{k}"] = dense_beats(codes if codes.ndim == 3 else codes[:, None], 1)
    got = simulate(component, stimuli, {n: len(b) for n, b in want.items()}, stall_seed=2)
    for name, beats in want.items():
        assert first_divergence(beats, got[name]) is None
