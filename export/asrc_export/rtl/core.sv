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
  reg i0_begins; // clears the lists of its bank, before their first entry comes
  wire channel_end = channel == $channels - 1;
  reg open;
  assign in_ready = open;
$input_memory
  always_ff @(posedge clk) begin
    open <= !full[fill] && !draining && !(taken && channel_end); // a cycle late, and closed at once
    i0_begins <= taken && channel == 0;
    i0_v <= taken; i0_x <= in_data; i0_c <= channel; i0_end <= channel_end; i0_bank <= fill;
    if (taken && channel == 0) begin i0_first <= in_first; step_first[fill] <= in_first; step_last[fill] <= in_last; end
    if (taken) channel <= channel_end ? '0 : channel + 1'b1;
    if (taken && channel_end) draining <= 1'b1;
    i1_v <= i0_v; i1_c <= i0_c; i1_end <= i0_end; i1_bank <= i0_bank;
    i2_v <= i1_v; i2_c <= i1_c; i2_end <= i1_end; i2_bank <= i1_bank;
    if (release_bank) full[source] <= 1'b0;
    if (i2_v && i2_end) begin full[i2_bank] <= 1'b1; fill <= !i2_bank; draining <= 1'b0; end
    if (rst) begin full <= '0; fill <= 1'b0; channel <= '0; draining <= 1'b0; open <= 1'b0; i0_v <= 1'b0; i1_v <= 1'b0; i2_v <= 1'b0; end
  end
  // ------------------------------------------------------------------------------------------------ program
  // One instruction for each group of neurons and connection. The next one waits in `ahead`, where its layer is entered:
  // once the layer's last step is over, and no list that this empties is still walked over.
  (* ram_style = "block", rom_style = "block" *) reg [$word_top:0] program_rom [0:$last_instruction];
  initial $$readmemh("program.hex", program_rom);
  reg [$pc_top:0] pc;
  reg [$word_top:0] fetched, ahead, now;
  reg fetched_valid, ahead_valid, now_valid;
$fields
  wire finish, take;
  wire next = fetched_valid && (!ahead_valid || take);
  reg stepping; // to the instruction after it
  reg late, ahead_late, now_late; // a readout that has let the next step's first layer pass
$sequence
  reg fresh, aged, ready, enter, entering, entered, entered_late, results_full;
  reg [$layer_top:0] entering_layer;
  reg [$layers_top:0] busy;
  reg ahead_first, ahead_bank, ahead_wanted, ahead_source, passed_first, passed_wanted;
  reg first, bank, wanted, source;
  wire kept = ahead_layer == $readout && (ahead_late ? passed_wanted : ahead_wanted) && results_full;
  wire release_bank = finish && now_frees;
  assign take = ready && (!now_valid || finish);
  always_ff @(posedge clk) begin
    fetched <= program_rom[pc];
    fetched_valid <= !next && !stepping;
    stepping <= next;
    if (next) begin ahead <= fetched; ahead_late <= late; end
    ahead_valid <= next || (ahead_valid && !take);
    fresh <= next;
    aged <= !next && !take && (fresh || aged);
    enter <= ahead_valid && ahead_enters && !enter && !entered && (ahead_early || !now_valid)
      && !busy[ahead_layer] && (!ahead_begins || full[!ahead_source]) && !kept;
    entering <= enter;
    entering_layer <= ahead_layer;
    entered <= !next && (enter || entered);
    entered_late <= !next && entered;
    ready <= aged && !next && !take && (!ahead_enters || entered_late);
    if (enter) begin
      busy[ahead_layer] <= 1'b1;
      if (ahead_begins) begin
        ahead_first <= step_first[!ahead_source]; ahead_wanted <= step_last[!ahead_source];
        passed_first <= ahead_first; passed_wanted <= ahead_wanted;
        ahead_bank <= !ahead_bank; ahead_source <= !ahead_source;
      end
    end
    if (h_v && h_ends) busy[h_layer] <= 1'b0;
    if (take) begin
      now <= ahead; now_late <= ahead_late; bank <= ahead_bank; source <= ahead_source;
      first <= ahead_late ? passed_first : ahead_first; wanted <= ahead_late ? passed_wanted : ahead_wanted;
    end
    now_valid <= take || (now_valid && !finish);
    if (rst) begin
      fetched_valid <= 1'b0; stepping <= 1'b0; ahead_valid <= 1'b0; now_valid <= 1'b0; fresh <= 1'b0; aged <= 1'b0; ready <= 1'b0;
      enter <= 1'b0; entering <= 1'b0; entered <= 1'b0; entered_late <= 1'b0; busy <= '0;
      ahead_bank <= 1'b0; ahead_source <= 1'b1; ahead_first <= 1'b0; ahead_wanted <= 1'b0;
    end
  end
  // ------------------------------------------------------------------------------------------------ issue
  // Walks over the lists: a slot for each bit plane of each entry. What decides on an instruction's end is in registers.
  // A place is compared with its list's length of a cycle before: a list only grows, so that costs a cycle at most.
  reg [$index_top:0] i, i_next, i_after;
  reg [$plane_top:0] k;
  wire [$plane_top:0] k_next = k + 1'b1;
  reg [$count_top:0] n, n_ahead, n_taken;
  reg n_odd, n_done, ahead_odd, ahead_done, taken_odd, taken_done, taken_none, taken_one, taken_over, taken_final;
  reg at_end, at_last, plane_end, odd;
  reg over, final_entry; // of a whole list: nothing is left, or one entry
  reg free; // there is an instruction, and its last slot may go: the group before is far enough ahead
  reg [$gap_top:0] gap;
  reg gap_over;
  reg h_v, h_bank, h_starts, h_ends;
  reg [$layer_top:0] h_layer;
  reg p0_v, p0_last;
  assign finish = free && (over || (final_entry && plane_end));
  wire go = now_valid && !at_end && !(final_entry && plane_end && !free);
  wire onward = now_valid && !at_end && plane_end && (free || !final_entry);
  wire i_is_n = i == n, next_is_n = i_next == n, after_is_n = i_after == n;
  wire apart = gap_over && !p0_last;
  // What the neuron unit has to know of a group: the next one cannot overtake it, `gap` keeps them apart.
  reg [$neuron_top:0] p0_neuron, g_neuron;
  reg [$lanes_count_top:0] p0_neurons, g_neurons;
  reg [$layer_top:0] p0_layer, g_layer;
  reg p0_first, p0_step, p0_wanted, p0_starts, p0_ends, g_first, g_bank, g_wanted, g_starts, g_ends;
