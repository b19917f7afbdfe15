# SPDX-License-Identifier: Apache-2.0
"""The register bank behind AXI4-Lite: identity, control, counters, parameters, CRCs."""

from collections.abc import Mapping, Sequence

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.axi import Access, AccessInterface
from spikewright.hw.parameter_port import ParameterPort
from spikewright.hw.parameters import ParameterHost
from spikewright.sim import registers as table
from spikewright.sim.program import HASH_BITS


class RegisterBank(wiring.Component):
    """Registers of :mod:`spikewright.sim.registers`.

    An access answers two cycles after its request; one of the parameter registers when the tensor
    is ready for the next.

    Parameters
    ----------
    tensor_sizes : sequence of int
        Elements of each tensor.
    layers : int
    structure_hash : int

    Members
    -------
    access : In(Access)
        Refused with ``error``: unknown addresses, writes to read-only registers, parameter accesses
        outside the tensor or while a frame is inside.
    tensor_K : Out(ParameterHost)
    crc_K : In(32)
    started, finished, cut : In(1)
        Pulses: a frame began, a frame left, a packet ended inside a frame.
    soft_reset : Out(1)
        A pulse.
    frames_per_packet : Out(32)
    """

    access: AccessInterface
    started: Signal
    finished: Signal
    cut: Signal
    soft_reset: Signal
    frames_per_packet: Signal

    def __init__(self, *, tensor_sizes: Sequence[int], layers: int, structure_hash: int):
        self.tensor_sizes = tuple(tensor_sizes)
        self.layers = layers
        self.structure_hash = structure_hash
        super().__init__(
            {
                "access": In(Access),
                **{f"tensor_{k}": Out(ParameterHost) for k in range(len(tensor_sizes))},
                **{f"crc_{k}": In(32) for k in range(layers)},
                **dict.fromkeys(("started", "finished", "cut"), In(1)),
                "soft_reset": Out(1),
                "frames_per_packet": Out(32),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        access = self.access
        port = ParameterPort(self.tensor_sizes)
        # A soft reset takes the tensors back to their first elements, and so the port.
        m.submodules.parameters = ResetInserter(self.soft_reset)(port)
        for k in range(len(self.tensor_sizes)):
            host = getattr(self, f"tensor_{k}")
            wiring.connect(m, getattr(port, f"host_{k}"), wiring.flipped(host))
        per_packet = Signal(32, init=1)
        m.d.comb += self.frames_per_packet.eq(per_packet)
        program_hash, sticky, clear = Signal(HASH_BITS), Signal(3), Signal()
        cycles, frames, busy = self._counters(m, clear)
        latched = Signal(32)
        values = self._values(port, program_hash, Cat(busy, sticky), cycles, frames, latched)
        is_parameter = self._at("PARAM_TENSOR", "PARAM_START", "PARAM_DATA")
        m.d.comb += port.operand.eq(access.data)
        with m.If(self.cut):
            m.d.sync += sticky[0].eq(1)
        with m.FSM():
            with m.State("IDLE"):
                self._look_up(m, values, latched, cycles, frames)
                with m.If(access.request & is_parameter & (access.write | self._at("PARAM_DATA"))):
                    with m.If(busy):
                        m.d.sync += [sticky[2].eq(1), access.error.eq(1)]
                        m.next = "ANSWER"
                    with m.Else():
                        self._command(m, port)
                        m.next = "PARAMETER"
                with m.Elif(access.request):
                    self._write(m, program_hash, sticky, clear, per_packet)
                    m.next = "ANSWER"
            with m.State("PARAMETER"):
                with m.If(port.done):
                    m.d.sync += [
                        access.data_out.eq(port.value),
                        access.error.eq(port.out_of_range),
                    ]
                    with m.If(port.out_of_range):
                        m.d.sync += sticky[1].eq(1)
                    with m.Elif(access.write & self._at("PARAM_DATA")):
                        m.d.sync += program_hash.eq(0)
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += access.done.eq(1)
                m.next = "IDLE"
        return m

    def _at(self, *names: str) -> Value:
        return self.access.address.matches(*(table.offset(name) for name in names))

    def _counters(self, m: Module, clear: Signal) -> tuple[Signal, Signal, Value]:
        """Cycles with a frame inside, frames finished, and whether one is inside."""
        cycles, frames, inside = Signal(64), Signal(64), Signal(16)
        busy = inside != 0
        m.d.sync += inside.eq(inside + self.started - self.finished)
        with m.If(busy | self.started):
            m.d.sync += cycles.eq(cycles + 1)
        with m.If(self.finished):
            m.d.sync += frames.eq(frames + 1)
        with m.If(self.soft_reset):
            m.d.sync += inside.eq(0)
        with m.If(self.soft_reset | clear):
            m.d.sync += [cycles.eq(0), frames.eq(0)]
        return cycles, frames, busy

    def _values(
        self,
        port: ParameterPort,
        program_hash: Value,
        status: Value,
        cycles: Value,
        frames: Value,
        latched: Value,
    ) -> Mapping[int, Value | int]:
        """What each address reads, but for PARAM_DATA."""
        by_name = {
            "ID": table.ID_VALUE,
            "VERSION": table.INTERFACE_VERSION,
            "STRUCTURE_HASH_LO": self.structure_hash & 0xFFFFFFFF,
            "STRUCTURE_HASH_HI": self.structure_hash >> 32,
            "PROGRAM_HASH_LO": program_hash[:32],
            "PROGRAM_HASH_HI": program_hash[32:],
            "CONTROL": 0,
            "STATUS": status,
            "CYCLES_LO": cycles[:32],
            "CYCLES_HI": latched,
            "FRAMES_LO": frames[:32],
            "FRAMES_HI": latched,
            "FRAMES_PER_PACKET": self.frames_per_packet,
            "PARAM_TENSOR": port.tensor,
            "PARAM_START": port.index,
            "TENSORS": len(self.tensor_sizes),
            "LAYERS": self.layers,
        }
        found = {table.offset(name): value for name, value in by_name.items()}
        crcs = {table.CRC_WINDOW + 4 * k: getattr(self, f"crc_{k}") for k in range(self.layers)}
        return {**found, **crcs}

    def _look_up(
        self,
        m: Module,
        values: Mapping[int, Value | int],
        latched: Signal,
        cycles: Value,
        frames: Value,
    ) -> None:
        """Register the answer to a read; unknown addresses and writes to what is read-only err."""
        access = self.access
        writable = [r.offset for r in table.REGISTERS if r.access is table.Access.READ_WRITE]
        known = Mux(access.write, access.address.matches(*writable), 1)
        m.d.sync += access.error.eq(~known)
        with m.Switch(access.address):
            for address, value in values.items():
                with m.Case(address):
                    m.d.sync += access.data_out.eq(value)
            with m.Default():
                m.d.sync += access.error.eq(1)
        with m.If(access.request & ~access.write):
            with m.If(self._at("CYCLES_LO")):
                m.d.sync += latched.eq(cycles[32:])
            with m.If(self._at("FRAMES_LO")):
                m.d.sync += latched.eq(frames[32:])

    def _command(self, m: Module, port: ParameterPort) -> None:
        """Hand a parameter access on."""
        write = self.access.write
        m.d.comb += [
            port.choose.eq(self._at("PARAM_TENSOR")),
            port.start.eq(self._at("PARAM_START")),
            port.write.eq(self._at("PARAM_DATA") & write),
            port.read.eq(self._at("PARAM_DATA") & ~write),
        ]

    def _write(
        self, m: Module, program_hash: Signal, sticky: Signal, clear: Signal, per_packet: Signal
    ) -> None:
        """What writes do."""
        access = self.access
        soft_reset = table.mask("CONTROL", "SOFT_RESET")
        clear_counters = table.mask("CONTROL", "CLEAR_COUNTERS")
        with m.If(access.write):
            with m.If(self._at("CONTROL")):
                m.d.comb += [
                    self.soft_reset.eq((access.data & soft_reset) != 0),
                    clear.eq((access.data & clear_counters) != 0),
                ]
            with m.If(self._at("STATUS")):
                m.d.sync += sticky.eq(sticky & ~access.data[1:4])
            with m.If(self._at("FRAMES_PER_PACKET")):
                m.d.sync += per_packet.eq(access.data)
            with m.If(self._at("PROGRAM_HASH_LO")):
                m.d.sync += program_hash[:32].eq(access.data)
            with m.If(self._at("PROGRAM_HASH_HI")):
                m.d.sync += program_hash[32:].eq(access.data)
