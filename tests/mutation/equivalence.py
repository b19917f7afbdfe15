# SPDX-License-Identifier: Apache-2.0
"""Whether a mutant that no test finds is the design itself, seen from its streams.

The design and the mutant get the same inputs, which keep the contract of streams. They are
equivalent if every output that means something is the same: proved by induction over those
registers whose equality is found to hold, starting from all of them.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In
from bench.ports import HOST_MEMBERS
from formal.bench import Bench
from formal.contract import Events, Vectors
from formal.sby import FormalError, Proof, run

from mutation.campaign import Core, yosys
from mutation.netlist import CONTROL, CONTROL_BITS, Netlist

_MAP = """
read_rtlil planted.il
memory_map
opt_clean
# A word that is not there reads the same on both sides.
setundef -undriven -zero
rename dut mutated
write_rtlil flat.il
"""
STEPS = 4
"""Depth of the induction."""
BOUND = 28
"""Cycles from the reset in which a difference is looked for first."""


@dataclass(frozen=True)
class Finding:
    """What is known of a mutant that no test finds: ``equivalent``, ``different`` or ``open``."""

    state: str
    how: str


class Twins(wiring.Component):
    """The design and one mutant of it, given the same; the outputs are those of the design.

    Parameters
    ----------
    given : wiring.Component
        Whose ports it has.
    mutant : int
    registers : list of (str, int)
        Names and widths.
    """

    def __init__(self, given: wiring.Component, mutant: int, registers: list[tuple[str, int]]):
        self.mutant = mutant
        self.registers = registers
        super().__init__(dict(given.signature.members))
        self.other: dict[str, Signal] = {}
        self.states = [
            [Signal(width, name=f"{side}_{k}") for side in ("right", "wrong")]
            for k, (_, width) in enumerate(registers)
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for side, number in enumerate((0, self.mutant)):
            ports: dict[str, Any] = {f"i_{CONTROL}": C(number, CONTROL_BITS)}
            ports |= {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
            for path, member, target in self.signature.flatten(self):
                name, value = "__".join(map(str, path)), Value.cast(target)
                if member.flow == wiring.In:
                    ports[f"i_{name}"] = value
                elif side == 0:
                    ports[f"o_{name}"] = value
                else:
                    self.other[name] = Signal(len(value), name=f"other_{name}")
                    ports[f"o_{name}"] = self.other[name]
            for k, pair in enumerate(self.states):
                ports[f"o_state_{k}"] = pair[side]
            m.submodules[("right", "wrong")[side]] = Instance("mutated", **ports)
        return m


def examine(core: Core, design: Netlist, number: int) -> Finding:
    """Look for a difference in so many cycles, and then prove that there is none."""
    with tempfile.TemporaryDirectory(prefix="mutation") as name:
        folder = Path(name)
        (folder / "planted.il").write_text(design.text())
        yosys(folder, "-q", "-p", _MAP)
        text, registers = Netlist.parse((folder / "flat.il").read_text()).with_state()
        model = folder / "mutated.il"
        model.write_text(text)

        def bench(kept: frozenset[int], *, inductive: bool) -> Bench:
            return _bench(core, number, registers, kept, inductive=inductive)

        def attempt(kept: frozenset[int], *, inductive: bool) -> set[str]:
            proof = Proof(
                core.name,
                f"mutant {number}",
                lambda: bench(kept, inductive=inductive),
                k=STEPS,
                bound=BOUND,
                models=(model,),
                keeps=True,
            )
            results = run(proof, timeout=200)
            return set(results[0].trace.split("; ")) if not results[0].holds else set()

        try:
            kept = frozenset(range(len(registers)))
            searched = False
            while True:
                failed = attempt(kept, inductive=True)
                if failed and not searched:
                    searched = True
                    if attempt(frozenset(), inductive=False):
                        return Finding("different", f"seen within {BOUND} cycles")
                if not failed:
                    how = f"induction, k = {STEPS}, {len(kept)} of {len(registers)} registers equal"
                    return Finding("equivalent", how)
                dropped = {int(f.split()[1]) for f in failed if f.startswith("register ")}
                if not dropped:
                    return Finding("open", f"no difference within {BOUND} cycles")
                kept -= dropped
        except (FormalError, subprocess.TimeoutExpired) as error:
            return Finding("open", str(error).splitlines()[0])


def _bench(
    core: Core,
    number: int,
    registers: list[tuple[str, int]],
    kept: frozenset[int],
    *,
    inductive: bool,
) -> Bench:
    component = core.component
    twins = Twins(component, number, registers)
    bench = Bench(twins, inductive=inductive)
    _assume_contract(bench, twins, core)
    alike = Cat(right == wrong for right, wrong in twins.states).all()
    bench.begin(alike)
    same = []
    for path, member, target in twins.signature.flatten(twins):
        if member.flow != wiring.Out:
            continue
        name = "__".join(map(str, path))
        right, wrong = Value.cast(target), twins.other[name]
        mask: Value = C(-1, len(right))
        if path[-1] == "payload":
            mask = _meaning(bench, twins, core, str(path[0]))
        elif path[-1] == "data_out":
            mask = _fetched(bench, twins, str(path[0])).replicate(len(right))
        same.append((name, ((right ^ wrong) & mask) == 0))
    bench.check("outputs", Cat(s for _, s in same).all())
    for k in sorted(kept) if inductive else ():
        bench.check(f"register {k} of {registers[k][0]}", twins.states[k][0] == twins.states[k][1])
    return bench


CALM = 8
"""Cycles from an access of the host to the first beat that may follow it."""


def _assume_contract(bench: Bench, twins: Twins, core: Core) -> None:
    """Streams keep their contract; the host is done before the first beat comes."""
    pulses: list[Value] = []
    offered: list[Value] = []
    for name, member in twins.signature.members.items():
        if not member.is_signature:
            continue
        members = set(member.signature.members)
        if members == HOST_MEMBERS:
            host = getattr(twins, name)
            own = Cat(getattr(host, kind) for kind in ("rewind", "write", "advance", "fetch"))
            bench.assume((own & (own - 1)[: len(own)]) == 0)
            bench.assume(~own.any() | host.ready)
            pulses.append(own.any())
        elif isinstance(member.signature, stream.Signature) and member.flow == In:
            kind, size, lanes, per_frame = core.describe(name)
            offered.append(getattr(twins, name).valid)
            if kind == "events":
                Events(bench, name, size=size, source=True)
            else:
                Vectors(bench, name, size=size, lanes=lanes, source=True, per_frame=per_frame)
    bench.checks = [check for check in bench.checks if not check.invariant]
    calm, streaming = bench.register(range(CALM + 1), "calm"), bench.register(1, "streaming")
    accessed = Cat(pulses).any() if pulses else C(0)
    bench.m.d.sync += [
        calm.eq(Mux(accessed, 0, Mux(calm == CALM, CALM, calm + 1))),
        streaming.eq(streaming | Cat(offered).any()),
    ]
    if pulses:
        bench.assume(~Cat(offered).any() | (calm == CALM))
        bench.assume(~(accessed & streaming))


def _fetched(bench: Bench, twins: Twins, name: str) -> Value:
    """Whether a host reads what it fetched: it is ready for the first time after that pulse."""
    host, fetched = getattr(twins, name), bench.register(1, f"fetched_{name}")
    pulses = Cat(host.rewind, host.write, host.advance, host.fetch)
    with bench.m.If(pulses.any() | host.ready):
        bench.m.d.sync += fetched.eq(host.fetch)
    return fetched & host.ready & ~pulses.any()


def _meaning(bench: Bench, twins: Twins, core: Core, name: str) -> Value:
    """Bits of an output's payload that mean something now."""
    port = getattr(twins, name)
    payload = port.payload
    bits = len(Value.cast(payload))
    kind, size, lanes, _ = core.describe(name)
    if kind == "events":
        return port.valid.replicate(bits)
    beats = -(-size // lanes)
    beat = bench.register(range(beats), f"meaning_{name}")
    last = beat == beats - 1
    with bench.m.If(bench.running & port.valid & port.ready):
        bench.m.d.sync += beat.eq(Mux(last, 0, beat + 1))
    width = len(Value.cast(payload.data)) // lanes
    used = size - (beats - 1) * lanes
    data = Cat(((k < used) | ~last).replicate(width) for k in range(lanes))
    # Fields in the order of the layout: data, first, last, end.
    return Cat(data, C(1, 1), C(1, 1), last) & port.valid.replicate(bits)
