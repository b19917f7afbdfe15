# SPDX-License-Identifier: Apache-2.0
"""Leaky integrate-and-fire neurons with every option stated."""

import operator

from amaranth import Module, Mux, Shape, Value
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import saturate, shape_of
from spikewright.hw.glue.events import Gather
from spikewright.hw.leaky import leak_of, leaked, saturated
from spikewright.hw.neuron.pipeline import Timed, latest
from spikewright.hw.neuron.state import StatePipeline
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import LeakForm
from spikewright.sim.lif import Lif as Primitive


class Lif(PrimitiveComponent):
    """``lanes`` neurons a cycle, the state in memory.

    Each loadable leak takes a multiplier a lane, shifts take none; no stage has more than one carry
    chain. A beat passes nine stages with one or two shifts, eleven with a multiplier; each order of
    a synapse adds three or five, a clamp or a reset in the next step two, more shifts one each.
    Throughput is as of :class:`~spikewright.hw.neuron.state.StatePipeline`, then as of
    :class:`~spikewright.hw.glue.events.Gather`.

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

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p = self.primitive
        pipe = StatePipeline(m, self, self.input("i"), self._fields())
        neurons = [_Neuron(pipe, p, k) for k in range(self.lanes)]
        m.submodules.gather = gather = Gather(size=p.size, lanes=self.lanes)
        wiring.connect(m, pipe.send([n.spike for n in neurons], Shape(1)), gather.i)
        wiring.connect(m, gather.o, wiring.flipped(self.output("spike")))
        if p.voltage != "none":
            voltages = [n.before if p.voltage == "before" else n.after for n in neurons]
            sent = pipe.send(voltages, shape_of(p.membrane))
            wiring.connect(m, sent, wiring.flipped(self.output("v")))
        pipe.write_back([n.state for n in neurons])
        return m

    def _fields(self) -> list[dict[str, Shape]]:
        """State of a neuron, apart where it is read and written at other times."""
        p = self.primitive
        membrane: dict[str, Shape] = {"v": shape_of(p.membrane)}
        if p.reset_next:
            membrane["pending"] = Shape(1)
        if p.refractory:
            membrane["refractory"] = Shape(p.refractory.bit_length())
        fields = [membrane]
        fields += [{name: shape_of(fmt)} for name, (_, fmt) in p.synapses.items()]
        if p.adaptation is not None:
            fields.append({"a": shape_of(p.adaptation)})
        return fields


class _Neuron:
    """One lane, in the order of the primitive's steps.

    Attributes
    ----------
    spike, before, after : Timed
        What fires, and the voltage before and after the reset of the same step.
    state : dict of str to Timed
        New state.
    """

    def __init__(self, pipe: StatePipeline, primitive: Primitive, k: int):
        self.pipe = pipe
        self.p = p = primitive
        self.old = pipe.states[k]
        self.parameters = {name: lanes[k] for name, lanes in pipe.parameters.items()}
        self.state: dict[str, Timed] = {}
        i = self._synapse(pipe.inputs[k])
        v = self.old["v"]
        if p.reset_next:
            stages = 1 if p.reset == "value" else 2
            v = self._reset(v, self.old["pending"], after=latest(i) - stages)
        waiting = None
        if p.refractory:
            waiting = pipe.stage(lambda left: left != 0, self.old["refractory"], name="waiting")
        self.before = self._clamp(self._integrate(v, i, waiting))
        self.spike = self._fire(self.before, waiting)
        self.after = self.before if p.reset_next else self._reset(self.before, self.spike)
        self.state["v"] = self.after
        if p.reset_next:
            self.state["pending"] = self.spike
        if p.refractory:
            self.state["refractory"] = self._count_down()
        if p.adaptation is not None and p.adaptation_leak is not None:
            self.state["a"] = self._adapt(p.adaptation_leak, p.adaptation)

    def _leak(
        self, v: Timed, i: Timed | None, form: LeakForm, *, after_input: bool = False
    ) -> Timed:
        leak = leak_of(form, self.parameters)
        return leaked(self.pipe, v, i, leak, self.p.leak_frac, after_input=after_input)

    def _synapse(self, i: Timed) -> Timed:
        """The current that comes out of one or two poles."""
        for name, (form, fmt) in self.p.synapses.items():
            i = self.state[name] = saturated(self.pipe, self._leak(self.old[name], i, form), fmt)
        return i

    def _integrate(self, v: Timed, i: Timed, waiting: Timed | None) -> Timed:
        """The leak or what a refractory neuron holds, saturated."""
        p, pipe = self.p, self.pipe
        updated = self._leak(v, i, p.leak, after_input=p.leak_after_input)
        if waiting is None:
            return saturated(pipe, updated, p.membrane)
        if p.refractory_input == "drop":
            return pipe.stage(
                lambda waiting, v, new: Mux(waiting, v, saturate(pipe.m, new, p.membrane)),
                waiting,
                v,
                updated,
                name="v",
            )
        kept = pipe.stage(operator.add, v, i, name="kept")
        chosen = pipe.stage(Mux, waiting, kept, updated, name="chosen")
        return saturated(pipe, chosen, p.membrane)

    def _clamp(self, v: Timed) -> Timed:
        """The lower clamp, where there is one within the membrane's format."""
        lower = self.p.lower
        if lower is None or lower == self.p.membrane.lo:
            return v
        below = self.pipe.stage(lambda v: v < lower, v, name="below")
        return self.pipe.stage(
            lambda below, v: _in_shape(v, Mux(below, lower, v)), below, v, name="clamped"
        )

    def _fire(self, v: Timed, waiting: Timed | None) -> Timed:
        """Compare by the sign of a difference, which a subtracting reset may share."""
        p, pipe = self.p, self.pipe
        limit = self.parameters[p.threshold]
        if p.adaptation is not None:
            a = self.old["a"]
            limit = pipe.stage(operator.add, limit, a, name="limit", after=latest(v) - 1)

        def fires(v: Value, limit: Value, *waiting: Value) -> Value:
            reached = (limit - v)[-1] if p.strict else ~(v - limit)[-1]
            return reached & ~waiting[0] if waiting else reached

        more = [] if waiting is None else [waiting]
        return pipe.stage(fires, v, limit, *more, name="spike")

    def _reset(self, v: Timed, where: Timed, *, after: int = 0) -> Timed:
        p, pipe = self.p, self.pipe
        if p.reset_name is None:
            return v
        amount = self.parameters[p.reset_name]
        if p.reset == "value":
            return pipe.stage(Mux, where, amount, v, name="reset", after=after)
        less = pipe.stage(operator.sub, v, amount, name="less", after=after)
        return pipe.stage(
            lambda where, less, v: Mux(where, saturate(pipe.m, less, p.membrane), v),
            where,
            less,
            v,
            name="reset",
        )

    def _count_down(self) -> Timed:
        """Refractory steps left."""
        fewer = self.pipe.stage(
            lambda left: _in_shape(left, Mux(left == 0, 0, left - 1)),
            self.old["refractory"],
            name="fewer",
        )
        return self.pipe.stage(
            lambda spike, fewer: Mux(spike, self.p.refractory, fewer),
            self.spike,
            fewer,
            name="left",
        )

    def _adapt(self, form: LeakForm, fmt: QFormat) -> Timed:
        """Both what adaptation is after a spike and without, of which the spike then chooses."""
        p, pipe = self.p, self.pipe
        silent = self._leak(self.old["a"], None, form)
        step = self.parameters[str(p.adaptation_step)]
        spiked = pipe.stage(operator.add, silent, step, name="spiked")

        return saturated(pipe, pipe.stage(Mux, self.spike, spiked, silent, name="chosen"), fmt)


def _in_shape(like: Value, value: Value) -> Value:
    """A value that is known to fit another's shape, in it."""
    bits = value[: len(like)]
    return bits.as_signed() if like.shape().signed else bits
