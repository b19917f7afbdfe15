# SPDX-License-Identifier: Apache-2.0
"""Neuron state in memory, updated by a pipeline that one beat enters each cycle."""

from collections.abc import Mapping

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import connect, flipped

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import partial_products
from spikewright.hw.parameters import Parameters
from spikewright.hw.streams import beats_of


class StatePipeline:
    """Pipeline over the state of a layer: reads a tile's word, and writes it back at the end.

    A beat waits while its own tile is still in the pipeline, which only happens in layers of fewer
    tiles than stages. State reads as zero in beats with ``first``, so nothing is cleared.

    Parameters
    ----------
    m : Module
    i : stream of dense beats
    size, lanes : int
    layout : StructLayout
        State of one neuron.
    advance : Value
        Whether the pipeline moves.
    """

    def __init__(
        self,
        m: Module,
        i: stream.Interface,
        *,
        size: int,
        lanes: int,
        layout: data.StructLayout,
        advance: Value,
    ):
        self.m = m
        self.size = size
        self.lanes = lanes
        self.advance = advance
        tiles = beats_of(size, lanes)
        self.layout = data.ArrayLayout(layout, lanes)
        store: memory.Memory = memory.Memory(shape=self.layout.size, depth=tiles, init=[])
        m.submodules.state = store
        self._write, self._read = store.write_port(), store.read_port()
        self.tile = Signal(range(tiles))
        self.hazard = Signal()
        self.take = i.valid & advance & ~self.hazard
        self._stages: list[dict[str, Value]] = []
        self._now: dict[str, Value] = {}
        m.d.comb += [
            i.ready.eq(advance & ~self.hazard),
            self._read.addr.eq(self.tile),
            self._read.en.eq(self.take),
        ]
        with m.If(self.take):
            m.d.sync += self.tile.eq(Mux(i.payload.last, 0, self.tile + 1))

    def enter(self, i: stream.Interface) -> dict[str, Value]:
        """First stage: the beat that was taken a cycle ago, beside its state."""
        beat = i.payload
        self._now = {"valid": self.take, "tile": self.tile}
        self._now["flags"] = Cat(beat.last, beat.first, beat.end)
        return self.next({f"i{k}": beat.data[k] for k in range(self.lanes)})

    def state(self, k: int) -> dict[str, Signal]:
        """State of lane ``k`` in the first stage: zero at a frame's start."""
        word = data.View(self.layout, self._read.data)[k]
        first = self._now["flags"][1]
        fields = {}
        for name, field in word.shape():
            value = Signal(Shape.cast(field.shape), name=f"{name}_{k}")
            self.m.d.comb += value.eq(Mux(first, 0, word[name]))
            fields[name] = value
        return fields

    def scaled(self, k: int, name: str, factor: Value) -> tuple[Value, Value]:
        """Addends of a product of lane ``k``'s state, zero at a frame's start.

        The flag meets the products and not the state, because multiplying takes long enough.
        """
        word = data.View(self.layout, self._read.data)[k]
        first = self._now["flags"][1]
        high, low = partial_products(word[name], factor)
        return Mux(first, 0, high), Mux(first, 0, low)

    def parameter(self, component: PrimitiveComponent, name: str) -> list[Value]:
        """A neuron parameter of every lane in the first stage."""
        spec = component.primitive.tensors()[name]
        parameters = Parameters(
            size=self.size, lanes=self.lanes, format=spec.format, per_neuron=spec.shape != (1,)
        )
        self.m.submodules += parameters
        connect(self.m, flipped(component.hosts[name]), parameters.host)
        self.m.d.comb += [parameters.address.eq(self.tile), parameters.enable.eq(self.take)]
        return [parameters.word[k] for k in range(self.lanes)]

    def next(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """One register stage; ``valid``, ``tile`` and ``flags`` of the beat go along."""
        stage = len(self._stages) + 1
        values = {**values, **self._now}
        held: dict[str, Value] = {}
        for name, value in values.items():
            held[name] = Signal(value.shape(), name=f"s{stage}_{name}", reset_less=name != "valid")
        with self.m.If(self.advance):
            self.m.d.sync += [held[name].eq(value) for name, value in values.items()]
        self._now = {name: held[name] for name in self._now}
        self._stages.append(self._now)
        return held

    def write_back(self, words: list[Mapping[str, Value]]) -> None:
        """Write the new state of every lane from the last stage; closes the pipeline."""
        m = self.m
        word = data.View(self.layout, Signal(self.layout.size, name="new_state"))
        for k, fields in enumerate(words):
            m.d.comb += [word[k][name].eq(value) for name, value in fields.items()]
        m.d.comb += [
            self._write.addr.eq(self._now["tile"]),
            self._write.data.eq(word.as_value()),
            self._write.en.eq(self._now["valid"] & self.advance),
        ]
        busy = [stage["valid"] & (stage["tile"] == self.tile) for stage in self._stages]
        m.d.comb += self.hazard.eq(Cat(busy).any())
