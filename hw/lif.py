# SPDX-License-Identifier: Apache-2.0
"""Leaky integrate-and-fire neurons with every option stated."""

from collections.abc import Iterable

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import data, stream, wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.events import Gather
from spikewright.hw.fixed import minus_rounded, partial_products, saturate, shape_of
from spikewright.hw.state import StatePipeline
from spikewright.hw.streams import Buffer, dense_layout
from spikewright.sim.lif import Lif as Primitive


class Lif(PrimitiveComponent):
    """``lanes`` neurons a cycle, the state in memory; one multiplier a lane, two with adaptation.

    Latency nine cycles to the first spike; then one cycle for each beat and each spike.

    Parameters
    ----------
    primitive : spikewright.sim.lif.Lif
    lanes : int

    Members
    -------
    i_i : In(stream of dense beats, ``lanes`` wide)
    o_spike : Out(stream of events)
    o_v : Out(stream of dense beats, ``lanes`` wide)
        Only where the primitive gives the voltage.
    host_K : In(ParameterHost)
        Leaks, thresholds, resets and adaptation, as the primitive names them.
    """

    primitive: Primitive

    def __init__(self, primitive: Primitive, *, lanes: int):
        super().__init__(primitive, lanes=lanes, lanes_in=lanes, lanes_out=lanes)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, lanes = self.primitive, range(self.lanes)
        m.submodules.gather = gather = Gather(size=p.size, lanes=self.lanes)
        # Whether all lanes advance must not hang on who reads the spikes in the same cycle.
        m.submodules.spikes = spikes = Buffer(dense_layout(Shape(1), self.lanes), depth=2)
        wiring.connect(m, spikes.o, gather.i)
        wiring.connect(m, gather.o, wiring.flipped(self.output("spike")))
        advance = ~spikes.i.valid | spikes.i.ready
        if p.voltage != "none":
            advance &= ~self.output("v").valid | self.output("v").ready
        pipe = StatePipeline(
            m,
            self.input("i"),
            size=p.size,
            lanes=self.lanes,
            layout=self._state_layout(),
            advance=advance,
        )
        given = pipe.enter(self, self.input("i"))
        neurons = [
            _Neuron(m, p, {name: word[k] for name, word in pipe.parameters.items()}, k)
            for k in lanes
        ]
        s3 = pipe.next(_merged(n.product(pipe.states[n.k], given[f"i{n.k}"]) for n in neurons))
        s4 = pipe.next(_merged(n.integrate(s3) for n in neurons))
        s5 = pipe.next(_merged(n.fire(s4) for n in neurons))
        results = [n.finish(s5) for n in neurons]
        pipe.write_back([state for state, _ in results])

        self._send(m, spikes.i, advance, s5, [s5[f"spike{k}"] for k in lanes])
        if p.voltage != "none":
            self._send(m, self.output("v"), advance, s5, [v for _, v in results])
        return m

    @staticmethod
    def _send(
        m: Module,
        o: stream.Interface,
        advance: Value,
        stage: dict[str, Value],
        elements: list[Value],
    ) -> None:
        """Register a beat of the last stage; it stays until taken."""
        with m.If(o.ready):
            m.d.sync += o.valid.eq(0)
        with m.If(advance):
            m.d.sync += o.valid.eq(stage["valid"])
            m.d.sync += Cat(o.payload.last, o.payload.first, o.payload.end).eq(stage["flags"])
            m.d.sync += [o.payload.data[k].eq(element) for k, element in enumerate(elements)]

    def _state_layout(self) -> data.StructLayout:
        p = self.primitive
        fields: dict[str, Shape] = {"v": shape_of(p.membrane)}
        if p.reset_next:
            fields["pending"] = Shape(1)
        if p.refractory:
            fields["refractory"] = Shape(p.refractory.bit_length())
        if p.adaptation is not None:
            fields["a"] = shape_of(p.adaptation)
        return data.StructLayout(fields)


_NAMES = (
    *("v", "spike", "product", "rest", "total", "threshold", "reset", "refractory", "held"),
    *("a", "a_product", "a_rest", "a_step", "subtract"),
)
"""What stages of a neuron may hand on."""


