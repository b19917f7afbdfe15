# SPDX-License-Identifier: Apache-2.0
"""The accelerator: any program behind AXI4-Lite and AXI4-Stream."""

from collections.abc import Mapping

from amaranth import ClockDomain, ClockSignal, Module, ResetInserter, Signal
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.datapath import Datapath
from spikewright.hw.folding import fold
from spikewright.hw.host.axi import (
    AxiLite,
    AxiLiteInterface,
    AxiLiteSlave,
    AxiStream,
    AxiStreamInterface,
)
from spikewright.hw.host.probe import PROBE_BITS
from spikewright.hw.host.registers import RegisterBank
from spikewright.hw.host.resets import Resets
from spikewright.hw.product.mac_row import MacRow
from spikewright.sim.errors import ProgramError
from spikewright.sim.program import Program
from spikewright.sim.registers import MAX_LAYERS


class Accelerator(wiring.Component):
    """A program in gateware, in one clock domain.

    Parameters
    ----------
    program : Program
        Only its structure is built in; the tensors are loaded through the parameter port.
    lanes : int or mapping of str to int, optional
        As :func:`spikewright.hw.folding.fold` takes them.

    Members
    -------
    reset : In(1)
        Resets everything but the parameters; registered first, as it has far to go.
    s_axi : In(AxiLite)
        Registers of :mod:`spikewright.sim.registers`.
    s_axis : In(AxiStream), m_axis : Out(AxiStream)
        Frames as :mod:`spikewright.sim.packets` lays them out, in whole words: TKEEP is not looked
        at, and always 0xF on the way out.
    probe_fire : Out(layers), probe_data_K : Out(64), probe_flags_K : Out(3)
        Each layer's stream, for verification; left open on a board.

    Raises
    ------
    ProgramError
        If there are more than 64 layers to probe.
    """

    reset: Signal
    s_axi: AxiLiteInterface
    s_axis: AxiStreamInterface
    m_axis: AxiStreamInterface
    probe_fire: Signal

    def __init__(self, program: Program, lanes: int | Mapping[str, int] | None = None):
        self.program = program
        self.lanes = fold(program, lanes)
        layers = len(program.layers)
        if layers > MAX_LAYERS:
            raise ProgramError(f"Accelerator must have at most {MAX_LAYERS} layers, not {layers}")
        super().__init__(
            {
                "reset": In(1),
                "s_axi": In(AxiLite),
                "s_axis": In(AxiStream),
                "m_axis": Out(AxiStream),
                "probe_fire": Out(layers),
                **{f"probe_data_{k}": Out(PROBE_BITS) for k in range(layers)},
                **{f"probe_flags_{k}": Out(3) for k in range(layers)},
            }
        )

    @property
    def structure_hash(self) -> int:
        """Hash of the program's structure on these lanes."""
        return self.program.structure_hash(self.lanes)

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        layers = range(len(self.program.layers))
        sizes = []
        for spec in self.program.tensor_specs.values():
            rows, columns = (*spec.shape, 1)[:2]
            sizes.append(rows * columns)
        slave = AxiLiteSlave()
        datapath = Datapath(self.program, self.lanes)
        bank = RegisterBank(
            tensor_sizes=sizes,
            layers=len(layers),
            structure_hash=self.structure_hash,
            notice=Datapath.notice,
            ends=len(datapath.ends),
        )
        m.submodules.datapath = datapath
        # A weight's write was answered when it set out; a chain has a bank a lane at most.
        travel = max(self.lanes.values()) + MacRow.write_delay
        m.submodules.resets = resets = Resets(datapath.parts, grace=travel)
        reset = Signal(init=1)
        m.d.sync += reset.eq(self.reset)
        m.submodules.slave = ResetInserter(reset)(slave)
        m.submodules.bank = ResetInserter(reset)(bank)
        m.d.comb += [
            resets.request.eq(reset),
            resets.soft.eq(bank.soft_reset),
            bank.resetting.eq(resets.busy),
            datapath.resets.eq(resets.o),
        ]
        wiring.connect(m, wiring.flipped(self.s_axi), slave.bus)
        wiring.connect(m, slave.access, bank.access)
        for k in range(len(sizes)):
            wiring.connect(m, getattr(bank, f"tensor_{k}"), getattr(datapath, f"tensor_{k}"))
        m.d.comb += self.probe_fire.eq(datapath.probe_fire)
        for k in layers:
            m.d.comb += getattr(bank, f"crc_{k}").eq(getattr(datapath, f"crc_{k}"))
            for name in (f"probe_data_{k}", f"probe_flags_{k}"):
                m.d.comb += getattr(self, name).eq(getattr(datapath, name))
        self._streams(m, bank, datapath)
        return m

    def _streams(self, m: Module, bank: RegisterBank, datapath: Datapath) -> None:
        """Words in and out, and where packets end."""
        i, o = self.s_axis, self.m_axis
        in_packet, limit = Signal(32), Signal(32)
        several, frame_over, packet_over = Signal(), Signal(), Signal()
        # Whether a frame ends its packet is looked up in the cycle after the frame before.
        # What leaves after a reset was asked for would be taken for the next frame's.
        settled, listens = Signal(), Signal()
        m.d.sync += [
            listens.eq(~(bank.resetting | bank.deaf)),
            limit.eq(bank.frames_per_packet - 1),
            several.eq(bank.frames_per_packet != 0),
            settled.eq(~(frame_over | bank.resetting)),
        ]
        # A word that waits stays as it is, whatever the host writes meanwhile.
        with m.If(~o.tvalid | o.tready):
            # At least, not just: the host may lower the number inside a packet.
            m.d.sync += packet_over.eq(several & (in_packet >= limit))
        m.d.comb += [
            datapath.i.valid.eq(i.tvalid & listens),
            datapath.i.payload.data.eq(i.tdata),
            datapath.i.payload.last.eq(i.tlast),
            i.tready.eq(datapath.i.ready & listens),
            o.tvalid.eq(datapath.o.valid & settled),
            o.tdata.eq(datapath.o.payload.data),
            o.tkeep.eq(0xF),
            o.tlast.eq(datapath.o.payload.last & packet_over),
            datapath.o.ready.eq(o.tready & settled),
            frame_over.eq(o.tvalid & o.tready & datapath.o.payload.last),
            bank.arrived.eq(i.tvalid & i.tready),
            bank.started.eq(datapath.started),
            bank.finished.eq(frame_over),
            bank.ended.eq(datapath.ended),
            bank.cut.eq(datapath.cut),
        ]
        with m.If(frame_over):
            m.d.sync += in_packet.eq(in_packet + 1)
            with m.If(packet_over):
                m.d.sync += in_packet.eq(0)
        with m.If(bank.resetting):
            m.d.sync += in_packet.eq(0)


