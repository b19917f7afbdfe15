# SPDX-License-Identifier: Apache-2.0
"""A million random vectors through every core: the RTL and the golden model agree on each bit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from bench import machine
from program_parts import program

from spikewright.hw.accelerator import Accelerator
from spikewright.hw.folding import fold
from spikewright.hw.verilog import to_verilog
from spikewright.sim import golden
from spikewright.sim.engine import Design, Engine, open_engine
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Rate
from spikewright.sim.primitive import PRIMITIVES, Codes, Primitive
from spikewright.sim.primitives import (
    Activation,
    Bernoulli,
    Count,
    Delay,
    Elementwise,
    EventMatVec,
    Extremum,
    Hold,
    Last,
    Leaky,
    Learn,
    Lif,
    Lookup,
    MatVec,
    Requantize,
    Route,
)
from spikewright.sim.program import Input, Program

VECTORS = 1_000_000
"""Vectors into each core, over all its option sets: of a step, or of a frame."""
BATCH = 20_000
"""Vectors between two changes of the tensors."""
STEPS = 5
CYCLES_PER_VECTOR = 1000
"""Far above what any of these takes, so that a core that is stuck fails soon."""
CORNERS = 0.25
"""Share of codes that are the ends of their format, zero, or next to it."""


@dataclass(frozen=True)
class Core:
    """One option set of a primitive, on so many lanes; of products, with so many rows a beat."""

    primitive: Primitive
    lanes: int = 1
    rows: int = 1


def unsigned(width: int, frac: int = 0) -> QFormat:
    return QFormat(width=width, frac=frac, signed=False)


def signed(width: int, frac: int = 0) -> QFormat:
    return QFormat(width=width, frac=frac)


def matvec(rows: int, columns: int, x: QFormat, weight: QFormat, bias: int | None) -> MatVec:
    named = {} if bias is None else {"bias": "bias", "bias_width": bias}
    return MatVec(
        rows=rows, columns=columns, input=x, weight_format=weight, weight="weight", **named
    )


def event_matvec(rows: int, columns: int, weight: int, bias: int | None = None) -> EventMatVec:
    named = {} if bias is None else {"bias": "bias", "bias_width": bias}
    return EventMatVec(
        rows=rows, columns=columns, weight_format=signed(weight), weight="weight", **named
    )


def learn(rows: int, columns: int, weight: int, change: int) -> Learn:
    fmt = signed(weight, 3)
    return Learn(
        rows=rows, columns=columns, weight="w", weight_format=fmt, change=signed(change, 3)
    )


def lif(size: int = 5, membrane: int = 10, **options: object) -> Lif:
    chosen = {"leak": "leak", "threshold": "threshold", "leak_frac": 8, **options}
    return Lif(size=size, input=signed(membrane, 4), membrane=signed(membrane, 4), **chosen)


def leaky(size: int, leak_frac: int, **options: object) -> Leaky:
    fields = {"leak": "leak", "leak_frac": leak_frac, **options}
    return Leaky(size=size, input=signed(9, 4), membrane=signed(12, 4), **fields)


ADAPTATION = {"adaptation": signed(9, 4), "adaptation_leak": "leak_a", "adaptation_step": "step"}

CORES: dict[str, tuple[Core, ...]] = {
    "MatVec": (
        Core(matvec(5, 7, unsigned(8), signed(8), 20), 3, 1),
        Core(matvec(4, 3, signed(8), signed(8), None), 4, 2),
        Core(matvec(6, 5, unsigned(8), signed(4), 12), 3, 3),
        Core(matvec(3, 1, signed(5), unsigned(3), None), 2, 2),
        Core(matvec(7, 6, unsigned(4), signed(2), 6), 7, 1),
        Core(matvec(4, 4, signed(20), signed(19), 32), 2, 1),
        Core(matvec(5, 4, unsigned(1), signed(3), None), 1, 1),
        Core(matvec(6, 9, signed(3), signed(1), 5), 6, 2),
    ),
    "EventMatVec": (
        Core(event_matvec(5, 9, 8), 3, 1),
        Core(event_matvec(6, 7, 4, 9), 3, 3),
        Core(event_matvec(4, 5, 9), 4, 2),
        Core(event_matvec(3, 12, 2, 4), 1, 1),
    ),
    "Learn": (
        Core(learn(5, 9, 8, 6), 3),
        Core(learn(6, 7, 12, 12), 6),
        Core(learn(4, 1, 5, 1), 1),
        Core(learn(3, 40, 24, 10), 2),
    ),
    "Lif": (
        Core(lif(), 1),
        Core(lif(leak_frac=1, reset="value", reset_tensor="rest"), 2),
        Core(lif(per_neuron=True, strict=True, voltage="after"), 2),
        Core(lif(reset="none", leak_after_input=True, lower=-100, voltage="before")),
        Core(lif(refractory=2, leak_frac=3), 5),
        Core(lif(refractory=3, refractory_input="keep", reset_next=True), 2),
        Core(lif(**ADAPTATION, voltage="before"), 3),
        Core(
            lif(
                **ADAPTATION,
                per_neuron=True,
                refractory=1,
                reset="value",
                reset_tensor="rest",
                reset_next=True,
            ),
            2,
        ),
        Core(lif(membrane=18, leak_frac=16, per_neuron=True, reset_tensor="rest"), 2),
        Core(lif(leak=(4,)), 2),
        Core(lif(leak=(2, 5), leak_after_input=True, refractory=1, per_neuron=True), 3),
        Core(lif(leak=(3,), synapse=signed(11, 4), synapse_leak=(2,)), 2),
        Core(
            lif(
                synapse=signed(9, 4),
                synapse_leak="leak_s",
                synapse_leak_2=(1, 4),
                synapse_order=2,
                voltage="after",
            ),
            2,
        ),
    ),
    "Leaky": (
        Core(leaky(5, 8), 2),
        Core(leaky(4, 16, per_neuron=True, leak_after_input=True), 1),
        Core(leaky(3, 1), 3),
        Core(leaky(5, 8, leak=(1, 4)), 2),
    ),
    "Requantize": (
        Core(Requantize(size=5, input=signed(20, 8), output=unsigned(8, 2)), 2),
        Core(Requantize(size=4, input=signed(14, 6), output=signed(6, 1), shift="shift"), 4),
        Core(Requantize(size=3, input=signed(7, 1), output=signed(10, 5)), 1),
    ),
    "Activation": (
        Core(Activation(size=5, input=signed(9, 4), output=signed(7, 3), function="hard_tanh"), 2),
        Core(Activation(size=4, input=signed(6), output=signed(2), function="sign"), 4),
        Core(
            Activation(
                size=3,
                input=signed(12, 4),
                output=signed(8, 2),
                function="leaky_relu",
                slope=(3, 5),
            ),
            1,
        ),
    ),
    "Lookup": (
        Core(Lookup(size=5, input=signed(8, 4), output=signed(8, 7), function="tanh"), 2),
        Core(Lookup(size=4, input=signed(16, 10), output=unsigned(12, 12), function="sigmoid")),
    ),
    "Bernoulli": (
        Core(Bernoulli(size=5, input=unsigned(8, 8), seed="seed"), 2),
        Core(Bernoulli(size=7, input=signed(12, 10), seed="seed"), 1),
    ),
    "Extremum": (
        Core(Extremum(size=7, input=signed(6))),
        Core(Extremum(size=6, input=unsigned(3), largest=False)),
        Core(Extremum(size=2, input=signed(24))),
    ),
    "Count": (Core(Count(size=6, steps=STEPS)),),
    "Elementwise": (
        Core(Elementwise(size=5, a=signed(8), b=unsigned(6)), 2),
        Core(Elementwise(size=4, a=signed(9, 2), b=signed(8, 3), operation="multiply"), 4),
    ),
    "Route": (
        Core(Route(sizes=(3, 4), format=signed(7))),
        Core(Route(sizes=(4, 2), format=signed(7), index=(5, 0, 0, 3))),
    ),
    "Delay": (
        Core(Delay(size=5, format=signed(8))),
        Core(Delay(size=3, format=signed(9), steps=3)),
        Core(Delay(size=6, format=SPIKE, steps=2)),
    ),
    "Hold": (Core(Hold(size=5, format=signed(10))),),
    "Last": (Core(Last(size=5, format=signed(10))),),
}


def one_node(primitive: Primitive) -> Program:
    """A program of this primitive alone; each of its outputs is one of the program's."""
    crossing = primitive.crossing or (Rate.STEP, Rate.STEP)
    ports = primitive.ports()
    return program(
        {name: Input(port, crossing[0]) for name, port in ports.inputs.items()},
        {"core": (primitive, tuple(ports.inputs))},
        {name: f"core.{name}" for name in ports.outputs},
        steps=None if primitive.learns else STEPS,
    )


