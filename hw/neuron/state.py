# SPDX-License-Identifier: Apache-2.0
"""Neuron state in memory, updated by a pipeline that one beat enters each cycle."""

from collections.abc import Mapping, Sequence

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import connect, flipped

from spikewright.hw.cells.block_memory import BlockMemory
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.glue.outlet import CYCLES, Outlet, some
from spikewright.hw.glue.streams import beats_of, dense_layout
from spikewright.hw.neuron.pipeline import Fetch, Fetched, Pipeline, Timed, latest
from spikewright.hw.parameters import ParameterRegister, ParameterVector


class _Store:
    """Fields of the state that are read and written together, one word a tile."""

    def __init__(self, fields: Mapping[str, Shape], lanes: int, tiles: int):
        self.layout = data.ArrayLayout(data.StructLayout(dict(fields)), lanes)
        self.memory = BlockMemory(width=self.layout.size, depth=tiles)
        self.name = "_".join(fields)
        held = Signal(self.layout.size, name=self.name, reset_less=True)
        self.word = data.View(self.layout, held)
        # Memory, then the register that makes it zero at a frame's start.
        self.latency = BlockMemory.latency + 1
        self.fetch = Fetch(self.latency)


class StatePipeline(Pipeline):
    """Pipeline over the state of a layer: reads a tile's words, and writes each when it is known.

    A beat enters if every outlet has room and its own tile's state is written. Tiles come in turn,
    so that is a count: as many beats as there are tiles may be inside. A layer of more tiles than
    stages between a read and its write takes a beat each cycle; a smaller one takes its tiles once
    in as many cycles as there are such stages. State reads as zero in beats with ``first``, so
    nothing is cleared.

    Parameters
    ----------
    m : Module
    component : PrimitiveComponent
        Whose tensors are read by tile, and held still if all neurons share them.
    i : stream of dense beats
    fields : sequence of mapping of str to Shape
        State of one neuron; fields in one mapping share a memory.

    Attributes
    ----------
    inputs : list of Timed
        Element of each lane.
    states : list of dict of str to Timed
        State of each lane, field by field.
    parameters : dict of str to list of Timed
        Element of each tensor for each lane.
    """

    def __init__(
        self,
        m: Module,
        component: PrimitiveComponent,
        i: stream.Interface,
        fields: Sequence[Mapping[str, Shape]],
    ):
        super().__init__(m)
        self.lanes = component.lanes
        self.size = next(iter(component.primitive.ports().inputs.values())).size
        self.tiles = beats_of(self.size, self.lanes)
        self._i = i
        self._take = Signal(name="take")
        tile = Signal(range(self.tiles))
        beat = i.payload
        held = Signal.like(beat, name="beat", reset_less=True)
        m.d.sync += held.eq(beat)
        with m.If(self._take):
            m.d.sync += tile.eq(Mux(beat.last, 0, tile + 1))
        self._valids: list[Value] = [self._take]
        self._tile = Timed(tile, 0)
        self._flags = Timed(Cat(held.last, held.first, held.end), 1)
        self._rooms: list[Value] = []
        self._vectors: list[tuple[ParameterVector, Fetch]] = []
        self._stores = [_Store(shared, self.lanes, self.tiles) for shared in fields]
        self.inputs = [Timed(held.data[k], 1) for k in range(self.lanes)]
        self.states = [self._state(k) for k in range(self.lanes)]
        self.parameters = {
            name: self._parameter(component, name) for name in component.primitive.tensors()
        }

    def _state(self, k: int) -> dict[str, Timed]:
        """State of lane ``k``."""
        return {
            name: Fetched(Value.cast(store.word[k][name]), store.fetch)
            for store in self._stores
            for name, _ in store.layout.elem_shape
        }

    def _parameter(self, component: PrimitiveComponent, name: str) -> list[Timed]:
        """A neuron parameter of every lane."""
        spec, host = component.primitive.tensors()[name], flipped(component.hosts[name])
        if spec.shape == (1,):
            self.m.submodules += (register := ParameterRegister(spec.format))
            connect(self.m, host, register.host)
            return [Timed(register.value, None)] * self.lanes
        vector = ParameterVector(size=self.size, lanes=self.lanes, format=spec.format)
        self.m.submodules += vector
        connect(self.m, host, vector.host)
        fetch = Fetch(vector.latency)
        self._vectors.append((vector, fetch))
        return [Fetched(Value.cast(vector.word[k]), fetch) for k in range(self.lanes)]

    def _valid(self, cycle: int) -> Value:
        """Whether there is a beat in a stage; unlike the data it forgets at a reset."""
        while len(self._valids) <= cycle:
            valid = Signal(name=f"valid_{len(self._valids)}")
            self.m.d.sync += valid.eq(self._valids[-1])
            self._valids.append(valid)
        return self._valids[cycle]

    def send(self, elements: Sequence[Timed], shape: Shape) -> stream.Interface:
        """A stream of dense beats of an element for each lane."""
        cycle = latest(*elements)
        outlet = Outlet(dense_layout(shape, self.lanes), depth=cycle + CYCLES)
        self.m.submodules += outlet
        beat = outlet.payload
        self.m.d.comb += [
            outlet.reserve.eq(self._take),
            outlet.valid.eq(self._valid(cycle)),
            Cat(beat.last, beat.first, beat.end).eq(self.at(self._flags, cycle)),
        ]
        for k, element in enumerate(elements):
            self.m.d.comb += beat.data[k].eq(self.at(element, cycle))
        self._rooms.append(outlet.room)
        return outlet.o

    def write_back(self, words: Sequence[Mapping[str, Timed]]) -> None:
        """Write the new state of every lane; closes the pipeline, after all that is sent."""
        m = self.m
        stages = max(self._write(store, words) for store in self._stores)
        for vector, fetch in self._vectors:
            address = self.at(self._tile, fetch.cycle - vector.latency)
            m.d.comb += vector.address.eq(address)
        if self.tiles < stages:
            # Two cycles before it is written, which the count takes longer than the next read.
            soon = self._valid(stages - 3)
            self._rooms.append(some(m, soon, self._take, most=self.tiles, init=self.tiles))
        room = Cat(self._rooms).all()
        m.d.comb += [self._i.ready.eq(room), self._take.eq(self._i.valid & room)]

    def _write(self, store: _Store, words: Sequence[Mapping[str, Timed]]) -> int:
        """Read and write a memory; cycles until a tile that is read may be read again."""
        m, memory = self.m, store.memory
        m.submodules[f"state_{store.name}"] = memory
        names = [name for name, _ in store.layout.elem_shape]
        cycle = latest(*(word[name] for word in words for name in names))
        written = data.View(store.layout, memory.write_data)
        for k, word in enumerate(words):
            m.d.comb += [written[k][name].eq(self.at(word[name], cycle)) for name in names]
        read = store.fetch.cycle - store.latency
        first = self.at(self._flags, store.fetch.cycle - 1)[1]
        m.d.sync += store.word.as_value().eq(Mux(first, 0, memory.read_data))
        m.d.comb += [
            memory.read_address.eq(self.at(self._tile, read)),
            memory.write_address.eq(self.at(self._tile, cycle)),
            memory.write.eq(self._valid(cycle)),
        ]
        return cycle - read + 1