$counts
$p_declared
  always_ff @(posedge clk) begin
    if (gap != 0) gap <= gap - 1'b1;
    gap_over <= gap <= 1; // seen two cycles later
    free <= take ? !ahead_last || (apart && !now_last) : now_valid && !finish && (!now_last || apart);
    p0_v <= go;
    p0_last <= finish && now_last;
    p0_neuron <= now_neuron; p0_neurons <= now_neurons; p0_layer <= now_layer;
    p0_first <= first; p0_step <= bank; p0_wanted <= wanted; p0_starts <= now_layer_starts; p0_ends <= now_layer_ends;
    if (p0_last) begin
      gap <= p0_neurons > $depth ? p0_neurons - 2'd3 : $depth - 3; gap_over <= 1'b0;
      g_neuron <= p0_neuron; g_neurons <= p0_neurons; g_layer <= p0_layer;
      g_first <= p0_first; g_bank <= p0_step; g_wanted <= p0_wanted; g_starts <= p0_starts; g_ends <= p0_ends;
    end
    if (go) begin
      k <= plane_end ? '0 : k_next;
      plane_end <= (plane_end ? '0 : k_next) == now_planes;
    end
    if (onward) begin i <= i_next; i_next <= i_after; i_after <= i_after + 1'b1; end
    at_end <= onward ? next_is_n : i_is_n;
    at_last <= onward ? after_is_n : next_is_n;
    over <= n_done && (onward ? next_is_n : i_is_n);
    final_entry <= n_done && (onward ? after_is_n : next_is_n);
    {n, n_odd, n_done} <= counted_now;
    odd <= n_odd;
    {n_ahead, ahead_odd, ahead_done} <= counted_ahead;
    {n_taken, taken_odd, taken_done} <= {n_ahead, ahead_odd, ahead_done};
    taken_none <= n_ahead == 0; taken_one <= n_ahead == 1;
    taken_over <= ahead_done && n_ahead == 0; taken_final <= ahead_done && n_ahead == 1;
    if (take) begin
      i <= '0; i_next <= 1; i_after <= 2; k <= '0; plane_end <= ahead_planes == 0;
      at_end <= taken_none; at_last <= taken_one; over <= taken_over; final_entry <= taken_final;
      {n, n_odd, n_done, odd} <= {n_taken, taken_odd, taken_done, taken_odd};
    end
$p0
    if (rst) begin gap_over <= 1'b1; gap <= '0; free <= 1'b0; p0_v <= 1'b0; p0_last <= 1'b0; end
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
  (* ram_style = "block", no_rw_check *) reg [$states_top:0] state_memory [0:$last_neuron];
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
  (* ram_style = "block", no_rw_check *) reg signed [31:0] results [0:$last_class];
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
