# SPDX-License-Identifier: Apache-2.0
"""A design with the accelerator's ports and some of its registers, for the board's tests.

Every word that comes in goes out plus PARAM_START, with its TLAST. PARAM_DATA collects the sum of
what is written to it. FRAMES_PER_PACKET keeps what is written. Every register not named here
refuses.
"""

from string import Template

from spikewright.sim.registers import ID_VALUE, INTERFACE_VERSION, REGISTERS

VERILOG = Template("""
module spikewright(
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
  output [0:0] probe_fire, output [63:0] probe0_data, output [2:0] probe0_flags
);
  reg [31:0] addend, packet, sum, cycles;
  wire write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
  wire read = s_axi_arvalid && !s_axi_rvalid;
  wire take = s_axis_tvalid && s_axis_tready;
  assign s_axi_awready = write;
  assign s_axi_wready = write;
  assign s_axi_arready = read;
  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;
  assign m_axis_tkeep = 4'hF;
  assign probe_fire = take;
  assign probe0_data = {32'b0, s_axis_tdata};
  assign probe0_flags = 0;
  always @(posedge aclk) begin
    cycles <= cycles + 1;
    if (m_axis_tready) m_axis_tvalid <= 0;
    if (take) begin
      m_axis_tdata <= s_axis_tdata + addend;
      m_axis_tlast <= s_axis_tlast;
      m_axis_tvalid <= 1;
    end
    if (s_axi_bready) s_axi_bvalid <= 0;
    if (write) begin
      s_axi_bvalid <= 1;
      s_axi_bresp <= 0;
      case (s_axi_awaddr)
        $PARAM_START: addend <= s_axi_wdata;
        $PARAM_DATA: sum <= sum + s_axi_wdata;
        $FRAMES_PER_PACKET: packet <= s_axi_wdata;
        default: s_axi_bresp <= 2;
      endcase
    end
    if (s_axi_rready) s_axi_rvalid <= 0;
    if (read) begin
      s_axi_rvalid <= 1;
      s_axi_rresp <= 0;
      case (s_axi_araddr)
        $ID: s_axi_rdata <= $id;
        $VERSION: s_axi_rdata <= $version;
        $PARAM_START: s_axi_rdata <= addend;
        $PARAM_DATA: s_axi_rdata <= sum;
        $FRAMES_PER_PACKET: s_axi_rdata <= packet;
        $CYCLES_LO: s_axi_rdata <= cycles;
        default: s_axi_rresp <= 2;
      endcase
    end
    if (!aresetn) begin
      addend <= 0; packet <= 0; sum <= 0; cycles <= 0;
      s_axi_bvalid <= 0; s_axi_rvalid <= 0; m_axis_tvalid <= 0;
    end
  end
endmodule
""").substitute(
    {register.name: register.offset for register in REGISTERS},
    id=ID_VALUE,
    version=INTERFACE_VERSION,
)

LAYERS = 1
