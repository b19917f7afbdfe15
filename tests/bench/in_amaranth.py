# SPDX-License-Identifier: Apache-2.0
"""Runs an exchange in Amaranth's simulator: no build, so the quicker one for small runs."""

from typing import Any

from amaranth.hdl import Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator

from bench.axi import AxiExchange
from bench.exchange import Exchange
from bench.payloads import decode
from bench.ports import Top
from spikewright.sim.engine.amaranth_engine import Context


class AmaranthWires:
    """Ports as the simulator's signals; constants can be read, and driving them does nothing."""

    def __init__(self, top: Top, context: Context):
        self.top = top
        self.context = context
        self.driven: dict[str, int] = {}

    def get(self, name: str) -> int:
        signal = self.top.signals.get(name)
        if signal is None:
            return self.top.constants[name]
        return self.context.get(signal) & ((1 << len(signal)) - 1)

    def set(self, name: str, value: int) -> None:
        if self.driven.get(name) == value or name in self.top.constants:
            return
        self.driven[name] = value
        signal = self.top.signals[name]
        self.context.set(signal, _number(signal, value))


def _number(signal: Signal, bits: int) -> int:
    """Bits as the number a signed signal wants."""
    shape = signal.shape()
    number: int = decode(shape, bits)
    return number


def run(component: wiring.Component, exchange: Exchange | AxiExchange) -> None:
    """Carry out the exchange."""
    top = Top(component)

    async def testbench(context: Context) -> None:
        wires = AmaranthWires(top, context)

        async def clock(level: int) -> None:
            context.set(top.signals["clk"], level)

        await exchange.run(wires, clock)

    simulator: Any = Simulator(top)
    simulator.add_testbench(testbench)
    simulator.run()
