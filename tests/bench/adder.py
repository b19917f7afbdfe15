# SPDX-License-Identifier: Apache-2.0
"""One small design, in Verilog and in Amaranth: what every engine is tested on.

Register 0x000 is added to each stream word, 0x004 counts up when read, 0x008 collects the sum of
what is written to it, 0x00C refuses, 0x010 never answers. Layer 0 is what comes in (data negated),
layer 1 what goes out (flags: TLAST).
"""

from collections.abc import Mapping

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Module,
    Mux,
    ResetSignal,
    Signal,
    Value,
)

from spikewright.sim.engine import Design

LAYERS = 2

PORTS = {
    "aclk": 1, "aresetn": 1,
    "s_axi_awaddr": 12, "s_axi_awprot": 3, "s_axi_awvalid": 1, "s_axi_awready": 1,
    "s_axi_wdata": 32, "s_axi_wstrb": 4, "s_axi_wvalid": 1, "s_axi_wready": 1,
    "s_axi_bresp": 2, "s_axi_bvalid": 1, "s_axi_bready": 1,
    "s_axi_araddr": 12, "s_axi_arprot": 3, "s_axi_arvalid": 1, "s_axi_arready": 1,
    "s_axi_rdata": 32, "s_axi_rresp": 2, "s_axi_rvalid": 1, "s_axi_rready": 1,
    "s_axis_tdata": 32, "s_axis_tkeep": 4, "s_axis_tlast": 1, "s_axis_tvalid": 1,
    "s_axis_tready": 1,
    "m_axis_tdata": 32, "m_axis_tkeep": 4, "m_axis_tlast": 1, "m_axis_tvalid": 1,
    "m_axis_tready": 1,
    "probe_fire": 2, "probe0_data": 64, "probe0_flags": 3, "probe1_data": 64, "probe1_flags": 3,
}  # fmt: skip

VERILOG = """
module adder(
  input aclk, input aresetn,
  input [11:0] s_axi_awaddr, input [2:0] s_axi_awprot, input s_axi_awvalid, output s_axi_awready,
  input [31:0] s_axi_wdata, input [3:0] s_axi_wstrb, input s_axi_wvalid, output s_axi_wready,
  output reg [1:0] s_axi_bresp, output reg s_axi_bvalid, input s_axi_bready,
  input [11:0] s_axi_araddr, input [2:0] s_axi_arprot, input s_axi_arvalid, output s_axi_arready,
  output reg [31:0] s_axi_rdata, output reg [1:0] s_axi_rresp, output reg s_axi_rvalid,
  input s_axi_rready,
  input [31:0] s_axis_tdata, input [3:0] s_axis_tkeep, input s_axis_tlast, input s_axis_tvalid,
  output s_axis_tready,
  output reg [31:0] m_axis_tdata, output [3:0] m_axis_tkeep, output reg m_axis_tlast,
  output reg m_axis_tvalid, input m_axis_tready,
  output [1:0] probe_fire, output [63:0] probe0_data, output [2:0] probe0_flags,
  output [63:0] probe1_data, output [2:0] probe1_flags
);
  reg [31:0] addend, reads, sum;
  wire write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
  wire read = s_axi_arvalid && !s_axi_rvalid;
  assign s_axi_awready = write;
  assign s_axi_wready = write;
  assign s_axi_arready = read;
  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;
  assign m_axis_tkeep = 4'hF;
  wire take = s_axis_tvalid && s_axis_tready;
  assign probe_fire = {m_axis_tvalid && m_axis_tready, take};
  assign probe0_data = -{32'b0, s_axis_tdata};
  assign probe0_flags = 0;
  assign probe1_data = {32'b0, m_axis_tdata};
  assign probe1_flags = {2'b0, m_axis_tlast};
  always @(posedge aclk) begin
    if (m_axis_tready) m_axis_tvalid <= 0;
    if (take) begin
      m_axis_tdata <= s_axis_tdata + addend;
      m_axis_tlast <= s_axis_tlast;
      m_axis_tvalid <= 1;
    end
    if (s_axi_bready) s_axi_bvalid <= 0;
    if (write) begin
      s_axi_bvalid <= s_axi_awaddr != 12'h010;
      s_axi_bresp <= s_axi_awaddr == 12'h00C ? 2 : 0;
      if (s_axi_awaddr == 12'h000) addend <= s_axi_wdata;
      if (s_axi_awaddr == 12'h008) sum <= sum + s_axi_wdata;
    end
    if (s_axi_rready) s_axi_rvalid <= 0;
    if (read) begin
      s_axi_rvalid <= s_axi_araddr != 12'h010;
      s_axi_rresp <= s_axi_araddr == 12'h00C ? 2 : 0;
      case (s_axi_araddr)
        12'h000: s_axi_rdata <= addend;
        12'h004: begin s_axi_rdata <= reads; reads <= reads + 1; end
        12'h008: s_axi_rdata <= sum;
        default: s_axi_rdata <= 0;
      endcase
    end
    if (!aresetn) begin
      addend <= 0; reads <= 0; sum <= 0;
      s_axi_bvalid <= 0; s_axi_rvalid <= 0; m_axis_tvalid <= 0;
    end
  end
endmodule
"""

