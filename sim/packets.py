# SPDX-License-Identifier: Apache-2.0
"""How codes travel in 32-bit words, and the CRC of a layer's stream.

A code takes a slot of 1, 2, 4, 8, 16, 32 or 64 bits, the narrowest that holds its format. Slots
fill a word from its least significant end, a 64-bit slot takes two words, low word first, and
every vector starts at a new word. A frame is its per-frame inputs in the program's order, then in
each step its per-step inputs; results come as the per-step outputs of each step, then the
per-frame ones.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Kind, Port, Rate
from spikewright.sim.primitive import Codes
from spikewright.sim.program import Program

WORD_BITS = 32
MARKER = 0xFFFFFFFF
"""What stands for an event stream's end of step in its CRC."""


def slot_width(fmt: QFormat) -> int:
    """Bits of the slot that carries a code."""
    return 1 << (fmt.width - 1).bit_length()


def vector_words(port: Port) -> int:
    """Words that carry one vector."""
    return -(-port.size * slot_width(port.format) // WORD_BITS)


def pack(codes: Codes, fmt: QFormat) -> NDArray[np.uint32]:
    """Words of vectors: (..., size) codes to (..., words)."""
    slot = slot_width(fmt)
    bits = codes.astype(np.uint64) & np.uint64((1 << slot) - 1)
    if slot == 2 * WORD_BITS:
        return np.ascontiguousarray(bits).view("<u4").reshape(*codes.shape[:-1], -1)
    per_word = WORD_BITS // slot
    count = -(-codes.shape[-1] // per_word)
    padding = count * per_word - codes.shape[-1]
    bits = np.pad(bits, [(0, 0)] * (codes.ndim - 1) + [(0, padding)])
    bits = bits.reshape(*codes.shape[:-1], count, per_word)
    shifts = np.arange(per_word, dtype=np.uint64) * np.uint64(slot)
    words: NDArray[np.uint32] = (bits << shifts).sum(-1).astype(np.uint32)
    return words


def unpack(words: NDArray[np.uint32], size: int, fmt: QFormat) -> Codes:
    """Codes of vectors: (..., words) to (..., size)."""
    slot = slot_width(fmt)
    if slot == 2 * WORD_BITS:
        codes: Codes = np.ascontiguousarray(words).view("<i8")[..., :size].astype(np.int64)
        return codes
    shifts = np.arange(0, WORD_BITS, slot, dtype=np.int64)
    slots = (words.astype(np.int64)[..., None] >> shifts) & ((1 << slot) - 1)
    codes = slots.reshape(*words.shape[:-1], -1)[..., :size]
    if fmt.signed:
        codes = codes - ((codes >> (slot - 1)) << slot)
    return codes


def frame_words(program: Program) -> tuple[int, int]:
    """Words of a whole frame into and out of the accelerator (of a step, for a stream program)."""
    steps = program.steps or 1
    given = [(value.port, value.rate) for value in program.inputs.values()]
    results = [
        (program.port(reference), program.rates[reference.partition(".")[0]])
        for reference in program.outputs.values()
    ]
    into, out = (
        sum(vector_words(port) * (steps if rate is Rate.STEP else 1) for port, rate in ports)
        for ports in (given, results)
    )
    return into, out


def pack_frames(program: Program, inputs: Mapping[str, Codes]) -> NDArray[np.uint32]:
    """(frames, words) of a batch of inputs."""
    per_frame = [
        pack(inputs[name], given.port.format)
        for name, given in program.inputs.items()
        if given.rate is Rate.FRAME
    ]
    per_step = [
        pack(inputs[name], given.port.format)
        for name, given in program.inputs.items()
        if given.rate is Rate.STEP
    ]
    if per_step:
        steps = np.concatenate(per_step, axis=-1)
        per_frame.append(steps.reshape(len(steps), -1))
    return np.concatenate(per_frame, axis=1)


def unpack_frames(
    program: Program, words: NDArray[np.uint32], steps: int | None = None
) -> dict[str, Codes]:
    """Outputs of (frames, words): (frames, size) or (frames, steps, size) each."""
    steps = steps or program.steps or 1
    outputs = {
        name: (program.port(reference), program.rates[reference.partition(".")[0]])
        for name, reference in program.outputs.items()
    }
    found: dict[str, Any] = {name: [] for name in outputs}
    position = 0
    for rate, times in ((Rate.STEP, steps), (Rate.FRAME, 1)):
        for _ in range(times):
            for name, (port, own) in outputs.items():
                if own is rate:
                    end = position + vector_words(port)
                    found[name].append(unpack(words[:, position:end], port.size, port.format))
                    position = end
    return {
        name: values[0] if outputs[name][1] is Rate.FRAME else np.stack(values, axis=1)
        for name, values in found.items()
    }


def stream_crc(port: Port, vectors: Codes) -> int:
    """CRC-32 of one frame of a stream, (steps, size) or (size,): what the accelerator latches.

    Dense elements count as little-endian words (two where wider than 32 bits), sign-extended;
    spikes as the word of their index, and :data:`MARKER` after each step.
    """
    vectors = np.atleast_2d(vectors)
    if port.kind is Kind.EVENT:
        words = [np.append(np.flatnonzero(step), MARKER) for step in vectors]
        return zlib.crc32(np.concatenate(words).astype("<u4").tobytes())
    return zlib.crc32(vectors.astype("<i8" if port.format.width > WORD_BITS else "<i4").tobytes())
