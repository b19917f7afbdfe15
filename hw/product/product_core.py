# SPDX-License-Identifier: Apache-2.0
"""What dense and event-driven products share: replayed vectors through a row of units."""

from collections.abc import Mapping

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.block_memory import blocks
from spikewright.hw.cells.family import Family
from spikewright.hw.estimate import LUT_RAMS_PER_BLOCK, Estimate, block_rams, multipliers
from spikewright.hw.fixed import shape_of
from spikewright.hw.glue.flow import delayed
from spikewright.hw.glue.outlet import CYCLES, Outlet
from spikewright.hw.glue.streams import beats_of, dense_layout
from spikewright.hw.parameters import ParameterHost, ParameterHostInterface, ParameterVector
from spikewright.hw.product.mac_row import MacRow
from spikewright.hw.product.products import NARROW, packing
from spikewright.hw.product.replay import Player, Replay, ReplayRing, entry_layout
from spikewright.hw.product.spikes import event_entry
from spikewright.hw.product.weight_port import WeightPort
from spikewright.sim.errors import FormatError
from spikewright.sim.matvec import MatVec as Primitive

MOST_LANES_A_BANK = 16
MOST_STEPS = 64
"""Steps of spikes that wait at most; their ends are held in lookup tables."""
_BIAS = ParameterVector.latency + 2
"""Cycles in which a bias is read and added."""


