# SPDX-License-Identifier: Apache-2.0
"""Dense matrix-vector product."""

from itertools import pairwise

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import shape_of
from spikewright.hw.parameters import ParameterMemory
from spikewright.hw.replay import Replay
from spikewright.hw.streams import beats_of, layout_of
from spikewright.sim.matvec import MatVec as Primitive


class MatVec(PrimitiveComponent):
    """``lanes`` multiply-accumulate units share each element of ``x``; rows come in tiles.

    A double buffer plays ``x`` once for each tile of ``lanes`` rows. One vector takes
    ``columns * ceil(rows / lanes)`` cycles, without a gap between tiles or vectors (with one
    column, twice that); latency to the first beat is ``2 * columns + 6``.

    Parameters
    ----------
    primitive : spikewright.sim.matvec.MatVec
    lanes : int

    Members
    -------
    i_x : In(stream of dense beats, one lane)
    o_y : Out(stream of dense beats, ``lanes`` wide)
    host_0, host_1 : In(ParameterHost)
        Weights; biases if there are any.
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int):
        super().__init__(primitive, lanes=lanes, lanes_in=1, lanes_out=lanes)
        self.tiles = beats_of(primitive.rows, lanes)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        primitive, o = self.primitive, self.output("y")
        (port,) = primitive.ports().inputs.values()
        m.submodules.replay = replay = Replay(
            layout_of(port), beats=primitive.columns, passes=self.tiles
        )
        wiring.connect(m, wiring.flipped(self.input("x")), replay.i)
        m.submodules.weights = weights = ParameterMemory(
            rows=primitive.rows,
            columns=primitive.columns,
            lanes=self.lanes,
            format=primitive.weight_format,
        )
        wiring.connect(m, wiring.flipped(self.hosts[primitive.weight]), weights.host)

        # A finished tile waits in the accumulators while the one before it is still in `o`; to look
        # at `o.ready` too would only help where tiles take one cycle, and make a long path.
        done, advance = Signal(), Signal()
        m.d.comb += advance.eq(~(done & o.valid))
        beat = replay.o.payload
        take = replay.o.valid & advance
        address = Signal(range(weights.depth))
        row_start = Signal(init=1)
        m.d.comb += [
            replay.o.ready.eq(advance),
            weights.address.eq(address),
            weights.enable.eq(advance),
        ]
        with m.If(take):
            m.d.sync += row_start.eq(beat.last)
            m.d.sync += address.eq(Mux(address == weights.depth - 1, 0, address + 1))

        flags = Cat(take, row_start, beat.last, replay.pass_last, beat.first, beat.end)
        x = [Signal(shape_of(port.format), name=f"x{k}", reset_less=True) for k in range(2)]
        stages = [flags, *(Signal.like(flags, name=f"stage{k}") for k in range(1, 4))]
        with m.If(advance):
            m.d.sync += [x[0].eq(beat.data[0]), x[1].eq(x[0])]
            m.d.sync += [later.eq(now) for now, later in pairwise(stages)]
        bias = self._bias(m, advance & stages[2][0] & stages[2][1])
        accumulators = self._accumulate(m, advance, x[1], weights.word, stages[3], bias)

        valid, last = stages[3][0], stages[3][2]
        out_flags = Signal(3, reset_less=True)
        with m.If(advance):
            m.d.sync += [done.eq(valid & last), out_flags.eq(stages[3][3:])]
        with m.If(done & advance):
            m.d.sync += [o.payload.data[k].eq(a) for k, a in enumerate(accumulators)]
            m.d.sync += Cat(o.payload.last, o.payload.first, o.payload.end).eq(out_flags)
            m.d.sync += o.valid.eq(1)
        with m.Elif(o.ready):
            m.d.sync += o.valid.eq(0)
        return m

    def _bias(self, m: Module, read: Value) -> list[Value]:
        """Biases of the tile whose first product is a cycle away when ``read`` is high."""
        primitive = self.primitive
        if primitive.bias is None:
            return [C(0)] * self.lanes
        m.submodules.biases = biases = ParameterMemory(
            rows=primitive.rows, columns=1, lanes=self.lanes, format=primitive.bias_format
        )
        wiring.connect(m, wiring.flipped(self.hosts[primitive.bias]), biases.host)
        tile = Signal(range(self.tiles))
        m.d.comb += [biases.address.eq(tile), biases.enable.eq(read)]
        with m.If(read):
            m.d.sync += tile.eq(Mux(tile == self.tiles - 1, 0, tile + 1))
        return [biases.word[k] for k in range(self.lanes)]

    def _accumulate(
        self, m: Module, advance: Value, x: Value, word: data.View, stage: Value, bias: list[Value]
    ) -> list[Signal]:
        """Operand, product and accumulator registers of every lane."""
        valid, start = stage[0], stage[1]
        accumulators = []
        for k in range(self.lanes):
            weight = Signal(shape_of(self.primitive.weight_format), name=f"w_{k}", reset_less=True)
            product = Signal.like(weight * x, name=f"product_{k}", reset_less=True)
            total = Signal(shape_of(self.primitive.accumulator), name=f"sum_{k}", reset_less=True)
            with m.If(advance):
                m.d.sync += [weight.eq(word[k]), product.eq(weight * x)]
                with m.If(valid):
                    m.d.sync += total.eq(Mux(start, bias[k], total) + product)
            accumulators.append(total)
        return accumulators
