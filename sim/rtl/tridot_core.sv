// The machine from the memories' output registers to the output memory's write port: array, shadow bank, scalers.
//
// Steps come in while `enable` is high. A round, which is one hand-over of accumulators to the scalers, is
// described on the `round_*` ports until `move` is high at an edge.
module tridot_core #(
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int LANES = 4,
    parameter int BRANCHES = 1,
    parameter int LEVELS_PER_STAGE = 1,
    parameter int SLICE_BITS = 8,
    parameter int ACC_BITS = 32,
    parameter int GATE = 0,
    parameter int SEGMENTS = 1,
    parameter int MULTIPLIERS = 1,
    parameter int SCALER_STAGES = 4,
    parameter int SCALE_BITS = 16,
    // What follows from these; not to be set.
    parameter int ROW_BITS = $clog2(ROWS + 1),
    parameter int SEGMENT_BITS = $clog2(SEGMENTS + 1),
    parameter int VALUE_BITS = $clog2(BRANCHES + 1)
) (
    input logic clk,
    input logic reset,
    // The layer; constant from its reset to its last write.
    input logic layer_segmented,
    input logic layer_merged,
    input logic layer_raw,
    input logic [5:0] layer_shift,
    input logic signed [8:0] layer_low,
    input logic signed [8:0] layer_high,
    // The step at the memories' output registers, and whether these advance at the next edge.
    output logic enable,
    input logic step_valid,
    input logic step_signed,
    input logic step_first,
    input logic step_widen,
    input logic step_last,
    input logic [2:0] step_shift,
    input logic [ROWS*LANES*SLICE_BITS-1:0] step_codes,
    input logic [COLUMNS*BRANCHES*LANES*2-1:0] step_trits,
    // The next round, and whether it moves to the shadow bank at the next edge.
    output logic move,
    input logic [VALUE_BITS-1:0] round_values,
    input logic [ROW_BITS-1:0] round_rows,
    input logic [SEGMENT_BITS-1:0] round_segments,
    input logic round_starts,
    input logic round_ends,
    input logic [COLUMNS*SEGMENTS*BRANCHES*SCALE_BITS-1:0] round_scales,
    input logic [COLUMNS*SEGMENTS*48-1:0] round_biases,
    // The outputs written at the next edge.
    output logic [MULTIPLIERS-1:0] write_valid,
    output logic [MULTIPLIERS*ROW_BITS-1:0] write_row,
    output logic [MULTIPLIERS*SEGMENT_BITS-1:0] write_segment,
    output logic [COLUMNS*MULTIPLIERS*48-1:0] write_data,
    // What a move copies; for observation.
    output logic [COLUMNS*ROWS*BRANCHES*SEGMENTS*ACC_BITS-1:0] accumulators
);
    localparam int SLOT_BITS = $clog2(MULTIPLIERS + 1);

    logic complete, full, last;

    // The one global enable: low while a complete round finds the bank neither empty nor giving its last value.
    assign enable = !complete || !full || last;
    assign move = complete && enable;

    tridot_array #(
        .ROWS(ROWS),
        .COLUMNS(COLUMNS),
        .LANES(LANES),
        .BRANCHES(BRANCHES),
        .LEVELS_PER_STAGE(LEVELS_PER_STAGE),
        .SLICE_BITS(SLICE_BITS),
        .ACC_BITS(ACC_BITS),
        .GATE(GATE),
        .SEGMENTS(SEGMENTS)
    ) array (
        .clk(clk),
        .reset(reset),
        .enable(enable),
        .step_valid(step_valid),
        .step_signed(step_signed),
        .step_first(step_first),
        .step_widen(step_widen),
        .step_last(step_last),
        .step_shift(step_shift),
        .step_codes(step_codes),
        .step_trits(step_trits),
        .merged(layer_merged),
        .segmented(layer_segmented),
        .complete(complete),
        .accumulators(accumulators)
    );

    // The shadow bank, and beside the columns the parameter registers of its round.
    logic [COLUMNS*ROWS*BRANCHES*SEGMENTS*ACC_BITS-1:0] bank;
    logic [COLUMNS*SEGMENTS*BRANCHES*SCALE_BITS-1:0] scales;
    logic [COLUMNS*SEGMENTS*48-1:0] biases;
    always_ff @(posedge clk) begin
        if (reset) begin
            bank <= '0;
            scales <= '0;
            biases <= '0;
        end else if (move) begin
            bank <= accumulators;
            scales <= round_scales;
            biases <= round_biases;
        end
    end

    logic starts, ends;
    logic [MULTIPLIERS-1:0] slot_used, used;
    logic [MULTIPLIERS*ROW_BITS-1:0] slot_row;
    logic [MULTIPLIERS*SEGMENT_BITS-1:0] slot_segment;
    logic [MULTIPLIERS*SLOT_BITS-1:0] slot;
    logic [MULTIPLIERS*VALUE_BITS-1:0] value;
    tridot_drain #(
        .ROWS(ROWS),
        .BRANCHES(BRANCHES),
        .SEGMENTS(SEGMENTS),
        .MULTIPLIERS(MULTIPLIERS)
    ) drain (
        .clk(clk),
        .reset(reset),
        .move(move),
        .round_values(round_values),
        .round_rows(round_rows),
        .round_segments(round_segments),
        .round_starts(round_starts),
        .round_ends(round_ends),
        .full(full),
        .last(last),
        .starts(starts),
        .ends(ends),
        .slot_used(slot_used),
        .slot_row(slot_row),
        .slot_segment(slot_segment),
        .used(used),
        .slot(slot),
        .value(value)
    );

    tridot_scaler #(
        .ROWS(ROWS),
        .COLUMNS(COLUMNS),
        .BRANCHES(BRANCHES),
        .SEGMENTS(SEGMENTS),
        .ACC_BITS(ACC_BITS),
        .SCALE_BITS(SCALE_BITS),
        .MULTIPLIERS(MULTIPLIERS),
        .STAGES(SCALER_STAGES)
    ) scaler (
        .clk(clk),
        .reset(reset),
        .bank(bank),
        .scales(scales),
        .biases(biases),
        .take(full),
        .starts(starts),
        .ends(ends),
        .slot_used(slot_used),
        .slot_row(slot_row),
        .slot_segment(slot_segment),
        .used(used),
        .slot(slot),
        .value(value),
        .raw(layer_raw),
        .shift(layer_shift),
        .low(layer_low),
        .high(layer_high),
        .write_valid(write_valid),
        .write_row(write_row),
        .write_segment(write_segment),
        .write_data(write_data)
    );
endmodule
