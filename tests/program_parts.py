# SPDX-License-Identifier: Apache-2.0
"""Formats, inputs and nodes that the programs of the tests are built from."""

from collections.abc import Mapping

import numpy as np

from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Kind, Port, Rate
from spikewright.sim.primitive import Codes, Primitive
from spikewright.sim.primitives import EventMatVec, Lif, MatVec, Requantize
from spikewright.sim.program import Input, Node, Program

PIXEL = QFormat(width=8, frac=8, signed=False)
WEIGHT = QFormat(width=8, frac=7)
CURRENT = QFormat(width=18, frac=14)
MEMBRANE = QFormat(width=20, frac=14)


def program(
    inputs: Mapping[str, Input],
    nodes: Mapping[str, tuple[Primitive, tuple[str, ...]]],
    outputs: Mapping[str, str],
    *,
    steps: int | None = 1,
    tensors: Mapping[str, list[int]] | None = None,
    seed: int = 0,
) -> Program:
    """Program whose tensors are random but for those given."""
    rng = np.random.default_rng(seed)
    codes: dict[str, Codes] = {}
    for primitive, _ in nodes.values():
        for name, spec in primitive.tensors().items():
            if tensors and name in tensors:
                codes[name] = np.broadcast_to(tensors[name], spec.shape).astype(np.int64)
            elif name not in codes:
                codes[name] = rng.integers(
                    spec.format.lo, spec.format.hi, spec.shape, endpoint=True
                )
    return Program(
        inputs=inputs,
        nodes=tuple(Node(name, primitive, given) for name, (primitive, given) in nodes.items()),
        outputs=outputs,
        tensors=codes,
        steps=steps,
    )


def per_frame(size: int, fmt: QFormat = PIXEL) -> Input:
    return Input(Port(size=size, format=fmt), Rate.FRAME)


def per_step(size: int, fmt: QFormat = PIXEL, kind: Kind = Kind.DENSE) -> Input:
    return Input(Port(size=size, format=fmt, kind=kind), Rate.STEP)


def dense(name: str, rows: int, columns: int, x: QFormat = PIXEL, w: QFormat = WEIGHT) -> MatVec:
    return MatVec(
        rows=rows,
        columns=columns,
        input=x,
        weight_format=w,
        weight=f"{name}.weight",
        bias=f"{name}.bias",
        bias_width=min(20, x.width + w.width + 4),
    )


def spiking(name: str, rows: int, columns: int) -> EventMatVec:
    return EventMatVec(
        rows=rows,
        columns=columns,
        weight_format=WEIGHT,
        weight=f"{name}.weight",
        bias=f"{name}.bias",
        bias_width=9,
    )


def to_current(size: int, x: QFormat) -> Requantize:
    return Requantize(size=size, input=x, output=CURRENT)


def neurons(size: int, **options: object) -> Lif:
    fields = {"leak": "leak", "threshold": "threshold", **options}
    return Lif(size=size, input=CURRENT, membrane=MEMBRANE, **fields)


LIF_TENSORS = {"leak": [3196], "threshold": [16384]}
