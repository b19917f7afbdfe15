# SPDX-License-Identifier: Apache-2.0
"""Dense matrix-vector product."""

from typing import ClassVar

from amaranth import Module
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.product.product_core import ProductCore
from spikewright.sim.matvec import MatVec as Primitive


class MatVec(PrimitiveComponent):
    """``lanes`` multiply-accumulate units share each element of ``x``; rows come in tiles.

    A double buffer plays ``x`` once for each tile of ``lanes`` rows. One vector takes
    ``columns * ceil(rows / lanes)`` cycles, without a gap between tiles or vectors, if a tile takes
    as many cycles as it gives beats. Rows leave in ascending order, ``lanes_out`` in a beat.

    Parameters
    ----------
    primitive : spikewright.sim.matvec.MatVec
    lanes : int
    lanes_out : int
        Divides ``lanes``.

    Members
    -------
    i_x : In(stream of dense beats, one lane)
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
        self.core = ProductCore(primitive, events=False, lanes=lanes, lanes_out=lanes_out)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        m.submodules.core = core = self.core
        i, entry = self.input("x"), core.i.payload
        m.d.comb += [
            core.i.valid.eq(i.valid),
            i.ready.eq(core.i.ready),
            entry.data.eq(i.payload.data[0]),
            entry.first.eq(i.payload.first),
            entry.last.eq(i.payload.last),
            entry.end.eq(i.payload.end),
        ]
        wiring.connect(m, core.o, wiring.flipped(self.output("y")))
        core.connect_hosts(m, self.hosts)
        return m
