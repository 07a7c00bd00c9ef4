// The iCEBreaker: its 12 MHz clock, its serial line, its red LED and its button.
`default_nettype none
module icebreaker (input wire CLK, input wire RX, output wire TX, output wire LEDR_N, input wire BTN_N);
  reg [7:0] starting = 8'd0;
  wire rst = !starting[7];
  always @(posedge CLK) if (!BTN_N) starting <= 8'd0; else if (rst) starting <= starting + 1'b1;
  wire led;
  assign LEDR_N = !led;
  asrc_shell #(.CLOCK(12000000)) shell (.clk(CLK), .rst(rst), .rx(RX), .tx(TX), .led(led));
endmodule
`default_nettype wire