DESIGN = Design(verilog=VERILOG, top="adder", layers=LAYERS)


class Adder(Elaboratable):
    """The same in Amaranth, cycle for cycle."""

    def __init__(self) -> None:
        self.ports = {name: Signal(width, name=name) for name, width in PORTS.items()}
        self.addend = Signal(32)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.ports
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal().eq(p["aclk"]), ResetSignal().eq(~p["aresetn"])]
        self._streams(m)
        self._registers(m)
        return m

    def _streams(self, m: Module) -> None:
        p = self.ports
        m.d.comb += [
            p["s_axis_tready"].eq(~p["m_axis_tvalid"] | p["m_axis_tready"]),
            p["m_axis_tkeep"].eq(0xF),
            p["probe_fire"][0].eq(p["s_axis_tvalid"] & p["s_axis_tready"]),
            p["probe_fire"][1].eq(p["m_axis_tvalid"] & p["m_axis_tready"]),
            p["probe0_data"].eq(-p["s_axis_tdata"]),
            p["probe1_data"].eq(p["m_axis_tdata"]),
            p["probe1_flags"].eq(p["m_axis_tlast"]),
        ]
        with m.If(p["m_axis_tready"]):
            m.d.sync += p["m_axis_tvalid"].eq(0)
        with m.If(p["probe_fire"][0]):
            m.d.sync += [
                p["m_axis_tdata"].eq(p["s_axis_tdata"] + self.addend),
                p["m_axis_tlast"].eq(p["s_axis_tlast"]),
                p["m_axis_tvalid"].eq(1),
            ]

    def _registers(self, m: Module) -> None:
        p = self.ports
        reads, total = Signal(32), Signal(32)
        write = p["s_axi_awvalid"] & p["s_axi_wvalid"] & ~p["s_axi_bvalid"]
        read = p["s_axi_arvalid"] & ~p["s_axi_rvalid"]
        m.d.comb += [p["s_axi_awready"].eq(write), p["s_axi_wready"].eq(write)]
        m.d.comb += p["s_axi_arready"].eq(read)
        for reply, request, address in (("b", write, "awaddr"), ("r", read, "araddr")):
            where = p[f"s_axi_{address}"]
            with m.If(p[f"s_axi_{reply}ready"]):
                m.d.sync += p[f"s_axi_{reply}valid"].eq(0)
            with m.If(request):
                m.d.sync += p[f"s_axi_{reply}valid"].eq(where != 0x010)
                m.d.sync += p[f"s_axi_{reply}resp"].eq(Mux(where == 0x00C, 2, 0))
        with m.If(write & (p["s_axi_awaddr"] == 0x000)):
            m.d.sync += self.addend.eq(p["s_axi_wdata"])
        with m.If(write & (p["s_axi_awaddr"] == 0x008)):
            m.d.sync += total.eq(total + p["s_axi_wdata"])
        data = p["s_axi_rdata"]
        with m.If(read), m.Switch(p["s_axi_araddr"]):
            with m.Case(0x000):
                m.d.sync += data.eq(self.addend)
            with m.Case(0x004):
                m.d.sync += [data.eq(reads), reads.eq(reads + 1)]
            with m.Case(0x008):
                m.d.sync += data.eq(total)
            with m.Default():
                m.d.sync += data.eq(0)


def adder_in_amaranth() -> tuple[Elaboratable, Mapping[str, Value]]:
    component = Adder()
    return component, component.ports
