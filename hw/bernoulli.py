# SPDX-License-Identifier: Apache-2.0
"""Spikes at random, each element with a probability of its own."""

from amaranth import Module, Mux, Shape, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.glue.events import Gather
from spikewright.hw.glue.flow import Flow, delayed
from spikewright.hw.glue.streams import beats_of
from spikewright.hw.lfsr import Parities, Strides
from spikewright.hw.parameters import ParameterRegister
from spikewright.sim.bernoulli import Bernoulli as Primitive
from spikewright.sim.lfsr import ORDER, SEED_FORMAT

_DRAW_CYCLES = 3
"""Cycles from a probability to whether it spikes: the draw takes two, the comparison one."""
_SEED_CYCLES = 4
"""Cycles from the host's seed to the generator."""


class Bernoulli(PrimitiveComponent):
    """``lanes`` draws a cycle; then one cycle for each beat and each spike.

    One generator serves all lanes: each sees it skipped ahead by its own number of draws, so that
    an element's draw is the same whatever the lanes.

    Parameters
    ----------
    primitive : spikewright.sim.bernoulli.Bernoulli
    lanes : int

    Members
    -------
    i_p : In(stream of dense beats, ``lanes`` wide)
    o_s : Out(stream of events)
    host_0 : In(ParameterHost)
        Seed.
    """

    primitive: Primitive

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        p, i = self.primitive, self.input("p")
        flow = Flow(
            m, i, shape=Shape(1), lanes=self.lanes, cycles=_DRAW_CYCLES, gate=self._seeded(m)
        )
        strides = Strides(self.lanes * p.input.frac)
        state = self._generator(m, flow, strides)
        parities, spikes = Parities(state, lambda bit: delayed(m, bit, 1)), []
        for k in range(self.lanes):
            rows = strides.rows_of(k * p.input.frac, p.input.frac)
            u = delayed(m, parities.combined(rows), 1)
            spikes.append(delayed(m, u < delayed(m, i.payload.data[k], 2), 1))
        flow.leave(spikes)
        m.submodules.gather = gather = Gather(size=p.size, lanes=self.lanes)
        wiring.connect(m, flow.o, gather.i)
        wiring.connect(m, gather.o, wiring.flipped(self.output("s")))
        return m

    def _seeded(self, m: Module) -> Value:
        """Whether no seed is on its way to the generator."""
        quiet = ~self.hosts[self.primitive.seed].write
        seeded = quiet
        for _ in range(_SEED_CYCLES - 1):
            quiet = delayed(m, quiet, 1, init=0)
            seeded &= quiet
        return delayed(m, seeded, 1, init=0)

    def _generator(self, m: Module, flow: Flow, strides: Strides) -> Value:
        """Coordinates of the state at the first lane's draw. Between frames it follows the seed."""
        m.submodules.seed = register = ParameterRegister(SEED_FORMAT)
        wiring.connect(m, wiring.flipped(self.hosts[self.primitive.seed]), register.host)
        code = delayed(m, register.value | delayed(m, register.value == 0, 1), 1)
        seed = delayed(m, strides.of_state(code), 1)
        beat, fresh = flow.i.payload, Signal(init=1)
        state = Signal(ORDER, reset_less=True)
        following = Mux(
            beat.last,
            Mux(beat.end, seed, self._rest(m, flow, strides, state)),
            strides.after(state),
        )
        with m.If(flow.take):
            m.d.sync += [state.eq(following), fresh.eq(beat.last & beat.end)]
        with m.Elif(fresh):
            m.d.sync += state.eq(seed)
        return state

    def _rest(self, m: Module, flow: Flow, strides: Strides, state: Signal) -> Value:
        """Coordinates after a vector's last beat, which may have fewer elements than lanes.

        That is no short step, so it is worked out a cycle late and, if a beat came meanwhile, moved
        on with it: where the last beat is not full, it is not the first.
        """
        size, bits = self.primitive.size, self.primitive.input.frac
        tail = size - (beats_of(size, self.lanes) - 1) * self.lanes
        if tail == self.lanes:
            return strides.after(state)
        late = delayed(m, strides.skipped(state, tail * bits), 1)
        return Mux(delayed(m, flow.take, 1, init=0), strides.after(late), late)