class Top(wiring.Component):
    """An accelerator with a clock and an active-low reset as ports, named as Vivado infers them.

    The clock is an ordinary input, so that whoever runs the design decides when time passes.

    Parameters
    ----------
    accelerator : Accelerator

    Members
    -------
    aclk, aresetn : In(1)
    """

    aclk: Signal
    aresetn: Signal

    def __init__(self, accelerator: Accelerator):
        self.accelerator = accelerator
        super().__init__({"aclk": In(1), "aresetn": In(1)})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        m.d.comb += [ClockSignal().eq(self.aclk), self.accelerator.reset.eq(~self.aresetn)]
        m.submodules.accelerator = self.accelerator
        return m

    def ports(self) -> dict[str, Signal]:
        """Every port by its Verilog name."""
        accelerator = self.accelerator
        found = {"aclk": self.aclk, "aresetn": self.aresetn}
        for bus in ("s_axi", "s_axis", "m_axis"):
            interface = getattr(accelerator, bus)
            for path, _, signal in interface.signature.flatten(interface):
                found[f"{bus}_{path[-1]}"] = signal
        layers = len(accelerator.program.layers)
        found["probe_fire"] = accelerator.probe_fire
        for k in range(layers):
            found[f"probe{k}_data"] = getattr(accelerator, f"probe_data_{k}")
            found[f"probe{k}_flags"] = getattr(accelerator, f"probe_flags_{k}")
        return found
