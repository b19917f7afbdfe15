// SPDX-License-Identifier: Apache-2.0
// One word read a cycle, two cycles after its address; one word written a cycle.
module spikewright_store #(
  parameter WIDTH = 1,
  parameter DEPTH = 1,
  parameter ADDRESS_BITS = 1
) (
  input clk,
  input write,
  input [ADDRESS_BITS-1:0] write_address,
  input [WIDTH-1:0] write_data,
  input [ADDRESS_BITS-1:0] read_address,
  output reg [WIDTH-1:0] read_data
);
  reg [WIDTH-1:0] words [0:DEPTH-1];
  reg [WIDTH-1:0] word;
  always @(posedge clk) begin
    if (write) words[write_address] <= write_data;
    word <= words[read_address];
    read_data <= word;
  end
endmodule
