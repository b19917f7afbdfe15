# SPDX-License-Identifier: Apache-2.0
"""Which cores and networks are mapped to which parts, and the clocks the placer strives for."""

from functools import partial

import _cores as cores
from _placing import Placement

from spikewright.boards.part import (
    ECP5_25K,
    ECP5_85K,
    GW1N_9,
    GW2A_18,
    UP5K,
    XC7Z020,
    Part,
)
from spikewright.hw.accelerator import Accelerator
from spikewright.hw.folding import fold
from spikewright.sim.program import Program


def placements() -> list[Placement]:
    """Everything that is mapped, the quickest of each kind first."""
    return [*_products(), *_synapses(), *_neurons(), *_whole()]


def _products() -> list[Placement]:
    chosen: list[tuple[int, int, int, int, Part, float]] = [
        (64, 32, 8, 8, ECP5_25K, 300),
        (784, 128, 8, 28, ECP5_25K, 250),
        (784, 128, 8, 64, ECP5_85K, 230),
        (784, 128, 8, 128, ECP5_85K, 200),
        (784, 128, 4, 64, ECP5_85K, 230),
        (784, 128, 2, 64, ECP5_85K, 230),
        (784, 128, 8, 8, UP5K, 50),
        (784, 128, 4, 16, UP5K, 50),
        (64, 32, 8, 8, GW1N_9, 100),
        (784, 64, 8, 16, GW2A_18, 150),
        (784, 128, 8, 64, XC7Z020, 100),
        (784, 128, 4, 64, XC7Z020, 100),
    ]
    return [
        Placement(
            name=f"MatVec {columns}x{rows}, {bits} bits, {lanes} lanes",
            make=partial(cores.component, cores.matvec(columns, rows, bits), lanes),
            part=part,
            clock_mhz=clock,
            weight_bits=columns * rows * bits,
        )
        for columns, rows, bits, lanes, part, clock in chosen
    ]


def _synapses() -> list[Placement]:
    chosen = [(name, ECP5_25K, 200) for name in cores.EVENTS]
    chosen += [("8 bits, 16 lanes", XC7Z020, 100)]
    return [
        Placement(
            name=f"EventMatVec 256x256, {name}",
            make=partial(
                cores.component, cores.event_matvec(256, 256, bits), 16, lanes_out=lanes_out
            ),
            part=part,
            clock_mhz=clock,
            weight_bits=256 * 256 * bits,
        )
        for name, part, clock in chosen
        for bits, lanes_out in [cores.EVENTS[name]]
    ]


def _neurons() -> list[Placement]:
    # Eight products of 17 bits take more multipliers than a UP5K has.
    chosen = [
        (leak, part, clock)
        for part, clock in _LIF_PARTS
        for leak in cores.LEAKS
        if (leak, part) != ("product", UP5K)
    ]
    return [
        Placement(
            name=f"Lif 256, leak by {leak}, 8 lanes",
            make=partial(cores.component, cores.lif(256, leak), 8),
            part=part,
            clock_mhz=clock,
            shared=8,
        )
        for leak, part, clock in chosen
    ]


_LIF_PARTS = ((ECP5_25K, 200), (UP5K, 50), (GW1N_9, 100), (XC7Z020, 100))


def _whole() -> list[Placement]:
    networks = [
        ("784-128-10, 64 lanes", cores.mlp(), 64, ECP5_85K, 175),
        ("784-128-10, 64 lanes", cores.mlp(), 64, XC7Z020, 100),
        ("LIF 784-128-10, 4 bits, 64 lanes", cores.spiking_mlp(), 64, ECP5_85K, 175),
        ("LIF 784-128-10, 4 bits, 32 lanes", cores.spiking_mlp(), 32, XC7Z020, 100),
    ]
    odin = [
        Placement(
            name=f"256 LIF, 64 k synapses, {bits} bits, 16 lanes",
            make=partial(cores.Neurosynaptic, 256, bits, 16),
            part=ECP5_25K,
            clock_mhz=200,
            weight_bits=256 * 256 * bits,
            shared=256,
        )
        for bits in (4, 8)
    ]
    return [*odin, *(_accelerator(*network) for network in networks)]


def _accelerator(name: str, program: Program, lanes: int, part: Part, clock: float) -> Placement:
    """A whole accelerator; its probes are left open, as on a board."""
    return Placement(
        name=f"Accelerator {name}",
        make=partial(Accelerator, program, fold(program, lanes)),
        part=part,
        clock_mhz=clock,
    )
