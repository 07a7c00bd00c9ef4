// The ULX3S: its 25 MHz clock, its serial line, its first LED and its power button, which is 0 while it is pressed.
`default_nettype none
module ulx3s (input wire clk_25mhz, input wire ftdi_txd, output wire ftdi_rxd, output wire led_0, input wire btn_0);
  reg [7:0] starting = 8'd0;
  wire rst = !starting[7];
  always @(posedge clk_25mhz) if (!btn_0) starting <= 8'd0; else if (rst) starting <= starting + 1'b1;
  asrc_shell #(.CLOCK(25000000)) shell (.clk(clk_25mhz), .rst(rst), .rx(ftdi_txd), .tx(ftdi_rxd), .led(led_0));
endmodule
`default_nettype wire
