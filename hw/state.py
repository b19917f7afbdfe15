# SPDX-License-Identifier: Apache-2.0
"""Neuron state in memory, updated by a pipeline that one beat enters each cycle."""

from collections.abc import Mapping

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import connect, flipped

from spikewright.hw.component import PrimitiveComponent
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
        self.states: list[dict[str, Value]] = []
        self.parameters: dict[str, list[Value]] = {}
        self._stages: list[dict[str, Value]] = []
        self._now: dict[str, Value] = {}
        m.d.comb += [
            i.ready.eq(advance & ~self.hazard),
            self._read.addr.eq(self.tile),
            self._read.en.eq(self.take),
        ]
        with m.If(self.take):
            m.d.sync += self.tile.eq(Mux(i.payload.last, 0, self.tile + 1))

    def enter(self, component: PrimitiveComponent, i: stream.Interface) -> dict[str, Value]:
        """First two stages: the beat as ``i0``, ``i1``, ... beside its states and parameters.

        What memory reads is registered before anything is made of it: block RAM answers late in the
        cycle, and what follows multiplies.
        """
        beat, lanes = i.payload, range(self.lanes)
        self._now = {"valid": self.take, "tile": self.tile}
        self._now["flags"] = Cat(beat.last, beat.first, beat.end)
        words = {name: self._parameter(component, name) for name in component.primitive.tensors()}
        read = self.next({f"i{k}": beat.data[k] for k in lanes})
        values = {f"i{k}": read[f"i{k}"] for k in lanes}
        for k in lanes:
            values |= {f"state_{name}{k}": value for name, value in self._state(k).items()}
            values |= {f"parameter{n}_{k}": word[k] for n, word in enumerate(words.values())}
        held = self.next(values)
        self.states = [
            {name: held[f"state_{name}{k}"] for name, _ in self.layout.elem_shape} for k in lanes
        ]
        self.parameters = {
            name: [held[f"parameter{n}_{k}"] for k in lanes] for n, name in enumerate(words)
        }
        return held

    def _state(self, k: int) -> dict[str, Signal]:
        """State of lane ``k`` as it is read: zero at a frame's start."""
        word = data.View(self.layout, self._read.data)[k]
        first = self._now["flags"][1]
        fields = {}
        for name, field in word.shape():
            value = Signal(Shape.cast(field.shape), name=f"{name}_{k}")
            self.m.d.comb += value.eq(Mux(first, 0, word[name]))
            fields[name] = value
        return fields

    def _parameter(self, component: PrimitiveComponent, name: str) -> data.View:
        """A neuron parameter of every lane as it is read."""
        spec = component.primitive.tensors()[name]
        parameters = Parameters(
            size=self.size, lanes=self.lanes, format=spec.format, per_neuron=spec.shape != (1,)
        )
        self.m.submodules += parameters
        connect(self.m, flipped(component.hosts[name]), parameters.host)
        self.m.d.comb += [parameters.address.eq(self.tile), parameters.enable.eq(self.take)]
        return parameters.word

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
