# SPDX-License-Identifier: Apache-2.0
"""Rows of clock cycles: every core alone, and whole networks, against their lower bounds."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import _cores as cores
import _meter as meter
import numpy as np
from _harness import core_rtlil
from numpy.typing import NDArray

from spikewright.hw.cells.family import ECP5
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.estimate import estimate
from spikewright.hw.event_matvec import EventMatVec
from spikewright.hw.fixed import shape_of
from spikewright.hw.folding import fold
from spikewright.hw.glue.streams import beats_of
from spikewright.hw.product.products import packing
from spikewright.runtime.rtl import RtlDevice
from spikewright.sim.matvec import MatVec
from spikewright.sim.program import Program

Row = dict[str, Any]
Rows = Mapping[str, Callable[[], Row]]
VECTORS, STEPS = 12, 10
BLOCK_BITS = 18 * 1024
"""Of a block RAM on ECP5."""
SHAPES = ((784, 128), (64, 32), (784, 100), (128, 10))
LANES = (16, 28, 64)
PATTERNS: dict[str, Callable[[int], NDArray[np.bool_]]] = {
    "silent": lambda neurons: np.zeros(neurons, bool),
    "one spike": lambda neurons: np.arange(neurons) == neurons // 2,
    "5 % spike": lambda neurons: np.random.default_rng(0).random(neurons) < 0.05,
    "half spike": lambda neurons: np.arange(neurons) % 2 == 0,
    "all spike": lambda neurons: np.ones(neurons, bool),
    "all or none in turn": lambda neurons: np.repeat([[True], [False]], neurons, axis=1),
}
"""Spikes of a step, or of steps in turn; where all are alike, none is paid for by another."""


def matvec(columns: int, rows: int, lanes: int, bits: int = 8) -> Row:
    """Frames back to back through one product."""
    primitive = cores.matvec(columns, rows, bits)
    core = cores.component(primitive, lanes)
    beats = beats_of(columns, core.lanes_in)
    cycles = meter.run(core, meter.dense_words(77, beats=beats, vectors=VECTORS), VECTORS).period()
    dsp, macs = dsps(cores.component(primitive, lanes)), rows * columns
    pack = packing(shape_of(primitive.weight_format), shape_of(primitive.input), ECP5)
    # Products of few bits take no multipliers: their units are then what must be busy.
    units = dsp * pack if dsp else core.lanes
    bound = max(macs / core.lanes, beats, beats_of(rows, core.lanes_out))
    return {
        "lanes": core.lanes,
        "dsp": dsp,
        "packing": pack,
        **against(cycles, bound),
        "utilization": macs / (units * cycles),
    }


def against(cycles: float, bound: float) -> Row:
    """Cycles and what they cannot be below."""
    return {"cycles": cycles, "bound": float(bound), "cycles/bound": cycles / bound}


def dsps(core: PrimitiveComponent) -> int:
    """Multipliers of a component on ECP5: those it names, and those synthesis will find."""
    return estimate(core_rtlil(core, ECP5), ECP5).dsp


def event_matvec(bits: int, pattern: str, neurons: int, lanes: int, lanes_out: int | None) -> Row:
    """Steps back to back through one product of spikes; block RAM for a bit of its weights."""
    core = cores.component(cores.event_matvec(neurons, neurons, bits), lanes, lanes_out)
    spikes = np.resize(PATTERNS[pattern](neurons), (VECTORS * STEPS, neurons))
    words = spikes.sum() * beats_of(neurons, core.lanes) / len(spikes)
    sent = meter.event_words(spikes, steps=STEPS)
    cycles = meter.run(core, sent, len(spikes)).period()
    return {
        "words": words,
        "beats out": beats_of(neurons, core.lanes_out),
        "cycles": cycles,
        "overhead": cycles - words,
        "per cycle": words / cycles,
        "ram/weights": weight_ram(core) / (neurons * neurons * bits),
    }


def weight_ram(core: PrimitiveComponent) -> int:
    """Bits of block RAM on ECP5 for the weights of a product of spikes, and for nothing else."""
    if not isinstance(core, EventMatVec):
        raise TypeError(f"Weights must be those of an EventMatVec, not of a {type(core).__name__}")
    return estimate(core_rtlil(core.core.row, ECP5), ECP5).bram * BLOCK_BITS


def lif(leak: str, spiking: bool, neurons: int, lanes: int) -> Row:
    """Steps back to back through neurons; spikes leave one a cycle, then the marker."""
    core = cores.component(cores.lif(neurons, leak), lanes)
    beats = beats_of(neurons, core.lanes_in)
    # Tensors are zero after reset: what is below zero never reaches the threshold.
    sent = meter.dense_words(
        100 if spiking else -1, beats=beats, vectors=VECTORS * STEPS, steps=STEPS
    )
    cycles = meter.run(core, sent, VECTORS * STEPS).period()
    return against(cycles, max(beats, neurons + 1 if spiking else 0))


def network(program: Program, lanes: int) -> Row:
    """Images back to back through an accelerator, as its own counter has them.

    The bound is that of its products, and one pixel a cycle.
    """
    folded = fold(program, lanes)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3 * VECTORS, 784)) * (rng.random((3 * VECTORS, 784)) < 0.2)
    counted = []
    with RtlDevice(program, folded) as device:
        for frames in (1, VECTORS, 3 * VECTORS):
            counted.append(device.run_codes({"x": images[:frames]}).cycles or 0)
    one, few, many = counted
    bound = 784.0
    for node in program.nodes:
        product = node.primitive
        if type(product) is MatVec:
            bound = max(bound, product.rows * product.columns / folded[node.name])
    return {**against((many - few) / (2 * VECTORS), bound), "first image": one}


def tables() -> dict[str, Rows]:
    """What makes each row, by table and by name."""
    shapes = [(*shape, 8, lanes) for shape in SHAPES for lanes in LANES]
    shapes += [(784, 128, *few) for few in ((8, 8), (4, 16), (4, 64), (2, 64), (1, 64))]
    products = {
        f"MatVec {columns}x{rows}, {bits} bits, {lanes} lanes": partial(
            matvec, columns, rows, lanes, bits
        )
        for columns, rows, bits, lanes in shapes
    }
    events = {
        f"EventMatVec 256x256, {name}, {pattern}": partial(
            event_matvec, bits, pattern, 256, 16, lanes_out
        )
        for name, (bits, lanes_out) in cores.EVENTS.items()
        for pattern in PATTERNS
    }
    # Rows leave in eight beats: so a step takes at most eight cycles more than it has words.
    events |= {
        f"EventMatVec 64x64, 4 bits, 64 lanes, 8 a beat, {pattern}": partial(
            event_matvec, 4, pattern, 64, 64, 8
        )
        for pattern in PATTERNS
    }
    neurons = {
        f"Lif 256, leak by {leak}, 8 lanes, {'all spike' if spiking else 'silent'}": partial(
            lif, leak, spiking, 256, 8
        )
        for leak in cores.LEAKS
        for spiking in (False, True)
    }
    networks = {
        f"784-128-10, {lanes} lanes": partial(network, cores.mlp(), lanes)
        for lanes in (16, 64, 128)
    }
    networks["LIF 784-128-10, 4 bits, 10 steps, 64 lanes"] = partial(
        network, cores.spiking_mlp(), 64
    )
    return {"products": products, "events": events, "neurons": neurons, "networks": networks}
