// The circuit behind a serial line, 8 bits, no parity, one stop bit. Commands:
//   'W', then every row of weights, $row_bytes bytes each, lowest first: loads them (circuits that are loaded only);
//   'X', a byte of flags (1: first step of a sample, 2: its result is wanted), then the step's values in the order of
//   the channels, $value_bytes byte(s) each, lowest first. A wanted result comes back as 4 bytes a class, lowest first.
// There is no handshake. A step takes at most $most_cycles cycles, and the next one has to come as late: other bytes
// between commands are passed over, and make time. A value that comes too early is lost: no result is sent any more,
// and `led` stays on, until the reset.
// `answer` is the class of the greatest result, the lowest among equals; `led` blinks it, once for class 0.
`default_nettype none
module asrc_shell #(parameter CLOCK = 12000000, parameter BAUD = 115200) (
  input  wire clk,
  input  wire rst,
  input  wire rx,
  output reg  tx,
  output wire led
);
  localparam DIVIDER = CLOCK / BAUD;
  localparam CHANNELS = $channels, CLASSES = $classes, ROWS = $rows;
  // ---------------------------------------------------------------- bytes in
  reg [2:0] line;
  reg [15:0] in_wait;
  reg [3:0] in_bits;
  reg [7:0] in_byte;
  reg in_there;
  always @(posedge clk) begin
    line <= {line[1:0], rx};
    in_there <= 1'b0;
    if (in_bits == 0) begin
      if (line[2:1] == 2'b10) begin in_bits <= 4'd9; in_wait <= DIVIDER + DIVIDER / 2 - 1; end
    end else if (in_wait != 0) in_wait <= in_wait - 1'b1;
    else begin
      in_wait <= DIVIDER - 1;
      in_bits <= in_bits - 1'b1;
      if (in_bits == 4'd1) in_there <= line[2];
      else in_byte <= {line[2], in_byte[7:1]};
    end
    if (rst) begin line <= 3'b111; in_bits <= 4'd0; end
  end
  // ---------------------------------------------------------------- bytes out
  reg [15:0] out_wait;
  reg [3:0] out_bits;
  reg [8:0] out_shift;
  reg out_there;
  reg [7:0] out_byte;
  reg lost; // a value that came before the one before it was taken
  wire out_free = out_bits == 0 && !out_there && !lost;
  always @(posedge clk) begin
    if (out_bits == 0) begin
      tx <= 1'b1;
      if (out_there) begin out_shift <= {1'b1, out_byte}; out_bits <= 4'd10; out_wait <= DIVIDER - 1; tx <= 1'b0; end
    end else if (out_wait != 0) out_wait <= out_wait - 1'b1;
    else begin
      out_wait <= DIVIDER - 1; out_bits <= out_bits - 1'b1; tx <= out_shift[0]; out_shift <= {1'b1, out_shift[8:1]};
    end
    if (rst) begin tx <= 1'b1; out_bits <= 4'd0; end
  end
  // ---------------------------------------------------------------- commands
  localparam IDLE = 2'd0, FLAGS = 2'd1, VALUES = 2'd2, WEIGHTS = 2'd3;
  reg [1:0] state;
  reg [15:0] channel;
  reg [7:0] part;
  reg first, last, value_there;
  reg [$value_top:0] value;
  reg [$row_top:0] row;
  reg [$address_top:0] row_number;
  reg load;
  wire in_ready;
  always @(posedge clk) begin
    load <= 1'b0;
    if (load) row_number <= row_number + 1'b1;
    if (value_there && in_ready) value_there <= 1'b0;
    if (in_there && value_there && !in_ready && (state == FLAGS || state == VALUES)) lost <= 1'b1;
    if (in_there) case (state)
      IDLE: begin
        part <= 8'd0; channel <= 16'd0; row_number <= '0;
        if (in_byte == "X") state <= FLAGS;
        if (in_byte == "W") state <= WEIGHTS;
      end
      FLAGS: begin first <= in_byte[0]; last <= in_byte[1]; state <= VALUES; end
      VALUES: begin
        value[part * 8 +: 8] <= in_byte;
        part <= part + 1'b1;
        if (part == $value_bytes - 1) begin
          part <= 8'd0; value_there <= 1'b1; channel <= channel + 1'b1;
          if (channel == CHANNELS - 1) state <= IDLE;
        end
      end
      WEIGHTS: begin
        row[part * 8 +: 8] <= in_byte;
        part <= part + 1'b1;
        if (part == $row_bytes - 1) begin
          part <= 8'd0; load <= 1'b1;
          if (row_number == ROWS - 1) state <= IDLE;
        end
      end
    endcase
    if (rst) begin state <= IDLE; value_there <= 1'b0; load <= 1'b0; lost <= 1'b0; end
  end
  // ---------------------------------------------------------------- the circuit, and results as bytes
  wire out_valid, out_last;
  wire signed [31:0] out_data;
  reg [1:0] result_part;
  wire result_taken = out_valid && out_free && result_part == 2'd3;
  asrc_core circuit (
    .clk(clk), .rst(rst), .in_valid(value_there), .in_ready(in_ready), .in_data(value[$x_top:0]),
    .in_first(first), .in_last(last), .out_valid(out_valid), .out_ready(result_taken), .out_data(out_data),
    .out_last(out_last)$load
  );
  reg signed [31:0] best;
  reg [$class_top:0] class_number, best_class, answer;
  reg answered;
  always @(posedge clk) begin
    out_there <= out_valid && out_free;
    if (out_valid && out_free) begin out_byte <= out_data[result_part * 8 +: 8]; result_part <= result_part + 1'b1; end
    if (result_taken) begin
      class_number <= out_last ? '0 : class_number + 1'b1;
      if (class_number == 0 || out_data > best) begin best <= out_data; best_class <= class_number; end
      if (out_last) begin
        answer <= class_number == 0 || out_data > best ? class_number : best_class;
        answered <= 1'b1;
      end
    end
    if (rst) begin out_there <= 1'b0; result_part <= 2'd0; class_number <= '0; answered <= 1'b0; answer <= '0; end
  end
  // ---------------------------------------------------------------- the answer, blinked
  reg [31:0] blink;
  reg [$flash_top:0] flash;
  assign led = lost || (answered && flash <= answer && blink < CLOCK / 5);
  always @(posedge clk) begin
    blink <= blink == CLOCK / 2 ? 32'd0 : blink + 1'b1;
    if (blink == CLOCK / 2) flash <= flash >= answer + 3 ? '0 : flash + 1'b1;
    if (rst || !answered) begin blink <= 32'd0; flash <= '0; end
  end
endmodule
`default_nettype wire
