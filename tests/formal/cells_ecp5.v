// SPDX-License-Identifier: Apache-2.0
// What Lattice's documents say of the ECP5 cells that the gateware names, in the modes that it uses.

module MULT18X18D (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
    P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  parameter REG_INPUTA_CLK = "NONE";
  parameter REG_INPUTB_CLK = "NONE";
  parameter REG_PIPELINE_CLK = "NONE";
  parameter REG_OUTPUT_CLK = "NONE";
  parameter GSR = "ENABLED";

  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  reg [18:0] a_held, b_held;
  reg [35:0] pipe, p_held;
  // The sign of an operand is registered beside it.
  wire [18:0] a_in = {SIGNEDA, a};
  wire [18:0] b_in = {SIGNEDB, b};
  wire [18:0] x = REG_INPUTA_CLK == "CLK0" ? a_held : a_in;
  wire [18:0] y = REG_INPUTB_CLK == "CLK0" ? b_held : b_in;
  wire signed [18:0] xs = {x[18] & x[17], x[17:0]};
  wire signed [18:0] ys = {y[18] & y[17], y[17:0]};
  wire signed [37:0] product = xs * ys;
  wire [35:0] stage = REG_PIPELINE_CLK == "CLK0" ? pipe : product[35:0];
  wire [35:0] p = REG_OUTPUT_CLK == "CLK0" ? p_held : stage;
  always @(posedge CLK0) if (CE0) begin
    a_held <= RST0 ? 19'b0 : a_in;
    b_held <= RST0 ? 19'b0 : b_in;
    pipe <= RST0 ? 36'b0 : product[35:0];
    p_held <= RST0 ? 36'b0 : stage;
  end
    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
    P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = p;
endmodule

// Both ports have the same width and clock; port A alone writes. Words are stored whole: a port of another
// width is not modelled. Initial values are only of 18 bits, each in 20 of theirs.
module DP16KD (
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
    DIA4, DIA3, DIA2, DIA1, DIA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
    DIB4, DIB3, DIB2, DIB1, DIB0,
  input CLKA, CLKB, CEA, CEB, OCEA, OCEB, RSTA, RSTB, WEA, WEB,
  input CSA2, CSA1, CSA0, CSB2, CSB1, CSB0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter CSDECODE_A = "0b000";
  parameter CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB";
  parameter GSR = "ENABLED";
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0;
  parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0;
  parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0;
  parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0;
  parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0;
  parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0;
  parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0;
  parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0;
  parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0;
  parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0;
  parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0;
  parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0;
  parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0;
  parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0;
  parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0;
  parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;

  localparam WIDTH = DATA_WIDTH_A;
  localparam [64*320-1:0] INITIAL = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };
  // Address pins below a word; of 18 and 36 bits they enable the write of each byte of 9 bits.
    localparam UNUSED = WIDTH == 36 ? 5 : WIDTH == 18 ? 4 : WIDTH == 9 ? 3 : WIDTH == 4 ? 2 : WIDTH
    == 2 ? 1 : 0;
  localparam BYTES = WIDTH == 36 ? 4 : WIDTH == 18 ? 2 : 1;
  localparam BITS = WIDTH >= 9 ? 9 : WIDTH;
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [35:0] di = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
    DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0, DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11,
    DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13-UNUSED:0] where_a = ada[13:UNUSED];
  wire [13-UNUSED:0] where_b = adb[13:UNUSED];
  wire [3:0] bytes = WIDTH >= 18 ? ada[3:0] : 4'b1;
  wire selected_a = {CSA2, CSA1, CSA0} == 3'b0;
  wire selected_b = {CSB2, CSB1, CSB0} == 3'b0;
  // At 36 bits (PDPW16KD in the documents) there is no write enable pin, only that of each byte.
  wire write = CEA && selected_a && (WIDTH == 36 || WEA);

`ifdef ROWS
  // Fewer words than the cell has, for provers; the address pins above must be 0.
  localparam WORDS = `ROWS;
`else
  localparam WORDS = 1 << (14 - UNUSED);
`endif
  reg [WIDTH-1:0] store [0:WORDS - 1];
  reg [WIDTH-1:0] read_a, held_a, read, held;
  integer k;
  initial if (WIDTH == 18) for (k = 0; k < WORDS; k = k + 1) store[k] = INITIAL[20*k +: 18];
  always @(posedge CLKA)
    for (k = 0; k < BYTES; k = k + 1)
      if (write && bytes[k]) store[where_a][k*BITS +: BITS] <= di[k*BITS +: BITS];
  always @(posedge CLKA) begin
    if (CEA && selected_a) read_a <= RSTA ? {WIDTH{1'b0}} : store[where_a];
    if (OCEA) held_a <= RSTA ? {WIDTH{1'b0}} : read_a;
  end
  always @(posedge CLKB) begin
    if (CEB && selected_b) read <= RSTB ? {WIDTH{1'b0}} : store[where_b];
    if (OCEB) held <= RSTB ? {WIDTH{1'b0}} : read;
  end
  wire [35:0] out = REGMODE_B == "OUTREG" ? held : read;
  // Port B shows the lower half of 36 bits and port A the upper.
  wire [17:0] own = REGMODE_A == "OUTREG" ? held_a : read_a;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0} = out[17:0];
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0} = WIDTH == 36 ? out[35:18] : own;
endmodule

// Two bits of a carry chain. A table of 16 bits says with all four inputs whether a carry goes on, and
// its lowest four, with A and B, what goes on otherwise. Where 1 is injected the half takes no carry.
module CCU2C (
  input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
  output S0, S1, COUT
);
  parameter [15:0] INIT0 = 16'h0000;
  parameter [15:0] INIT1 = 16'h0000;
  parameter INJECT1_0 = "YES";
  parameter INJECT1_1 = "YES";

  wire passes0 = INIT0[{D0, C0, B0, A0}];
  wire passes1 = INIT1[{D1, C1, B1, A1}];
  wire makes0 = INIT0[{2'b00, B0, A0}];
  wire makes1 = INIT1[{2'b00, B1, A1}];
  wire inject0 = INJECT1_0 == "YES";
  wire inject1 = INJECT1_1 == "YES";
  wire carry = passes0 ? CIN : makes0 && !inject0;
  assign S0 = passes0 ^ (CIN && !inject0);
  assign S1 = passes1 ^ (carry && !inject1);
  assign COUT = passes1 ? carry : makes1 && !inject1;
endmodule
