# SPDX-License-Identifier: Apache-2.0
"""From samples to a program's input codes, and from its output codes to values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.data import samples
from spikewright.sim.errors import DataError
from spikewright.sim.ports import SPIKE
from spikewright.sim.primitive import Codes
from spikewright.sim.program import Program
from spikewright.spikes import SPIKE_CODES, spike_encode

INPUT = "x"
"""Name of the input of a quantized network."""


def input_codes(program: Program, x: Any, *, first: int = 0) -> Codes:
    """Codes of samples: ``round(x / scale)``, saturated, or the spikes that stand for them.

    Parameters
    ----------
    program : Program
        Made by :func:`spikewright.quantize.quantize`.
    x : (frames, ...) array_like
    first : int
        Index of the first sample in its data set: rate coding draws by it.

    Raises
    ------
    DataError
        If the samples are not finite, do not fit the program or its input is not encoded samples.
    """
    encoding = program.metadata.get("encoding")
    if encoding is None or list(program.inputs) != [INPUT]:
        raise DataError("Program takes codes, not samples: give arrays for its inputs to run")
    flat, port = samples("x", x), program.inputs[INPUT].port
    if flat.shape[1] != port.size:
        raise DataError(
            f"x must have {port.size} features, one per input of the program, not {flat.shape[1]}"
        )
    if encoding["kind"] in SPIKE_CODES:
        steps, seed = program.steps or 1, int(encoding["seed"])
        rows = np.arange(first, first + len(flat))
        spikes = spike_encode(encoding["kind"], flat, steps, seed=seed, frames=rows)
        return spikes.astype(np.int64)
    codes = np.floor(flat.astype(np.float64) / encoding["scale"] + 0.5)
    return port.format.saturate(codes).astype(np.int64)


def saturated_inputs(program: Program, x: Any) -> int:
    """Values of samples outside what the program's input format holds."""
    encoding, fmt = program.metadata["encoding"], program.inputs[INPUT].port.format
    if fmt == SPIKE:
        return 0
    codes = np.floor(samples("x", x).astype(np.float64) / encoding["scale"] + 0.5)
    return int(np.count_nonzero((codes < fmt.lo) | (codes > fmt.hi)))


def output_values(program: Program, name: str, codes: Codes) -> NDArray[np.float64]:
    """Values of an output's codes."""
    return program.port(program.outputs[name]).format.decode(codes)


def decide(outputs: NDArray[Any]) -> NDArray[np.int64]:
    """Class of each frame: of several outputs the largest, of one whether it is above 0.

    Parameters
    ----------
    outputs : (frames, n_out) ndarray
        Logits, or their codes; the lowest index wins among equals.
    """
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(np.int64)
    return np.asarray(outputs.argmax(axis=1), np.int64)
