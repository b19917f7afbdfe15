# SPDX-License-Identifier: Apache-2.0
"""The register bank behind AXI4-Lite: identity, control, counters, parameters, CRCs."""

from collections.abc import Mapping, Sequence

from amaranth import C, Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.host.axi import Access, AccessInterface
from spikewright.hw.host.occupancy import count, frames_inside, occupied
from spikewright.hw.host.parameter_port import ParameterPort
from spikewright.hw.parameters import ParameterHost
from spikewright.sim import registers as table
from spikewright.sim.program import HASH_BITS


class RegisterBank(wiring.Component):
    """Registers of :mod:`spikewright.sim.registers`.

    An access answers four cycles after its request; one of the parameter registers when the tensor
    is ready for the next, and none while ``resetting``. Address and data stand meanwhile. From the
    time a parameter access is looked at until it is over, no word may be taken in.

    Parameters
    ----------
    tensor_sizes : sequence of int
        Elements of each tensor.
    layers : int
    structure_hash : int
    notice : int
        Most cycles from a frame's first word until ``started``.
    ends : int
        Places in the program, besides the outputs, where a frame comes to its end.

    Members
    -------
    access : In(Access)
        Refused with ``error``: unknown addresses, writes to read-only registers, parameter accesses
        outside the tensor or while a frame is inside.
    tensor_K : Out(ParameterHost)
    crc_K : In(32)
    arrived, started, finished, cut : In(1)
        Pulses: a word was taken in, a frame began, a frame left, a packet ended inside a frame.
    ended : In(ends)
        Pulses: a frame came to its end in one of those places.
    deaf : Out(1)
        No word may be taken in, two cycles later at the latest.
    soft_reset : Out(1)
        A pulse.
    resetting : In(1)
        Whether the program's components are in reset.
    frames_per_packet : Out(32)
    """

    access: AccessInterface
    arrived: Signal
    started: Signal
    finished: Signal
    ended: Signal
    cut: Signal
    deaf: Signal
    soft_reset: Signal
    resetting: Signal
    frames_per_packet: Signal

    def __init__(
        self,
        *,
        tensor_sizes: Sequence[int],
        layers: int,
        structure_hash: int,
        notice: int,
        ends: int,
    ):
        self.tensor_sizes = tuple(tensor_sizes)
        self.layers = layers
        self.structure_hash = structure_hash
        self.notice = notice
        super().__init__(
            {
                "access": In(Access),
                **{f"tensor_{k}": Out(ParameterHost) for k in range(len(tensor_sizes))},
                **{f"crc_{k}": In(32) for k in range(layers)},
                **dict.fromkeys(("arrived", "started", "finished", "cut"), In(1)),
                "ended": In(ends),
                **dict.fromkeys(("deaf", "soft_reset"), Out(1)),
                "resetting": In(1),
                "frames_per_packet": Out(32),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        access = self.access
        # A soft reset takes the tensors back to their first elements, and so the port.
        port = ParameterPort(self.tensor_sizes)
        m.submodules.parameters = ResetInserter(self.resetting)(port)
        for k in range(len(self.tensor_sizes)):
            host = getattr(self, f"tensor_{k}")
            wiring.connect(m, getattr(port, f"host_{k}"), wiring.flipped(host))
        per_packet = Signal(32, init=1)
        m.d.comb += self.frames_per_packet.eq(per_packet)
        program_hash, sticky, clear = Signal(HASH_BITS), Signal(3), Signal()
        cycles, frames, busy = self._counters(m, clear)
        near, settled = occupied(m, busy, self.arrived, self.deaf, self.notice)
        latched = {name: Signal(32, name=f"{name}_latched") for name in ("CYCLES_LO", "FRAMES_LO")}
        crcs = [Signal(32, name=f"held_{k}") for k in range(self.layers)]
        m.d.sync += [held.eq(getattr(self, f"crc_{k}")) for k, held in enumerate(crcs)]
        values = self._values(port, program_hash, Cat(busy, sticky), cycles, frames, latched, crcs)
        at = self._addressed(m, values)
        is_parameter = at["PARAM_TENSOR"] | at["PARAM_START"] | at["PARAM_DATA"]
        m.d.comb += port.operand.eq(access.data)
        m.d.sync += Cat(port.choose, port.start, port.write, port.read).eq(0)
        acts, done, refused, changed = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            done.eq(port.done),
            refused.eq(port.out_of_range),
            changed.eq(done & ~refused & access.write & at["PARAM_DATA"]),
        ]
        found, may = self._look_up(m, values, at, acts, latched, cycles, frames)
        self._write(m, at, acts, program_hash, sticky, clear, per_packet)
        with m.If(changed):
            m.d.sync += program_hash.eq(0)
        with m.If(self.cut):
            m.d.sync += sticky[0].eq(1)
        with m.FSM() as fsm:
            m.d.comb += self.deaf.eq(fsm.ongoing("SETTLE") | fsm.ongoing("PARAMETER"))
            with m.State("IDLE"):
                with m.If(access.request & ~self.resetting):
                    m.next = "ACT"
            with m.State("ACT"):
                m.d.comb += acts.eq(1)
                m.next = "LOOK_UP"
                with m.If(is_parameter & (access.write | at["PARAM_DATA"])):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                with m.If(settled & near):
                    m.d.sync += [sticky[2].eq(1), access.error.eq(1)]
                    m.next = "ANSWER"
                with m.Elif(settled):
                    self._command(m, port, at)
                    m.next = "PARAMETER"
            with m.State("LOOK_UP"):
                m.d.sync += [access.data_out.eq(found), access.error.eq(~may)]
                m.next = "ANSWER"
            with m.State("PARAMETER"):
                m.d.sync += [access.data_out.eq(port.value), access.error.eq(refused)]
                with m.If(done):
                    with m.If(refused):
                        m.d.sync += sticky[1].eq(1)
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += access.done.eq(1)
                m.next = "IDLE"
        return m

    def _addressed(self, m: Module, values: Mapping[str, Value | int]) -> dict[str, Signal]:
        """Whether the address is a register's, a cycle later; and under ``""`` whether one is."""
        at = {name: Signal(name=f"at_{name}") for name in ("", "PARAM_DATA", *values)}
        offsets = {name: _offset(name) for name in at if name}
        address = self.access.address
        m.d.sync += [at[name].eq(address == offset) for name, offset in offsets.items()]
        m.d.sync += at[""].eq(address.matches(*offsets.values()))
        return at

    def _counters(self, m: Module, clear: Signal) -> tuple[Value, Value, Value]:
        """Cycles with a frame inside, frames finished, and whether one is inside."""
        over = Cat(self.finished, self.ended)
        busy, gone = frames_inside(m, self.started, over, self.resetting)
        clears = Signal()
        m.d.sync += clears.eq(self.resetting | clear)
        return count(m, busy, clears, "cycles"), count(m, gone[0], clears, "frames"), busy

    def _values(
        self,
        port: ParameterPort,
        program_hash: Value,
        status: Value,
        cycles: Value,
        frames: Value,
        latched: Mapping[str, Value],
        crcs: Sequence[Value],
    ) -> dict[str, Value | int]:
        """What each register reads, but for PARAM_DATA; CRCs by their layers' numbers."""
        return {
            "ID": table.ID_VALUE,
            "VERSION": table.INTERFACE_VERSION,
            "STRUCTURE_HASH_LO": self.structure_hash & 0xFFFFFFFF,
            "STRUCTURE_HASH_HI": self.structure_hash >> 32,
            "PROGRAM_HASH_LO": program_hash[:32],
            "PROGRAM_HASH_HI": program_hash[32:],
            "CONTROL": 0,
            "STATUS": status,
            "CYCLES_LO": cycles[:32],
            "CYCLES_HI": latched["CYCLES_LO"],
            "FRAMES_LO": frames[:32],
            "FRAMES_HI": latched["FRAMES_LO"],
            "FRAMES_PER_PACKET": self.frames_per_packet,
            "PARAM_TENSOR": port.tensor,
            "PARAM_START": port.index,
            "TENSORS": len(self.tensor_sizes),
            "LAYERS": self.layers,
            **{str(k): crc for k, crc in enumerate(crcs)},
        }

    def _look_up(
        self,
        m: Module,
        values: Mapping[str, Value | int],
        at: Mapping[str, Signal],
        acts: Signal,
        latched: Mapping[str, Signal],
        cycles: Value,
        frames: Value,
    ) -> tuple[Value, Value]:
        """What the addressed register reads, and whether the access may be.

        Unknown addresses may not be read, nor those written that are read-only.
        """
        access = self.access
        writable = [at[r.name] for r in table.REGISTERS if r.access is table.Access.READ_WRITE]
        chosen: Value = C(0, 32)
        for name, value in values.items():
            chosen |= Mux(at[name], value, 0)
        found, may = Signal(32), Signal()
        m.d.sync += [
            found.eq(chosen),
            may.eq(Mux(access.write, Cat(writable).any(), at[""])),
        ]
        for name, value in (("CYCLES_LO", cycles), ("FRAMES_LO", frames)):
            # The lower half is found in the cycle in which the upper one is kept.
            with m.If(acts & at[name] & ~access.write):
                m.d.sync += latched[name].eq(value[32:])
        return found, may

    def _command(self, m: Module, port: ParameterPort, at: Mapping[str, Signal]) -> None:
        """Hand a parameter access on, in the next cycle."""
        write = self.access.write
        m.d.sync += [
            port.choose.eq(at["PARAM_TENSOR"]),
            port.start.eq(at["PARAM_START"]),
            port.write.eq(at["PARAM_DATA"] & write),
            port.read.eq(at["PARAM_DATA"] & ~write),
        ]

    def _write(
        self,
        m: Module,
        at: Mapping[str, Signal],
        acts: Signal,
        program_hash: Signal,
        sticky: Signal,
        clear: Signal,
        per_packet: Signal,
    ) -> None:
        """What writes do, a cycle after ``acts``."""
        value = self.access.data
        names = ("CONTROL", "STATUS", "FRAMES_PER_PACKET", "PROGRAM_HASH_LO", "PROGRAM_HASH_HI")
        put = {name: Signal(name=f"put_{name}") for name in names}
        m.d.sync += [put[name].eq(acts & self.access.write & at[name]) for name in names]
        soft_reset = table.mask("CONTROL", "SOFT_RESET")
        clear_counters = table.mask("CONTROL", "CLEAR_COUNTERS")
        m.d.comb += [
            self.soft_reset.eq(put["CONTROL"] & ((value & soft_reset) != 0)),
            clear.eq(put["CONTROL"] & ((value & clear_counters) != 0)),
        ]
        with m.If(put["STATUS"]):
            m.d.sync += sticky.eq(sticky & ~value[1:4])
        with m.If(put["FRAMES_PER_PACKET"]):
            m.d.sync += per_packet.eq(value)
        with m.If(put["PROGRAM_HASH_LO"]):
            m.d.sync += program_hash[:32].eq(value)
        with m.If(put["PROGRAM_HASH_HI"]):
            m.d.sync += program_hash[32:].eq(value)


def _offset(name: str) -> int:
    """Byte offset of a register, or of a layer's CRC by its number."""
    return table.CRC_WINDOW + 4 * int(name) if name.isdigit() else table.offset(name)