class ProductCore(wiring.Component):
    """Plays each vector once for every ``lanes`` rows, and adds biases to the sums as they leave.

    A pass, one entry a cycle, gives ``lanes`` rows. The next follows at once, of the same vector
    or the next, if it has as many entries as there are beats to give. Nothing inside waits: a
    pass ends only when there is room for what it gives.

    Parameters
    ----------
    primitive : spikewright.sim.matvec.MatVec
    events : bool
        Whether entries are spikes (:func:`event_entry`) and not values.
    lanes : int
        Multiply-accumulate units.
    lanes_out : int
        Rows in a beat; divides ``lanes``.

    Members
    -------
    i : In(stream of entries)
    o : Out(stream of dense beats, ``lanes_out`` wide)
    weights, biases : In(ParameterHost)

    Raises
    ------
    FormatError
        If ``lanes_out`` does not divide ``lanes``.
    """

    i: stream.Interface
    o: stream.Interface
    weights: ParameterHostInterface
    biases: ParameterHostInterface

    def __init__(self, primitive: Primitive, *, events: bool, lanes: int, lanes_out: int):
        if lanes_out < 1 or lanes % lanes_out:
            raise FormatError(
                f"{type(primitive).__name__} lanes_out must divide its {lanes} lanes, "
                f"not be {lanes_out!r}"
            )
        self.primitive = primitive
        self.events = events
        self.lanes, self.lanes_out = lanes, lanes_out
        self.passes = beats_of(primitive.rows, lanes)
        self.beats = lanes // lanes_out
        entry = event_entry(primitive.columns) if events else shape_of(primitive.input)
        self.entry = entry
        total = shape_of(primitive.accumulator)
        super().__init__(
            {
                "i": In(stream.Signature(entry_layout(entry))),
                "o": Out(stream.Signature(dense_layout(total, lanes_out))),
                "weights": In(ParameterHost),
                "biases": In(ParameterHost),
            }
        )
        depth = self.passes * primitive.columns
        self.row = MacRow(
            weight=shape_of(primitive.weight_format),
            x=shape_of(primitive.input),
            total=total,
            depth=depth,
            lanes=lanes,
            bank=bank_of(primitive.weight_format.width, depth, lanes, lanes_out),
            lanes_out=lanes_out,
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, row = self.primitive, self.row
        m.submodules.row = row
        m.submodules.replay = replay = self._replay()
        m.submodules.port = port = WeightPort(
            rows=p.rows,
            columns=p.columns,
            lanes=self.lanes,
            weight=shape_of(p.weight_format),
            total=shape_of(p.accumulator),
            lanes_out=self.lanes_out,
        )
        wiring.connect(m, wiring.flipped(self.i), replay.i)
        wiring.connect(m, wiring.flipped(self.weights), port.host)
        m.d.comb += [
            row.write.eq(port.write),
            row.lane.eq(port.lane),
            row.weight.eq(port.weight),
            port.valid.eq(row.o_valid),
        ]
        one = -1 if p.input.signed and p.input.width == 1 else 1
        m.d.comb += [port.o[k].eq(-o if one < 0 else o) for k, o in enumerate(row.o)]

        flags: Value = Cat(replay.valid, replay.start, replay.stop, replay.first, replay.end)
        if self.events:
            flags, address, x = self._find_rows(m, replay, flags)
        else:
            address, x = self._next_column(m, replay), replay.data
        flags = Mux(port.busy, Cat(port.fetch.replicate(3), C(0, 2)), flags)
        m.d.comb += [
            row.address.eq(Mux(port.busy, port.address, address)),
            row.x.eq(Mux(port.busy, one, x)),
            row.flags.eq(delayed(m, flags, row.flags_delay, init=0)),
        ]
        self._give(m, replay, port.busy)
        return m

    def _replay(self) -> Player:
        """Two vectors, or as many steps of few spikes as play while one of all spikes comes in."""
        columns, quickest = self.primitive.columns, self.passes * self.beats
        if not self.events or quickest >= columns:
            return Replay(self.entry, length=columns, passes=self.passes, varying=self.events)
        steps = min(-(-columns // quickest) + 4, MOST_STEPS)
        vectors = 1 << (steps - 1).bit_length()
        return ReplayRing(self.entry, length=columns, passes=self.passes, vectors=vectors)

    def connect_hosts(self, m: Module, hosts: Mapping[str, ParameterHostInterface]) -> None:
        """Connect a component's host ports, by the tensors' names."""
        wiring.connect(m, wiring.flipped(hosts[self.primitive.weight]), self.weights)
        if self.primitive.bias is not None:
            wiring.connect(m, wiring.flipped(hosts[self.primitive.bias]), self.biases)

    def _next_column(self, m: Module, replay: Player) -> Value:
        """Addresses of dense entries: words are in the order in which they are played."""
        address = Signal(range(self.row.depth))
        with m.If(replay.valid):
            m.d.sync += address.eq(Mux(replay.stop & replay.final, 0, address + 1))
        return address

    def _find_rows(self, m: Module, replay: Player, flags: Value) -> tuple[Value, Value, Value]:
        """Flags, addresses and operands of spikes: a pass begins at its own word."""
        base, address = Signal(range(self.row.depth)), Signal(range(self.row.depth))
        flags = delayed(m, Cat(flags, replay.final), Replay.latency, init=0)
        with m.If(flags[0] & flags[2]):
            m.d.sync += base.eq(Mux(flags[5], 0, base + self.primitive.columns))
        entry = data.View(event_entry(self.primitive.columns), Value.cast(replay.data))
        m.d.sync += address.eq(base + entry.index)
        present = delayed(m, entry.present, 1 + self.row.x_delay)
        return delayed(m, flags[:5], 1, init=0), address, present

    def _give(self, m: Module, replay: Player, busy: Value) -> None:
        """Number the beats that leave the row, add biases, and hand those of the vector on."""
        row, beats_all = self.row, self.passes * self.beats
        beats = beats_of(self.primitive.rows, self.lanes_out)
        layout = dense_layout(shape_of(self.primitive.accumulator), self.lanes_out)
        places = self._groups * self.beats
        m.submodules.outlet = outlet = Outlet(layout, depth=places, group=self.beats)
        wiring.connect(m, outlet.o, wiring.flipped(self.o))
        comes, number = Signal(), Signal(range(beats_all))
        within, last, final = Signal(init=1), Signal(init=beats == 1), Signal(init=beats_all == 1)
        m.d.comb += comes.eq(row.o_valid & ~busy)
        with m.If(comes):
            m.d.sync += [
                number.eq(number + 1),
                within.eq(number < beats - 1),
                last.eq(number == beats - 2),
                final.eq(number == beats_all - 2),
            ]
            with m.If(final):
                m.d.sync += [x.eq(x.init) for x in (number, within, last, final)]
        flags: Value = Cat(comes, ~within, row.o_first, last, row.o_end)
        sums: Value = Value.cast(row.o)
        if self.primitive.bias is not None:
            m.submodules.biases = biases = ParameterVector(
                size=self.primitive.rows, lanes=self.lanes_out, format=self.primitive.bias_format
            )
            wiring.connect(m, wiring.flipped(self.biases), biases.host)
            m.d.comb += biases.address.eq(number)
            flags = delayed(m, flags, _BIAS, init=0)
            held = data.View(row.o.shape(), delayed(m, sums, _BIAS - 1))
            bias, total = (
                Signal.like(biases.word, reset_less=True),
                Signal.like(held, reset_less=True),
            )
            m.d.sync += bias.eq(biases.word)
            m.d.sync += [total[k].eq(held[k] + bias[k]) for k in range(self.lanes_out)]
            sums = total.as_value()
        m.d.comb += [
            replay.go.eq(outlet.room & self._apart(m, replay)),
            outlet.reserve.eq(replay.valid & replay.stop),
            Cat(outlet.valid, outlet.drop).eq(flags[:2]),
            Cat(outlet.payload.first, outlet.payload.last, outlet.payload.end).eq(flags[2:]),
            outlet.payload.data.as_value().eq(sums),
        ]

    def _apart(self, m: Module, replay: Player) -> Value:
        """Whether the pass before ended so long ago that its sums are out of the way."""
        if self.beats == 1 or (not self.events and self.primitive.columns >= self.beats):
            return C(1)
        left, apart = Signal(range(self.beats)), Signal(init=1)
        with m.If(~apart):
            m.d.sync += [left.eq(left - 1), apart.eq(left == 1)]
        with m.If(replay.valid & replay.stop):
            m.d.sync += [left.eq(self.beats - 1), apart.eq(0)]
        return apart

    @property
    def latency(self) -> int:
        """Cycles from the last entry of a pass to its first beat in the outlet."""
        lead = Replay.latency + 1 if self.events else 0
        bias = 0 if self.primitive.bias is None else _BIAS
        return lead + self.row.latency + bias + 1

    @property
    def _groups(self) -> int:
        """Passes to make room for, so that they follow each other at once if the reader keeps up.

        The room of one is free again ``latency`` cycles, the pass's beats and the outlet's own
        delay after it was reserved; until then as many may end as fit in that time.
        """
        shortest = self.beats if self.events else max(self.beats, self.primitive.columns)
        return -(-(self.latency + self.beats + CYCLES) // shortest)


def product_blocks(primitive: Primitive, lanes: int, lanes_out: int, family: Family) -> Estimate:
    """Multipliers and block RAMs that a core's weights and products take, before it is built."""
    weight, x = shape_of(primitive.weight_format), shape_of(primitive.input)
    depth = beats_of(primitive.rows, lanes) * primitive.columns
    bank = bank_of(weight.width, depth, lanes, lanes_out)
    banks = lanes // bank
    dsp = 0
    if min(weight.width, x.width) > NARROW:
        widths = (weight.width + (not weight.signed), x.width + (not x.signed))
        each = multipliers(*widths, family)
        dsp = banks * -(-bank // packing(weight, x, family)) * each
    return Estimate(bram=banks * blocks(bank * weight.width, depth), dsp=dsp)


def bank_of(width: int, depth: int, lanes: int, lanes_out: int) -> int:
    """Lanes that share a memory: up to four, and more only where that saves many block RAMs.

    A bank's signals go to all its lanes, so a small one is fast; a memory each can waste much.

    >>> bank_of(8, 1568, 64, 1), bank_of(4, 128, 36, 1)
    (4, 9)
    """
    most = max(MOST_LANES_A_BANK, lanes_out)
    banks = [b for b in range(lanes_out, min(lanes, most) + 1, lanes_out) if lanes % b == 0]

    def cost(bank: int) -> tuple[float, int]:
        lut_rams = -(-bank * width // 4) * -(-depth // 16)
        blocks = block_rams(bank * width, depth) or lut_rams / LUT_RAMS_PER_BLOCK
        penalty = 1 if bank <= max(4, lanes_out) else 1.125
        return penalty * blocks * lanes / bank, -bank

    return min(banks, key=cost)