def opened(given: Program, core: Core) -> Engine:
    """The program's Verilog; lanes are given, not folded, as one serial input would give one."""
    accelerator = Accelerator(given)
    accelerator.lanes = {"core": core.lanes}
    if isinstance(core.primitive, MatVec):
        accelerator.lanes = fold(given, {"core": core.lanes, "core.y": core.rows})
    return open_engine(Design(verilog=to_verilog(accelerator), layers=len(given.layers)))


def drawn(rng: np.random.Generator, fmt: QFormat, shape: tuple[int, ...]) -> Codes:
    """Codes over the whole range of a format, and more often than that at its corners."""
    codes = rng.integers(fmt.lo, fmt.hi, shape, endpoint=True)
    corners = np.array([fmt.lo, fmt.hi, 0, min(1, fmt.hi), max(-1, fmt.lo)])
    mixed: Codes = np.where(rng.random(shape) < CORNERS, rng.choice(corners, shape), codes)
    return mixed


def batch(rng: np.random.Generator, given: Program) -> tuple[Program, dict[str, Codes]]:
    """The program with other tensors, and inputs of so many vectors."""
    tensors = {
        name: drawn(rng, spec.format, spec.shape) for name, spec in given.tensor_specs.items()
    }
    inputs = {}
    for name, i in given.inputs.items():
        steps = BATCH if given.steps is None else STEPS
        shape = (BATCH // steps, steps) if i.rate is Rate.STEP else (BATCH,)
        inputs[name] = drawn(rng, i.port.format, (*shape, i.port.size))
    return replace(given, tensors=tensors), inputs


def check(core: Core, vectors: int, seed: int) -> int:
    """Compare the outputs of so many vectors, of which half come and go with random stalls."""
    rng = np.random.default_rng(seed)
    given, compared = one_node(core.primitive), 0
    with opened(given, core) as engine:
        while compared < vectors:
            loaded, inputs = batch(rng, given)
            machine.load(engine, loaded)
            stall_seed = int(rng.integers(1 << 32)) if compared // BATCH % 2 else None
            limit = BATCH * CYCLES_PER_VECTOR
            found = machine.run(engine, loaded, inputs, stall_seed=stall_seed, limit_cycles=limit)
            streams = golden.run(loaded, inputs)
            for name, reference in given.outputs.items():
                differs = np.argwhere(found[name] != streams[given.resolve(reference)])
                assert not len(differs), f"{core}: {name} differs first at {differs[0]} of a batch"
            compared += BATCH
        assert machine.read(engine, "STATUS") == 0
    return compared


def test_every_primitive_has_a_core() -> None:
    assert set(CORES) == set(PRIMITIVES)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
@pytest.mark.parametrize("name", CORES)
def test_a_million_vectors(name: str, seed: int) -> None:
    cores = CORES[name]
    compared = sum(check(core, -(-VECTORS // len(cores)), seed + k) for k, core in enumerate(cores))
    assert compared >= VECTORS


@pytest.mark.parametrize("name", ["Requantize"])
def test_a_wrong_bit_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of one vector of the golden model is turned: the comparison must say so."""
    core, honest = CORES[name][0], golden.run

    def turned(given: Program, inputs: Mapping[str, Codes]) -> dict[str, Codes]:
        streams = honest(given, inputs)
        streams["core.y"][17, 2, 3] ^= 1
        return streams

    monkeypatch.setattr(golden, "run", turned)
    with pytest.raises(AssertionError, match=r"y differs first at \[17  2  3\] of a batch"):
        check(core, BATCH, 0)
