# SPDX-License-Identifier: Apache-2.0
"""Random codes for a primitive and its golden run.

Arrays are (frames, steps, size) throughout; a per-frame vector has one step.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Rate
from spikewright.sim.primitive import Codes, Primitive


def random_codes(rng: np.random.Generator, fmt: QFormat, shape: Sequence[int]) -> Codes:
    """Codes of a format: anywhere, small, or at its ends."""
    codes = rng.integers(fmt.lo, fmt.hi, shape, endpoint=True)
    small = np.clip(rng.integers(-3, 4, shape), fmt.lo, fmt.hi)
    ends = np.where(rng.integers(2, size=shape), fmt.hi, fmt.lo)
    chosen: Codes = np.choose(rng.choice(3, shape, p=(0.7, 0.15, 0.15)), (codes, small, ends))
    return chosen


def random_tensors(rng: np.random.Generator, primitive: Primitive) -> dict[str, Codes]:
    """A tensor of random codes for each that a primitive reads."""
    return {
        name: random_codes(rng, spec.format, spec.shape)
        for name, spec in primitive.tensors().items()
    }


def random_inputs(
    rng: np.random.Generator, primitive: Primitive, frames: int, steps: int
) -> list[Codes]:
    """Codes for each input port."""
    if primitive.crossing and primitive.crossing[0] is Rate.FRAME:
        steps = 1
    return [
        random_codes(rng, port.format, (frames, steps, port.size))
        for port in primitive.ports().inputs.values()
    ]


def golden_run(
    primitive: Primitive, tensors: Mapping[str, Codes], inputs: Sequence[Codes]
) -> list[Codes]:
    """Outputs of each step; the primitive may not touch what it is given."""
    frames, steps = inputs[0].shape[:2]
    state = primitive.init_state(frames)
    found: list[list[Codes]] = []
    for array in tensors.values():
        array.setflags(write=False)
    for t in range(steps):
        given = [array[:, t].copy() for array in inputs]
        for array in (*given, *state.values()):
            array.setflags(write=False)
        state, outputs = primitive.step(tensors, state, *given)
        found.append([output.copy() for output in outputs])
    return [np.stack(values, axis=1) for values in zip(*found, strict=True)]


def expected_outputs(primitive: Primitive, outputs: Sequence[Codes], steps: int) -> list[Codes]:
    """What gateware sends: all steps, or the last one or a repetition where the rate changes."""
    if primitive.crossing is None:
        return list(outputs)
    if primitive.crossing[1] is Rate.FRAME:
        return [output[:, -1:] for output in outputs]
    return [np.repeat(output, steps, axis=1) for output in outputs]
