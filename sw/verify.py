# SPDX-License-Identifier: Apache-2.0
"""Is the gateware the program? Every element of every layer, compared beat by beat."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.comparison import Divergence, expected_beats, first_difference, split_frames
from spikewright.encoding import INPUT, input_codes
from spikewright.runtime.rtl import RtlDevice
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import DataError, DeviceError
from spikewright.sim.primitive import Codes
from spikewright.sim.program import Program

CHUNK = 16
"""Frames recorded at once."""
STALLS = 0.25
"""Share of the cycles in which a stream is held back."""


@dataclass(frozen=True)
class Verification:
    """Outcome of a comparison.

    Attributes
    ----------
    engine : str
        What ran the gateware.
    lanes : dict of str to int
    frames : int
    mismatches : int
        Frames in which any layer's stream differs.
    elements : int
        Elements and events compared.
    first : Divergence or None
    waveform : str or None
        Where the first frame that differs was written, as VCD.
    """

    engine: str
    lanes: Mapping[str, int]
    frames: int
    mismatches: int
    elements: int
    first: Divergence | None
    waveform: str | None

    def facts(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "engine": self.engine,
            "lanes": dict(self.lanes),
            "frames": self.frames,
            "mismatches": self.mismatches,
            "elements": self.elements,
            "first": None if self.first is None else self.first.facts(),
            "waveform": self.waveform,
        }


def verify(
    program: Program,
    x: Any,
    *,
    lanes: int | Mapping[str, int] | None = None,
    verilog: str | None = None,
    stall_seed: int | None = 0,
    folder: Path = Path(),
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Run samples through generated gateware and compare every layer with the emulator.

    Parameters
    ----------
    program : Program
    x : (frames, ...) array_like or mapping of str to ndarray
        Samples, or codes by input name.
    lanes : int or mapping of str to int, optional
        As :func:`spikewright.hw.folding.fold` takes them.
    verilog : str, optional
        Text to run, where it is not to be generated: that of a build.
    stall_seed : int or None
        Seed of the pauses on both streams; None for no pauses.
    folder : Path
        Where a waveform is left if something differs.
    progress : callable, optional
        Called with the frames done and all frames.

    Raises
    ------
    DataError
        If the samples do not fit the program.
    ToolError
        If no engine can run the gateware.
    """
    inputs = dict(x) if isinstance(x, Mapping) else {INPUT: input_codes(program, x)}
    frames = len(next(iter(inputs.values()), ()))
    if not frames:
        raise DataError("Verification needs at least one sample")
    emulator = Emulator(program)
    tally = _Tally(program)
    with RtlDevice(program, lanes, verilog=verilog) as device:
        device.engine.record(True)
        if stall_seed is not None:
            device.engine.stall(STALLS, STALLS, stall_seed)
        for start in range(0, frames, CHUNK):
            chunk = {name: codes[start : start + CHUNK] for name, codes in inputs.items()}
            streams = emulator.trace(chunk, program.layers)
            tally.add(start, streams, *_run(device, chunk))
            done = min(start + CHUNK, frames)
            if progress is not None:
                progress(done, frames)
            if tally.stuck:
                break
        engine, folded = device.name, device.lanes
    waveform = None
    if tally.first is not None:
        sample = {name: codes[tally.first.frame :][:1] for name, codes in inputs.items()}
        waveform = _waveform(program, lanes, verilog, sample, folder)
    return Verification(
        engine, folded, done, len(tally.wrong), tally.elements, tally.first, waveform
    )


class _Tally:
    """Differences found so far."""

    def __init__(self, program: Program):
        self.program = program
        self.first: Divergence | None = None
        self.wrong: set[int] = set()
        self.elements = 0
        self.stuck = False

    def add(
        self,
        start: int,
        streams: Mapping[str, Codes],
        probes: NDArray[np.int64],
        outputs: Mapping[str, Codes] | None,
    ) -> None:
        """Compare one chunk of frames."""
        found: list[tuple[int, int, int, Divergence]] = []
        for k, layer in enumerate(self.program.layers):
            port = self.program.port(layer)
            seen = list(split_frames(port, probes[probes[:, 0] == k][:, 1:]))
            for frame, codes in enumerate(streams[layer]):
                endless = self.program.steps is None
                expected = expected_beats(port, np.atleast_2d(codes), endless=endless)
                got = seen[frame] if frame < len(seen) else np.zeros((0, 2), np.int64)
                self.elements += len(expected)
                difference = first_difference(port, expected, got)
                if difference is not None:
                    step, neuron, want, have = difference
                    divergence = Divergence(start + frame, step, layer, neuron, want, have)
                    found.append((start + frame, step, k, divergence))
        self.stuck = outputs is None
        found += self._outputs(start, streams, outputs)
        self.wrong |= {frame for frame, *_ in found}
        if self.first is None and found:
            self.first = min(found, key=lambda item: item[:3])[3]

    def _outputs(
        self, start: int, streams: Mapping[str, Codes], outputs: Mapping[str, Codes] | None
    ) -> Iterator[tuple[int, int, int, Divergence]]:
        """What should have reached the host, after all layers."""
        after = len(self.program.layers)
        for name, reference in self.program.outputs.items():
            wanted = streams[self.program.resolve(reference)]
            got = None if outputs is None else outputs[name].reshape(wanted.shape)
            for frame, want in enumerate(wanted):
                expected = np.atleast_2d(want)
                have = None if got is None else np.atleast_2d(got[frame])
                differ = expected != have if have is not None else np.ones(expected.shape, bool)
                if differ.any():
                    step, neuron = map(int, np.argwhere(differ)[0])
                    codes = (
                        int(expected[step, neuron]),
                        None if have is None else int(have[step, neuron]),
                    )
                    where = Divergence(start + frame, step, f"output {name}", neuron, *codes)
                    yield start + frame, step, after, where


def _run(
    device: RtlDevice, inputs: Mapping[str, Codes]
) -> tuple[NDArray[np.int64], Mapping[str, Codes] | None]:
    """Beats that the probes saw, and the outputs unless the gateware got stuck."""
    try:
        outputs = device.run_codes(inputs).outputs
        device.settle()
    except DeviceError:
        return device.engine.probes(), None
    return device.engine.probes(), outputs


def _waveform(
    program: Program,
    lanes: int | Mapping[str, int] | None,
    verilog: str | None,
    inputs: Mapping[str, Codes],
    folder: Path,
) -> str:
    """Run one frame again, from reset, with every signal written down."""
    path = folder / "mismatch.vcd"
    temporary = folder / ".mismatch.vcd"
    with RtlDevice(program, lanes, verilog=verilog, trace=True) as device:
        device.engine.trace(temporary)
        _run(device, inputs)
        device.engine.trace(None)
    temporary.replace(path)
    return str(path)
