# SPDX-License-Identifier: Apache-2.0
"""Small programs without steps: products, scaling, argmax."""

from program_parts import dense, per_frame, program

from spikewright.sim.fixed import QFormat
from spikewright.sim.primitives import Extremum, MatVec, Requantize
from spikewright.sim.program import Program


def mlp(sizes: tuple[int, int, int] = (20, 9, 4), seed: int = 0) -> Program:
    """Dense, ReLU, dense, argmax; the logits are an output too."""
    n, h, c = sizes
    fc1 = dense("fc1", h, n)
    act = QFormat(width=8, frac=5, signed=False)
    fc2 = dense("fc2", c, h, act)
    return program(
        {"x": per_frame(n)},
        {
            "fc1": (fc1, ("x",)),
            "relu": (Requantize(size=h, input=fc1.accumulator, output=act), ("fc1",)),
            "fc2": (fc2, ("relu",)),
            "argmax": (Extremum(size=c, input=fc2.accumulator), ("fc2",)),
        },
        {"logits": "fc2", "class": "argmax"},
        seed=seed,
    )


def channel_shifts(seed: int = 0) -> Program:
    """A product whose rows have shifts of their own, then an argmin."""
    fc = dense("fc", 7, 5, QFormat(width=6))
    out = QFormat(width=6, frac=5)
    shifts = Requantize(size=7, input=fc.accumulator, output=out, shift="shift")
    return program(
        {"x": per_frame(5, QFormat(width=6))},
        {
            "fc": (fc, ("x",)),
            "scale": (shifts, ("fc",)),
            "argmin": (Extremum(size=7, input=out, largest=False), ("scale",)),
        },
        {"class": "argmin", "scaled": "scale"},
        seed=seed,
    )


def wide(seed: int = 0) -> Program:
    """16-bit weights and codes: accumulators of more than 32 bits."""
    fmt = QFormat(width=16, frac=8)
    fc1 = dense("fc1", 6, 11, fmt, QFormat(width=16, frac=15))
    fc2 = dense("fc2", 3, 6, fc1.accumulator, QFormat(width=16, frac=15))
    return program(
        {"x": per_frame(11, fmt)},
        {
            "fc1": (fc1, ("x",)),
            "fc2": (fc2, ("fc1",)),
            "argmax": (Extremum(size=3, input=fc2.accumulator), ("fc2",)),
        },
        {"hidden": "fc1", "logits": "fc2", "class": "argmax"},
        seed=seed,
    )


def shared_weights(seed: int = 0) -> Program:
    """Two products with the same weights."""
    fmt = QFormat(width=6)
    product = MatVec(rows=7, columns=3, input=fmt, weight_format=fmt, weight="w")
    return program(
        {"x": per_frame(3, fmt)},
        {"one": (product, ("x",)), "two": (product, ("x",))},
        {"one": "one", "two": "two"},
        seed=seed,
    )
