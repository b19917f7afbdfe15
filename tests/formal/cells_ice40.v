// SPDX-License-Identifier: Apache-2.0
// What Lattice's documents say of the iCE40 UltraPlus cells that the gateware names, in the modes that it uses.

// As a multiplier of 16 by 16 bits; any other output reads 0. The resets are synchronous to nothing
// in the documents and not modelled: the gateware ties them to 0.
module SB_MAC16 (
  input CLK, CE,
  input [15:0] A, B, C, D,
  input AHOLD, BHOLD, CHOLD, DHOLD,
  input IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT,
  input OLOADTOP, OLOADBOT, ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT,
  input CI, ACCUMCI, SIGNEXTIN,
  output [31:0] O,
  output CO, ACCUMCO, SIGNEXTOUT
);
  parameter [0:0] NEG_TRIGGER = 0;
  parameter [0:0] A_REG = 0;
  parameter [0:0] B_REG = 0;
  parameter [0:0] C_REG = 0;
  parameter [0:0] D_REG = 0;
  parameter [0:0] TOP_8x8_MULT_REG = 0;
  parameter [0:0] BOT_8x8_MULT_REG = 0;
  parameter [0:0] PIPELINE_16x16_MULT_REG1 = 0;
  parameter [0:0] PIPELINE_16x16_MULT_REG2 = 0;
  parameter [1:0] TOPOUTPUT_SELECT = 0;
  parameter [1:0] BOTOUTPUT_SELECT = 0;
  parameter [0:0] MODE_8x8 = 0;
  parameter [0:0] A_SIGNED = 0;
  parameter [0:0] B_SIGNED = 0;

  // Registers that a pipeline of partial products would need, and reset pins, must not be in use.
  localparam MODELLED = !NEG_TRIGGER && !MODE_8x8 && !TOP_8x8_MULT_REG && !BOT_8x8_MULT_REG
    && !PIPELINE_16x16_MULT_REG1 && TOPOUTPUT_SELECT == 3 && BOTOUTPUT_SELECT == 3;
  wire calm = !(IRSTTOP || IRSTBOT || ORSTTOP || ORSTBOT);

  reg [15:0] a_held, b_held;
  wire [15:0] a = A_REG ? a_held : A;
  wire [15:0] b = B_REG ? b_held : B;
  wire signed [16:0] x = {A_SIGNED && a[15], a};
  wire signed [16:0] y = {B_SIGNED && b[15], b};
  wire signed [31:0] product = x * y;
  reg [31:0] product_held;
  always @(posedge CLK) if (CE) begin
    if (!AHOLD) a_held <= A;
    if (!BHOLD) b_held <= B;
    product_held <= product;
  end
  assign O = !MODELLED || !calm ? 32'b0 : PIPELINE_16x16_MULT_REG2 ? product_held : product;
endmodule

// One port, which in a cycle reads or writes. What comes out after a write the documents leave open.
module SB_SPRAM256KA (
  input [13:0] ADDRESS,
  input [15:0] DATAIN,
  input [3:0] MASKWREN,
  input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
  output [15:0] DATAOUT
);
`ifdef ROWS
  // Fewer words than the cell has, for provers; the address pins above must be 0.
  reg [15:0] store [0:`ROWS - 1];
`else
  reg [15:0] store [0:16383];
`endif
  // POWEROFF is low in a cell that is off. One that sleeps, stands by or is off answers anything.
  wire awake = POWEROFF && !SLEEP && !STANDBY;
  wire selected = awake && CHIPSELECT;
  reg [15:0] read;
  reg known;
  (* anyseq *) wire [15:0] anything;
  integer k;
  always @(posedge CLOCK) begin
    for (k = 0; k < 4; k = k + 1)
      if (selected && WREN && MASKWREN[k]) store[ADDRESS][k*4 +: 4] <= DATAIN[k*4 +: 4];
    if (selected) read <= store[ADDRESS];
    known <= selected ? !WREN : known && awake;
  end
  assign DATAOUT = known ? read : anything;
endmodule
