# SPDX-License-Identifier: Apache-2.0
"""A component's ports by flat name, and a top module around it with clock and reset."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import stream, wiring

HOST_MEMBERS = {"rewind", "write", "advance", "fetch", "data", "data_out", "ready"}


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What a component has: payload shapes of its streams, and the names of its host ports."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]
    hosts: set[str]


def ports_of(component: wiring.Component) -> Ports:
    """Sort a component's ports by what is done with them."""
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    hosts: set[str] = set()
    for name, member in component.signature.members.items():
        if not member.is_signature:
            continue
        members = dict(member.signature.members)
        if isinstance(member.signature, stream.Signature):
            streams = inputs if member.flow == wiring.In else outputs
            streams[name] = members["payload"].shape
        elif set(members) == HOST_MEMBERS:
            hosts.add(name)
    return Ports(inputs=inputs, outputs=outputs, hosts=hosts)


class Top(Elaboratable):
    """A component with its clock and reset as ports.

    Attributes
    ----------
    signals : dict of str to Signal
        Every port, the component's by its path joined with underscores. The ready or valid of a
        stream that always is so is in `constants` instead.
    """

    def __init__(self, component: wiring.Component):
        self.component = component
        self.signals = {"clk": Signal(name="clk"), "rst": Signal(name="rst")}
        self.constants: dict[str, int] = {}
        for path, _, target in component.signature.flatten(component):
            name = "_".join(map(str, path))
            value = Value.cast(target)
            # A constant cannot be a port of Verilog, but that is what `always_ready` makes.
            if isinstance(value, Const):
                self.constants[name] = value.value
            elif isinstance(value, Signal):
                self.signals[name] = value

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = self.component
        m.domains.sync = ClockDomain()
        m.d.comb += ClockSignal().eq(self.signals["clk"])
        m.d.comb += ResetSignal().eq(self.signals["rst"])
        return m