class _Neuron:
    """The arithmetic of one lane, stage by stage; what a stage hands on is named for the lane."""

    def __init__(self, m: Module, primitive: Primitive, parameters: dict[str, Value], k: int):
        self.m = m
        self.p = primitive
        self.parameters = parameters
        self.k = k

    def product(self, state: dict[str, Value], i: Value) -> dict[str, Value]:
        """Pending reset, then the products with the leaks."""
        p, leak = self.p, self.parameters[self.p.leak]
        v: Value = state["v"]
        if p.reset_next:
            reset = self._reset(v, self.parameters.get(str(p.reset_name)))
            v = Mux(state["pending"], reset, v)
        v = self._named("v_held", v, shape_of(p.membrane))
        total = v + i
        product, rest = partial_products(total if p.leak_after_input else v, leak)
        values = {
            "product": product,
            "rest": rest,
            "total": total,
            "threshold": self.parameters[p.threshold],
        }
        if p.reset_name is not None and not p.reset_next and p.reset_name != p.threshold:
            values["reset"] = self.parameters[p.reset_name]
        if p.refractory:
            values["refractory"] = state["refractory"]
            if p.refractory_input == "drop":
                values["held"] = v
        if p.adaptation is not None:
            a = state["a"]
            values["threshold"] = values["threshold"] + a
            values["a"] = a
            adaptation_leak = self.parameters[str(p.adaptation_leak)]
            values["a_product"], values["a_rest"] = partial_products(a, adaptation_leak)
            values["a_step"] = self.parameters[str(p.adaptation_step)]
            values["subtract"] = self.parameters[p.threshold]
        return self._out(values)

    def integrate(self, stage: dict[str, Value]) -> dict[str, Value]:
        """The leak, or what a refractory neuron holds."""
        p, s = self.p, self._in(stage)
        v = minus_rounded(s["total"], s.pop("product") + s.pop("rest"), p.leak_frac)
        total = s.pop("total")
        if p.refractory:
            held = s.pop("held") if p.refractory_input == "drop" else total
            v = Mux(s["refractory"] != 0, held, v)
        if p.adaptation is not None:
            a_product = s.pop("a_product") + s.pop("a_rest")
            s["a"] = minus_rounded(s["a"], a_product, p.leak_frac)
        return self._out({**s, "v": v})

    def fire(self, stage: dict[str, Value]) -> dict[str, Value]:
        """Saturate, clamp, compare."""
        p, s = self.p, self._in(stage)
        v: Value = self._named("v_new", saturate(self.m, s["v"], p.membrane), shape_of(p.membrane))
        if p.lower is not None and p.lower > p.membrane.lo:
            v = Mux(v < p.lower, p.lower, v)
        threshold = s.pop("threshold")
        spike: Value = (v > threshold) if p.strict else (v >= threshold)
        if p.refractory:
            spike = spike & (s["refractory"] == 0)
        if "subtract" in s:
            threshold = s.pop("subtract")
        if p.reset_name == p.threshold and not p.reset_next:
            s["reset"] = threshold
        return self._out({**s, "v": v, "spike": spike})

    def finish(self, stage: dict[str, Value]) -> tuple[dict[str, Value], Value]:
        """Reset, refractory, adaptation: the new state and the voltage to show."""
        p, s = self.p, self._in(stage)
        spike, before = s["spike"], s["v"]
        after = before if p.reset_next else Mux(spike, self._reset(before, s.get("reset")), before)
        state = {"v": after}
        if p.reset_next:
            state["pending"] = spike
        if p.refractory:
            left = s["refractory"]
            state["refractory"] = Mux(spike, p.refractory, Mux(left == 0, 0, left - 1))
        if p.adaptation is not None:
            state["a"] = saturate(self.m, s["a"] + Mux(spike, s["a_step"], 0), p.adaptation)
        return state, before if p.voltage == "before" else after

    def _reset(self, v: Value, amount: Value | None) -> Value:
        if amount is None:
            return v
        if self.p.reset == "value":
            return amount
        return saturate(self.m, v - amount, self.p.membrane)

    def _named(self, name: str, value: Value, shape: Shape) -> Signal:
        signal = Signal(shape, name=f"{name}_{self.k}")
        self.m.d.comb += signal.eq(value)
        return signal

    def _out(self, values: dict[str, Value]) -> dict[str, Value]:
        return {f"{name}{self.k}": value for name, value in values.items()}

    def _in(self, stage: dict[str, Value]) -> dict[str, Value]:
        return {name: stage[f"{name}{self.k}"] for name in _NAMES if f"{name}{self.k}" in stage}


def _merged(lanes: Iterable[dict[str, Value]]) -> dict[str, Value]:
    """What all lanes hand on."""
    return {name: value for lane in lanes for name, value in lane.items()}
