# SPDX-License-Identifier: Apache-2.0
"""The one indexed port through which the host reaches every tensor."""

from collections.abc import Sequence

from amaranth import Array, C, Cat, Module, Mux, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.parameters import ParameterHost, ParameterHostInterface


class ParameterPort(wiring.Component):
    """Selects a tensor and an element, and moves on by one with every access.

    A command is a pulse, given only after the one before was answered by ``done``; its operand has
    stood for two cycles. Choosing the tensor goes to its first element; a later element is reached
    by stepping over those before it, at most thirteen cycles each. Until a tensor is chosen every
    access is out of range.

    Parameters
    ----------
    sizes : sequence of int
        Elements of each tensor.

    Members
    -------
    choose, start, write, read : In(1)
        Commands: tensor ``operand``, element ``operand``, write ``operand``, read.
    operand : In(32)
    done, out_of_range : Out(1)
        A pulse; with it, whether the command was refused.
    value : Out(32)
        What was read, with ``done``.
    tensor, index : Out(32)
    host_K : Out(ParameterHost)
    """

    choose: Signal
    start: Signal
    write: Signal
    read: Signal
    operand: Signal
    done: Signal
    out_of_range: Signal
    value: Signal
    tensor: Signal
    index: Signal

    def __init__(self, sizes: Sequence[int]):
        self.sizes = tuple(sizes)
        super().__init__(
            {
                **dict.fromkeys(("choose", "start", "write", "read"), In(1)),
                "operand": In(32),
                "done": Out(1),
                "out_of_range": Out(1),
                **dict.fromkeys(("value", "tensor", "index"), Out(32)),
                **{f"host_{k}": Out(ParameterHost) for k in range(len(sizes))},
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        bits = range(max(self.sizes, default=0) + 1)
        tensor = Signal(range(max(len(self.sizes), 1)))
        index, target = Signal(bits), Signal(bits)
        chosen = Signal()
        rewind, write, advance, fetch = Signal(), Signal(), Signal(), Signal()
        ready, found = self._hosts(m, tensor, Cat(rewind, write, advance, fetch))
        # Comparisons that are looked at two cycles later at the earliest.
        size, inside, arrived = Signal(bits), Signal(), Signal()
        no_tensor, no_element, too_large = Signal(), Signal(), Signal()
        m.d.sync += [
            size.eq(Array(self.sizes or (0,))[tensor]),
            inside.eq(chosen & (index < size)),
            arrived.eq(index == target),
            no_tensor.eq(self.operand >= len(self.sizes)),
            no_element.eq(~chosen | (self.operand[: len(size)] >= size)),
            too_large.eq(self.operand[len(size) :].any()),
        ]
        m.d.comb += [self.tensor.eq(tensor), self.index.eq(index)]
        with m.FSM():
            with m.State("IDLE"):
                refused = Mux(
                    self.choose, no_tensor, Mux(self.start, no_element | too_large, ~inside)
                )
                with m.If(self.choose | self.start | self.write | self.read):
                    with m.If(refused):
                        m.next = "REFUSE"
                    with m.Elif(self.choose | self.start):
                        with m.If(self.choose):
                            m.d.sync += [tensor.eq(self.operand), chosen.eq(1)]
                        m.d.sync += target.eq(Mux(self.choose, 0, self.operand))
                        m.next = "CHOSEN"
                    with m.Else():
                        m.d.comb += [write.eq(self.write), fetch.eq(self.read)]
                        m.d.sync += target.eq(index + 1)
                        with m.If(self.write):
                            m.d.sync += index.eq(index + 1)
                            m.next = "SEEK"
                        with m.Else():
                            m.next = "READ"
            with m.State("READ"):
                # The element before the one that SEEK now moves on to.
                with m.If(ready):
                    m.d.sync += self.value.eq(found)
                    m.next = "SEEK"
            with m.State("REFUSE"):
                m.d.comb += [self.done.eq(1), self.out_of_range.eq(1)]
                m.next = "IDLE"
            with m.State("CHOSEN"):
                m.next = "REWIND"
            with m.State("REWIND"):
                m.d.comb += rewind.eq(1)
                m.d.sync += index.eq(0)
                m.next = "SEEK"
            with m.State("SEEK"):
                with m.If(ready & arrived):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
                with m.Elif(ready):
                    m.d.comb += advance.eq(1)
                    m.d.sync += index.eq(index + 1)
        return m

    def _hosts(self, m: Module, tensor: Value, pulses: Value) -> tuple[Value, Value]:
        """Pulses to the chosen tensor, its readiness and its element.

        Tensors lie all over a part, so each has registers of its own on the way there, which are
        zero for all but the chosen, and on the way back. What is heard of a tensor in the four
        cycles after a pulse is older than the pulse.
        """
        ready, found, deaf = Signal(), Signal(32, reset_less=True), Signal(3)
        sent = Signal(len(pulses))
        m.d.sync += [sent.eq(pulses), deaf.eq(Cat(pulses.any(), deaf))]
        heard: Value = C(0, 1 + 32)
        for k in range(len(self.sizes)):
            host = getattr(self, f"host_{k}")
            mine = Signal(name=f"mine_{k}")
            given = Signal(len(sent), name=f"given_{k}", reset_less=True)
            data = Signal(32, name=f"data_{k}", reset_less=True)
            answer = Signal(1 + 32, name=f"answer_{k}", reset_less=True)
            m.d.sync += [
                mine.eq(tensor == k),
                given.eq(Mux(mine, sent, 0)),
                data.eq(Mux(mine, self.operand, 0)),
                answer.eq(Mux(mine, Cat(host.ready, host.data_out), 0)),
            ]
            m.d.comb += [
                Cat(host.rewind, host.write, host.advance, host.fetch).eq(given),
                host.data.eq(data),
            ]
            heard |= answer
        m.d.sync += Cat(ready, found).eq(heard)
        with m.If(pulses.any() | deaf.any()):
            m.d.sync += ready.eq(0)
        return ready, found


def share(
    m: Module, host: ParameterHostInterface, readers: Sequence[ParameterHostInterface]
) -> None:
    """Join a tensor's readers: what the host writes goes to all, what it reads is the first's."""
    for reader in readers:
        m.d.comb += [
            reader.rewind.eq(host.rewind),
            reader.write.eq(host.write),
            reader.advance.eq(host.advance),
            reader.fetch.eq(host.fetch),
            reader.data.eq(host.data),
        ]
    ready = Cat(reader.ready for reader in readers).all()
    m.d.comb += [host.ready.eq(ready), host.data_out.eq(readers[0].data_out)]
