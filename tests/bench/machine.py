# SPDX-License-Identifier: Apache-2.0
"""An accelerator in an engine: load it, run it, and read what its layers streamed."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spikewright.hw.accelerator import Accelerator, Top
from spikewright.hw.verilog import to_verilog
from spikewright.sim import packets
from spikewright.sim.engine import Design, Engine, open_engine
from spikewright.sim.engine.amaranth_engine import AmaranthEngine
from spikewright.sim.ports import Kind, Port, Rate
from spikewright.sim.primitive import Codes
from spikewright.sim.program import Program
from spikewright.sim.registers import BY_NAME, CRC_WINDOW, mask, offset

Lanes = int | Mapping[str, int] | None


def compiled(program: Program, lanes: Lanes = None) -> Engine:
    """The accelerator's Verilog in the fastest engine of this machine."""
    accelerator = Accelerator(program, lanes)
    return open_engine(Design(verilog=to_verilog(accelerator), layers=len(program.layers)))


def interpreted(program: Program, lanes: Lanes = None) -> Engine:
    """The accelerator in Amaranth's simulator."""
    top = Top(Accelerator(program, lanes))
    return AmaranthEngine(top, top.ports())


def read(engine: Engine, name: str) -> int:
    """A register, or both halves of a 64-bit one."""
    if name in BY_NAME:
        return engine.read(offset(name))
    low = engine.read(offset(f"{name}_LO"))
    return low | engine.read(offset(f"{name}_HI")) << 32


def write(engine: Engine, name: str, value: int) -> None:
    engine.write(offset(name), value)


def soft_reset(engine: Engine) -> None:
    write(engine, "CONTROL", mask("CONTROL", "SOFT_RESET"))


def load(engine: Engine, program: Program) -> None:
    """Write every tensor and then the program's hash."""
    for k, name in enumerate(program.tensor_specs):
        write(engine, "PARAM_TENSOR", k)
        words = program.tensors[name].ravel() & 0xFFFFFFFF
        engine.write_many(offset("PARAM_DATA"), words.astype(np.uint32))
    write(engine, "PROGRAM_HASH_LO", program.program_hash & 0xFFFFFFFF)
    write(engine, "PROGRAM_HASH_HI", program.program_hash >> 32)


def signed_words(words: NDArray[np.uint32], *, signed: bool) -> list[int]:
    """Words of the parameter port as codes."""
    return words.astype(np.int32 if signed else np.int64).tolist()


def tensor(engine: Engine, program: Program, name: str, start: int = 0) -> list[int]:
    """Codes of a tensor from an index on, read back."""
    spec = program.tensor_specs[name]
    write(engine, "PARAM_TENSOR", list(program.tensor_specs).index(name))
    if start:
        write(engine, "PARAM_START", start)
    words = engine.read_many(offset("PARAM_DATA"), int(np.prod(spec.shape)) - start)
    return signed_words(words, signed=spec.format.signed)


def run(
    engine: Engine,
    program: Program,
    inputs: Mapping[str, Codes],
    *,
    stall_seed: int | None = None,
    limit_cycles: int = 200_000,
) -> dict[str, Codes]:
    """Outputs of a batch of frames, sent as one packet (of one stream: as a step a frame)."""
    frames, steps = shape_of(program, inputs)
    packed = packets.pack_frames(program, inputs)
    words_out = packets.frame_words(program)[1]
    if program.steps is None:
        words_out, per_packet = words_out * steps, steps
    else:
        per_packet = frames
        words_out -= step_words(program) * (program.steps - steps)
    write(engine, "FRAMES_PER_PACKET", per_packet)
    early = program.steps not in (None, steps)
    # A packet's end is a frame's end: frames that end early go one by one.
    parts = list(packed) if early or program.steps is None else [packed.ravel()]
    write(engine, "FRAMES_PER_PACKET", per_packet if len(parts) == 1 or not early else 1)
    found = [
        engine.transfer(
            part, words_out * frames // len(parts), limit_cycles=limit_cycles, stall_seed=stall_seed
        )
        for part in parts
    ]
    assert engine.rx_last(), "the packet out has no TLAST where its frames end"
    words = np.concatenate(found).reshape(frames, -1)
    return packets.unpack_frames(program, words, steps)


def shape_of(program: Program, inputs: Mapping[str, Codes]) -> tuple[int, int]:
    """Frames and steps of a batch."""
    frames = len(next(iter(inputs.values())))
    lengths = {inputs[n].shape[1] for n, i in program.inputs.items() if i.rate is Rate.STEP}
    return frames, lengths.pop() if lengths else program.steps or 1


def step_words(program: Program) -> int:
    """Words of a step's outputs."""
    return sum(
        packets.vector_words(program.port(reference))
        for reference in program.outputs.values()
        if program.rates[reference.partition(".")[0]] is Rate.STEP
    )


def crcs(engine: Engine, program: Program) -> dict[str, int]:
    """What each layer's CRC register holds."""
    return {name: engine.read(CRC_WINDOW + 4 * k) for k, name in enumerate(program.layers)}


def expected_crcs(
    program: Program, streams: Mapping[str, Codes], frame: int = -1
) -> dict[str, int]:
    return {
        name: packets.stream_crc(program.port(name), streams[name][frame])
        for name in program.layers
    }


def expected_probes(program: Program, reference: str, stream: Codes) -> list[tuple[int, int]]:
    """Flags and data of every beat of a layer; a stream program's frame does not end."""
    port = program.port(reference)
    if stream.ndim == 2:
        stream = stream[:, None]
    ends = program.steps is not None
    return [beat for frame in stream for beat in _beats(port, frame, ends=ends)]


def _beats(port: Port, frame: Codes, *, ends: bool) -> list[tuple[int, int]]:
    beats = []
    for t, vector in enumerate(frame.tolist()):
        final = ends and t == len(frame) - 1
        if port.kind is Kind.EVENT:
            beats += [(0, k) for k, spike in enumerate(vector) if spike]
            beats.append((1 | 2 * final, 0))
            continue
        for k, code in enumerate(vector):
            last = k == len(vector) - 1
            beats.append(((t == 0) | 2 * last | 4 * (last and final), code))
    return beats


def probed(program: Program, beats: NDArray[np.int64], reference: str) -> list[tuple[int, int]]:
    """The same of what an engine recorded; ``end`` says nothing before a vector's last beat."""
    layer = program.layers.index(reference)
    found = [(int(flags), int(data)) for k, flags, data in beats if k == layer]
    if program.port(reference).kind is Kind.EVENT:
        return found
    return [(flags if flags & 2 else flags & 1, data) for flags, data in found]
