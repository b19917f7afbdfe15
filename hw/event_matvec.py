# SPDX-License-Identifier: Apache-2.0
"""Event-driven matrix-vector product."""

from typing import ClassVar

from amaranth import Module
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.product.product_core import ProductCore
from spikewright.hw.product.spikes import mark_last
from spikewright.sim.event_matvec import EventMatVec as Primitive


class EventMatVec(PrimitiveComponent):
    """``lanes`` accumulators add the weights of a step's spikes; rows come in tiles.

    A buffer plays the step's spikes once for each tile of ``lanes`` rows, one weight word a cycle,
    without a gap between tiles or steps. A step takes ``max(spikes, 1, lanes / lanes_out)`` cycles
    a tile: the last is for its rows to leave. It also takes ``spikes + 1`` cycles to come in,
    while others play; so many steps may wait that this delays none, up to
    :data:`~spikewright.hw.product.product_core.MOST_STEPS`. Where all rows leave in eight beats,
    steps back to back thus take at most eight cycles each beside those of the weight words,
    whatever spikes. No multipliers.

    Parameters
    ----------
    primitive : spikewright.sim.event_matvec.EventMatVec
    lanes : int
    lanes_out : int
        Divides ``lanes``.

    Members
    -------
    i_x : In(stream of events)
    o_y : Out(stream of dense beats, ``lanes_out`` wide)
    host_0, host_1 : In(ParameterHost)
        Weights; biases if there are any.

    Raises
    ------
    FormatError
        If there are no lanes or more than rows, or ``lanes_out`` does not divide them.
    """

    primitive: Primitive
    gathers: ClassVar[bool] = True

    def __init__(self, primitive: Primitive, *, lanes: int, lanes_out: int = 1):
        super().__init__(primitive, lanes=lanes, lanes_in=1, lanes_out=lanes_out)
        self.core = ProductCore(primitive, events=True, lanes=lanes, lanes_out=lanes_out)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        m.submodules.core = core = self.core
        mark_last(m, self.input("x"), core.i, self.primitive.columns)
        wiring.connect(m, core.o, wiring.flipped(self.output("y")))
        core.connect_hosts(m, self.hosts)
        return m
