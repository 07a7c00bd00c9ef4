// Feeds samples.hex to the circuit and compares every update of every neuron with expected.hex: what it sent and
// what it shows; every result with results.hex; and how many saturations there were. Prints PASSED, or the first
// difference and FAILED, and then the simulation fails, too. +updates=N stops after the first N updates.
`timescale 1ns / 1ps
`default_nettype none
module testbench;
  localparam SAMPLES = $samples, STEPS = $steps, CHANNELS = $channels, NEURONS = $neurons, CLASSES = $classes;
  localparam SATURATIONS = $saturations;
  localparam BEATS = SAMPLES * STEPS * CHANNELS, UPDATES = SAMPLES * STEPS * NEURONS, ANSWERS = SAMPLES * CLASSES;
  reg clk = 0, rst = 1;
  reg [$x_top:0] samples [0:BEATS-1];
  reg [39:0] expected [0:UPDATES-1];
  reg [31:0] results [0:ANSWERS-1];
  // A readout may come after the next step's first layer: each neuron counts its own steps.
  integer steps_of [0:NEURONS-1];
  wire [31:0] place = steps_of[tr_neuron] * NEURONS + tr_neuron;
  integer each;
  initial for (each = 0; each < NEURONS; each = each + 1) steps_of[each] = 0;
  integer beat = 0, update = 0, saturations = 0, answer = 0, cycle = 0, step = 0, channel = 0, most;
  initial if (!$$value$$plusargs("updates=%d", most)) most = UPDATES;
  wire in_ready, out_valid, out_last, tr_valid;
  wire signed [31:0] out_data, tr_shown;
  wire signed [7:0] tr_sent;
  wire [7:0] tr_saturations;
  wire [$layer_top:0] tr_layer;
  wire [$neuron_top:0] tr_neuron;
  wire in_valid = !rst && beat < BEATS;
  asrc_core circuit (
    .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(samples[beat < BEATS ? beat : 0]),
    .in_first(step == 0), .in_last(step == STEPS - 1), .out_valid(out_valid), .out_ready(1'b1), .out_data(out_data),
    .out_last(out_last),$load
    .tr_valid(tr_valid), .tr_layer(tr_layer), .tr_neuron(tr_neuron), .tr_sent(tr_sent), .tr_shown(tr_shown),
    .tr_saturations(tr_saturations)
  );
$loading
  initial begin
    $$readmemh("samples.hex", samples);
    $$readmemh("expected.hex", expected);
    $$readmemh("results.hex", results);
  end
  always #5 clk = !clk;
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == $reset) rst <= 0;
    if (in_valid && in_ready) begin
      beat <= beat + 1;
      channel <= channel == CHANNELS - 1 ? 0 : channel + 1;
      if (channel == CHANNELS - 1) step <= step == STEPS - 1 ? 0 : step + 1;
    end
    if (tr_valid && !rst) begin
      if (steps_of[tr_neuron] >= SAMPLES * STEPS || {tr_sent, tr_shown} !== expected[place]) begin
        $$display("step %0d of neuron %0d: sent %0d, shows %0d; expected %0d, %0d", steps_of[tr_neuron], tr_neuron, tr_sent,
          tr_shown, $$signed(expected[place][39:32]), $$signed(expected[place][31:0]));
        $$display("FAILED"); $$fatal(1);
      end
      steps_of[tr_neuron] <= steps_of[tr_neuron] + 1;
      update <= update + 1;
      saturations <= saturations + tr_saturations;
      if (update + 1 == most && most != UPDATES) begin
        $$display("PASSED so far: %0d updates of %0d", most, UPDATES); $$finish;
      end
    end
    if (out_valid && !rst) begin
      if (out_data !== results[answer]) begin
        $$display("result %0d: %0d, expected %0d", answer, out_data, $$signed(results[answer])); $$display("FAILED"); $$fatal(1);
      end
      answer <= answer + 1;
      if (answer == ANSWERS - 1) begin
        if (update == UPDATES && saturations == SATURATIONS)
          $$display("PASSED: %0d updates, %0d cycles a step", update, (cycle - $reset) / (SAMPLES * STEPS));
        else begin
          $$display("FAILED: %0d updates of %0d, %0d saturations of %0d", update, UPDATES, saturations, SATURATIONS);
          $$fatal(1);
        end
        $$finish;
      end
    end
    if (cycle > $limit) begin $$display("FAILED: the circuit stands still"); $$fatal(1); end
  end
endmodule
`default_nettype wire
