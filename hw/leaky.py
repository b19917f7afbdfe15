# SPDX-License-Identifier: Apache-2.0
"""Leaky integrator."""

import operator
from collections.abc import Mapping

from amaranth import Module, Value
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.fixed import as_signed, minus_rounded, plus_shifted, saturate, shape_of
from spikewright.hw.neuron.pipeline import Pipeline, Timed
from spikewright.hw.neuron.state import StatePipeline
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import LeakForm
from spikewright.sim.leaky import Leaky as Primitive


class Leaky(PrimitiveComponent):
    """``lanes`` integrators a cycle.

    A loadable leak takes a multiplier a lane, shifts take none. Latency eight cycles with one or
    two shifts, ten with a multiplier; more shifts, or a leak after the input, may add one each.
    Throughput is as of :class:`~spikewright.hw.neuron.state.StatePipeline`.

    Parameters
    ----------
    primitive : spikewright.sim.leaky.Leaky
    lanes : int

    Members
    -------
    i_i : In(stream of dense beats, ``lanes`` wide)
    o_v : Out(stream of dense beats, ``lanes`` wide)
    host_0 : In(ParameterHost)
        Leaks, if they are loadable.
    """

    primitive: Primitive

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p = self.primitive
        pipe = StatePipeline(m, self, self.input("i"), [{"v": shape_of(p.membrane)}])
        new = []
        for k in range(self.lanes):
            parameters = {name: lanes[k] for name, lanes in pipe.parameters.items()}
            v = leaked(
                pipe,
                pipe.states[k]["v"],
                pipe.inputs[k],
                leak_of(p.leak, parameters),
                p.leak_frac,
                after_input=p.leak_after_input,
            )
            new.append(saturated(pipe, v, p.membrane))
        sent = pipe.send(new, shape_of(p.membrane))
        wiring.connect(m, sent, wiring.flipped(self.output("v")))
        pipe.write_back([{"v": v} for v in new])
        return m


def leak_of(form: LeakForm, parameters: Mapping[str, Timed]) -> Timed | tuple[int, ...]:
    """A leak as :func:`leaked` takes it: what holds the codes, or the shifts themselves."""
    return parameters[form] if isinstance(form, str) else form


def leaked(
    pipe: Pipeline,
    v: Timed,
    i: Timed | None,
    leak: Timed | tuple[int, ...],
    frac: int,
    *,
    after_input: bool = False,
) -> Timed:
    """``v - round(λ v) + i``, or ``u - round(λ u)`` with ``u = v + i``; not yet saturated.

    Parameters
    ----------
    pipe : Pipeline
    v : Timed
    i : Timed or None
        ``None`` adds nothing.
    leak : Timed or tuple of int
        Codes of λ, or shifts.
    frac : int
        Fraction bits of the codes.
    after_input : bool
    """
    total = v if i is None else pipe.stage(operator.add, v, i, name="total")
    leaking = total if after_input else v
    if isinstance(leak, Timed):
        amount = pipe.product(leaking, leak)
    elif leak:
        frac, amount = leak[-1], _shifted(pipe, leaking, leak)
    else:
        return total
    # A leak takes at most the double of what there is: one bit more, and only if nothing is added.
    width = len(as_signed(total.value)) + (leaking is total)

    def subtract(total: Value, amount: Value) -> Value:
        return minus_rounded(total, amount, frac)[:width].as_signed()

    return pipe.stage(subtract, total, amount, name="leaked")


def _shifted(pipe: Pipeline, v: Timed, shifts: tuple[int, ...]) -> Timed:
    """Sum of ``v`` shifted right, as a code with as many fraction bits as the last shift."""
    amount, last = v, shifts[-1]
    for shift in reversed(shifts[:-1]):
        amount = pipe.stage(
            lambda amount, v, up=last - shift: plus_shifted(amount, v, up),
            amount,
            v,
            name="shifted",
        )
    return amount


def saturated(pipe: Pipeline, value: Timed, fmt: QFormat) -> Timed:
    """Clip to a format, in a stage of its own."""
    return pipe.stage(lambda value: saturate(pipe.m, value, fmt), value, name="saturated")
