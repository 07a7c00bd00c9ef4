// $title: $neurons neurons, $synapses synapses, $lanes lanes, $pipes events a cycle. Printed by asrc-export --verilog.
// Input: a beat for each channel and step, `in_first` and `in_last` with a step's first channel: of a sample, its first
// step and any whose result is wanted. Output: a beat for each class. `tr_*` shows every neuron as it is updated.
`default_nettype none
module asrc_core (
  input  wire clk,
  input  wire rst,
  input  wire in_valid,
  output wire in_ready,
  input  wire signed [$x_top:0] in_data,
  input  wire in_first,
  input  wire in_last,
  output wire out_valid,
  input  wire out_ready,
  output wire signed [31:0] out_data,
  output wire out_last,
$load_ports
  output reg  tr_valid,
  output reg  [$layer_top:0] tr_layer,
  output reg  [$neuron_top:0] tr_neuron,
  output reg  signed [7:0] tr_sent,
  output reg  signed [31:0] tr_shown,
  output reg  [7:0] tr_saturations
);
  // ------------------------------------------------------------------------------------------------ input
  // A step's values become lists, one step ahead of the step that is computed: two banks, filled in turns.
  reg fill, draining;
  reg [1:0] full, step_first, step_last;
  reg [$channel_top:0] channel;
  reg i0_v, i1_v, i2_v, i0_end, i1_end, i2_end, i0_first, i0_bank, i1_bank, i2_bank;
  reg signed [$x_top:0] i0_x;
  reg [$channel_top:0] i0_c, i1_c, i2_c;
  wire taken = in_valid && in_ready;
  wire step_begins = taken && channel == 0;
  wire channel_end = channel == $channels - 1;
  wire release_bank;
  reg read_bank;
  assign in_ready = !full[fill] && !draining;
$input_memory
  always_ff @(posedge clk) begin
    i0_v <= taken; i0_x <= in_data; i0_c <= channel; i0_end <= channel_end; i0_bank <= fill;
    if (step_begins) begin i0_first <= in_first; step_first[fill] <= in_first; step_last[fill] <= in_last; end
    if (taken) channel <= channel_end ? '0 : channel + 1'b1;
    if (taken && channel_end) draining <= 1'b1;
    i1_v <= i0_v; i1_c <= i0_c; i1_end <= i0_end; i1_bank <= i0_bank;
    i2_v <= i1_v; i2_c <= i1_c; i2_end <= i1_end; i2_bank <= i1_bank;
    if (release_bank) full[read_bank] <= 1'b0;
    if (i2_v && i2_end) begin full[i2_bank] <= 1'b1; fill <= !i2_bank; draining <= 1'b0; end
    if (rst) begin full <= '0; fill <= 1'b0; channel <= '0; draining <= 1'b0; i0_v <= 1'b0; i1_v <= 1'b0; i2_v <= 1'b0; end
  end
  // ------------------------------------------------------------------------------------------------ program
  // One instruction for each group of neurons and connection; the next one waits in `ahead`.
  (* ram_style = "block", rom_style = "block" *) reg [$word_top:0] program_rom [0:$last_instruction];
  initial $$readmemh("program.hex", program_rom);
  reg [$pc_top:0] pc;
  reg [$word_top:0] fetched, ahead, now;
  reg fetched_valid, ahead_valid, now_valid;
$fields
  wire take;
  wire fetch = fetched_valid && !ahead_valid;
  always_ff @(posedge clk) begin
    fetched <= program_rom[pc];
    fetched_valid <= !fetch;
    if (fetch) begin
      ahead <= fetched; ahead_valid <= 1'b1;
      pc <= pc == $last_instruction ? '0 : pc + 1'b1;
    end
    if (take) begin now <= ahead; now_valid <= 1'b1; ahead_valid <= 1'b0; end
    if (rst) begin pc <= '0; fetched_valid <= 1'b0; ahead_valid <= 1'b0; now_valid <= 1'b0; end
  end
  // ------------------------------------------------------------------------------------------------ issue
  // Walks over the lists: a slot for each bit plane of each entry. A layer is entered once its last step is over.
  // A place is compared with its list's length of the cycle before: a list only grows, so that costs a cycle at most.
  reg entered, entering, settling, settled, first, bank, wanted;
  reg [$index_top:0] i, i_next, i_after;
  reg [$plane_top:0] k;
  wire [$plane_top:0] k_next = k + 1'b1;
  reg [$count_top:0] n, n_ahead;
  reg n_odd, n_done, ahead_odd, ahead_done;
  reg at_end, at_last, plane_end, odd, whole, may_move;
  reg [$gap_top:0] gap;
  reg gap_over;
  reg [$layers_top:0] busy;
  reg h_v, h_bank, h_starts, h_ends;
  reg [$layer_top:0] h_layer;
  reg results_full;
  wire listed = !at_end;
  wire moving = whole && (at_end || (plane_end && at_last));
  wire go = settled && !(moving && !may_move);
  wire moves = settled && moving && may_move;
  assign take = may_move && (!now_valid || (settled && moving));
  wire wanted_now = now_begins ? step_last[read_bank] : wanted;
  wire enter = now_valid && !entered && !busy[now_layer] && (!now_begins || full[read_bank])
    && !(now_layer == $readout && wanted_now && results_full);
  reg [$layer_top:0] entering_layer;
  assign release_bank = moves && now_ends;
$counts
  reg p0_v, p0_last;
$p_declared
  always_ff @(posedge clk) begin
    entering <= enter;
    entering_layer <= now_layer;
    gap_over <= gap <= 2; // seen a cycle later
    may_move <= ahead_valid && (!now_last || gap_over) && !take;
    if (enter) begin
      entered <= 1'b1;
      busy[now_layer] <= 1'b1;
      if (now_begins) begin first <= step_first[read_bank]; wanted <= step_last[read_bank]; bank <= !bank; end
    end
    settling <= entered && !entering && !(take && ahead_enters);
    settled <= settling && !(take && ahead_enters);
    if (h_v && h_ends) busy[h_layer] <= 1'b0;
    if (gap != 0) gap <= gap - 1'b1;
    p0_v <= go && listed;
    p0_last <= moves && now_last;
    if (go && listed) begin
      k <= plane_end ? '0 : k_next;
      plane_end <= (plane_end ? '0 : k_next) == now_planes;
      if (plane_end) begin i <= i_next; i_next <= i_after; i_after <= i_after + 1'b1; end
    end
    at_end <= (go && listed && plane_end ? i_next : i) == n;
    at_last <= (go && listed && plane_end ? i_after : i_next) == n;
    {n, n_odd, n_done} <= counted_now;
    odd <= n_odd;
    whole <= n_done;
    if (moves && now_last) begin gap <= now_neurons > $depth ? now_neurons - 1'b1 : $depth - 1; gap_over <= 1'b0; end
    if (take) begin
      entered <= !ahead_enters;
      i <= '0; i_next <= 1; i_after <= 2; k <= '0; plane_end <= ahead_planes == 0;
      at_end <= n_ahead == 0; at_last <= n_ahead == 1;
      {n, n_odd, n_done, odd, whole} <= {n_ahead, ahead_odd, ahead_done, ahead_odd, ahead_done};
    end
    {n_ahead, ahead_odd, ahead_done} <= counted_ahead;
    if (release_bank) read_bank <= !read_bank;
$p0
    if (rst) begin
      entered <= 1'b0; may_move <= 1'b0; settling <= 1'b0; settled <= 1'b0; entering <= 1'b0; gap_over <= 1'b1; busy <= '0; bank <= 1'b0; read_bank <= 1'b0; gap <= '0;
      p0_v <= 1'b0; p0_last <= 1'b0; wanted <= 1'b0; first <= 1'b0;
    end
  end
  // What the neuron unit has to know of a group: the next one cannot overtake it, `gap` keeps them apart.
  reg [$neuron_top:0] g_neuron;
  reg [$lanes_count_top:0] g_neurons;
  reg [$layer_top:0] g_layer;
  reg g_first, g_bank, g_wanted, g_starts, g_ends;
  always_ff @(posedge clk) if (moves && now_last) begin
    g_neuron <= now_neuron; g_neurons <= now_neurons; g_layer <= now_layer;
    g_first <= first; g_bank <= bank; g_wanted <= wanted; g_starts <= now_layer_starts; g_ends <= now_layer_ends;
  end
  // ------------------------------------------------------------------------------------------------ lists
$list_memories
  // ------------------------------------------------------------------------------------------------ weights
$weights
  // ------------------------------------------------------------------------------------------------ lanes
$lanes_text
  // ------------------------------------------------------------------------------------------------ neuron units
  reg [$lanes_count_top:0] left;
  reg [$neuron_top:0] u_neuron;
  reg [$sums_top:0] waiting [0:$lane_last];
  reg [$layer_top:0] u_layer;
  reg u_first, u_bank, u_wanted, u_ends, u_starts;
  integer q;
  always_ff @(posedge clk) begin
    if (ship) begin
      left <= g_neurons; u_neuron <= g_neuron; u_layer <= g_layer;
      u_first <= g_first; u_bank <= g_bank; u_wanted <= g_wanted; u_ends <= g_ends; u_starts <= g_starts;
    end else if (left != 0) begin
      left <= left - 1'b1; u_neuron <= u_neuron + 1'b1; u_starts <= 1'b0;
    end
    for (q = 0; q <= $lane_last; q = q + 1)
      if (ship) waiting[q] <= lane_sums[q * $sums +: $sums];
      else waiting[q] <= q == $lane_last ? '0 : waiting[q == $lane_last ? q : q + 1];
    if (rst) left <= '0;
  end
$stages
  (* ram_style = "block" *) reg [$states_top:0] state_memory [0:$last_neuron];
  reg [$states_top:0] state_read, state_now;
  always_ff @(posedge clk) begin
    state_read <= state_memory[e0_neuron];
    state_now <= e1_first ? '0 : state_read;
    if (e${latency}_v) state_memory[e${latency}_neuron] <= states_after;
  end
$units
  always_ff @(posedge clk) begin
    tr_valid <= e${latency}_v; tr_layer <= e${latency}_layer; tr_neuron <= e${latency}_neuron;
    tr_sent <= $signed_sent; tr_shown <= shown; tr_saturations <= saturations;
  end
  // ------------------------------------------------------------------------------------------------ history
$history
  // ------------------------------------------------------------------------------------------------ results
  (* ram_style = "block" *) reg signed [31:0] results [0:$last_class];
  reg [$class_top:0] result_in, result_out;
  reg signed [31:0] result_read, result_now;
  reg [1:0] result_state;
  wire result_write = e${latency}_v && e${latency}_layer == $readout && e${latency}_wanted;
  assign out_valid = result_state == 2'd3;
  assign out_data = result_now;
  assign out_last = result_out == $last_class;
  always_ff @(posedge clk) begin
    result_read <= results[result_out]; result_now <= result_read;
    if (result_write) begin
      results[result_in] <= shown;
      result_in <= result_in == $last_class ? '0 : result_in + 1'b1;
      if (result_in == $last_class) begin results_full <= 1'b1; result_out <= '0; result_state <= 2'd1; end
    end
    if (result_state == 2'd1) result_state <= 2'd2;
    if (result_state == 2'd2) result_state <= 2'd3;
    if (out_valid && out_ready) begin
      result_out <= result_out + 1'b1;
      result_state <= out_last ? 2'd0 : 2'd1;
      if (out_last) results_full <= 1'b0;
    end
    if (rst) begin result_in <= '0; result_out <= '0; result_state <= '0; results_full <= 1'b0; end
  end
endmodule
`default_nettype wire
