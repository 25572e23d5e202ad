// The scalers of all columns, in lockstep: one pipeline of control, a data path a column, the write port.
module tridot_scaler #(
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int BRANCHES = 1,
    parameter int SEGMENTS = 1,
    parameter int ACC_BITS = 32,
    parameter int SCALE_BITS = 16,
    parameter int MULTIPLIERS = 1,
    parameter int STAGES = 1,
    // What follows from these; not to be set.
    parameter int ROW_BITS = $clog2(ROWS + 1),
    parameter int SEGMENT_BITS = $clog2(SEGMENTS + 1),
    parameter int VALUE_BITS = $clog2(BRANCHES + 1),
    parameter int SLOT_BITS = $clog2(MULTIPLIERS + 1)
) (
    input logic clk,
    input logic reset,
    // The shadow bank and the parameter registers of its round, column by column.
    input logic [COLUMNS*ROWS*BRANCHES*SEGMENTS*ACC_BITS-1:0] bank,
    input logic [COLUMNS*SEGMENTS*BRANCHES*SCALE_BITS-1:0] scales,
    input logic [COLUMNS*SEGMENTS*48-1:0] biases,
    // The take at the next edge, as `tridot_drain` deals it.
    input logic take,
    input logic starts,
    input logic ends,
    input logic [MULTIPLIERS-1:0] slot_used,
    input logic [MULTIPLIERS*ROW_BITS-1:0] slot_row,
    input logic [MULTIPLIERS*SEGMENT_BITS-1:0] slot_segment,
    input logic [MULTIPLIERS-1:0] used,
    input logic [MULTIPLIERS*SLOT_BITS-1:0] slot,
    input logic [MULTIPLIERS*VALUE_BITS-1:0] value,
    // The layer.
    input logic raw,
    input logic [5:0] shift,
    input logic signed [8:0] low,
    input logic signed [8:0] high,
    // The outputs written at the next edge: slot i of column q at (q * MULTIPLIERS + i) * 48.
    output logic [MULTIPLIERS-1:0] write_valid,
    output logic [MULTIPLIERS*ROW_BITS-1:0] write_row,
    output logic [MULTIPLIERS*SEGMENT_BITS-1:0] write_segment,
    output logic [COLUMNS*MULTIPLIERS*48-1:0] write_data
);
    localparam int OPERAND_BITS = $clog2(ROWS * BRANCHES * SEGMENTS + 1);
    localparam int SCALE_INDEX_BITS = $clog2(SEGMENTS * BRANCHES + 1);
    localparam int PARTIAL_BITS = $clog2(ROWS * SEGMENTS + 1);
    // The stage of each part after the multiplication, and the stages from the clamp's on.
    localparam int ADD = STAGES < 2 ? STAGES - 1 : 1;
    localparam int ROUND = STAGES < 3 ? STAGES - 1 : 2;
    localparam int CLAMP = STAGES < 4 ? STAGES - 1 : 3;
    localparam int CARRIED = STAGES - CLAMP;
    localparam int BANK = ROWS * BRANCHES * SEGMENTS * ACC_BITS;
    localparam int SCALES = SEGMENTS * BRANCHES * SCALE_BITS;

    // Where each multiplier finds its operand and its m, and each slot its partial y.
    logic [MULTIPLIERS*OPERAND_BITS-1:0] operand_index;
    logic [MULTIPLIERS*SCALE_INDEX_BITS-1:0] scale_index;
    logic [MULTIPLIERS*PARTIAL_BITS-1:0] partial_index;
    for (genvar j = 0; j < MULTIPLIERS; j++) begin : place
        logic [ROW_BITS-1:0] row;
        logic [SEGMENT_BITS-1:0] segment;
        assign row = slot_row[slot[j*SLOT_BITS+:SLOT_BITS]*ROW_BITS+:ROW_BITS];
        assign segment = slot_segment[slot[j*SLOT_BITS+:SLOT_BITS]*SEGMENT_BITS+:SEGMENT_BITS];
        assign operand_index[j*OPERAND_BITS+:OPERAND_BITS] = OPERAND_BITS'(
            (32'(row) * BRANCHES + 32'(value[j*VALUE_BITS+:VALUE_BITS])) * SEGMENTS + 32'(segment));
        assign scale_index[j*SCALE_INDEX_BITS+:SCALE_INDEX_BITS] =
            SCALE_INDEX_BITS'(32'(segment) * BRANCHES + 32'(value[j*VALUE_BITS+:VALUE_BITS]));
        assign partial_index[j*PARTIAL_BITS+:PARTIAL_BITS] = PARTIAL_BITS'(
            32'(slot_row[j*ROW_BITS+:ROW_BITS]) * SEGMENTS
            + 32'(slot_segment[j*SEGMENT_BITS+:SEGMENT_BITS]));
    end

    // Bit i: a take enters stage i at the next edge; bit STAGES: its outputs are at the write port.
    logic [STAGES:0] enters;
    assign enters[0] = take;
    for (genvar i = 0; i < STAGES; i++) begin : stage
        logic held;
        always_ff @(posedge clk) begin
            if (reset) held <= 1'b0;
            else held <= enters[i];
        end
        assign enters[i+1] = held;
    end

    // What the addition needs to know.
    logic add_starts;
    logic [MULTIPLIERS-1:0] add_used, add_slot_used;
    logic [MULTIPLIERS*SLOT_BITS-1:0] add_slot;
    logic [MULTIPLIERS*PARTIAL_BITS-1:0] add_partial;
    tridot_stage #(
        .WIDTH(1 + MULTIPLIERS * (2 + SLOT_BITS + PARTIAL_BITS)),
        .DEPTH(STAGES < 2 ? 0 : 1)
    ) add_word (
        .clk(clk),
        .reset(reset),
        .load(take),
        .d({starts, used, slot_used, slot, partial_index}),
        .q({add_starts, add_used, add_slot_used, add_slot, add_partial})
    );

    // What the write port needs to know.
    logic write_ends;
    logic [MULTIPLIERS-1:0] write_slot_used;
    tridot_stage #(
        .WIDTH(1 + MULTIPLIERS * (1 + ROW_BITS + SEGMENT_BITS)),
        .DEPTH(STAGES)
    ) write_word (
        .clk(clk),
        .reset(reset),
        .load(enters[STAGES-1:0]),
        .d({ends, slot_used, slot_row, slot_segment}),
        .q({write_ends, write_slot_used, write_row, write_segment})
    );
    assign write_valid = enters[STAGES] && write_ends ? write_slot_used : '0;

    for (genvar q = 0; q < COLUMNS; q++) begin : column
        tridot_scaler_column #(
            .ROWS(ROWS),
            .BRANCHES(BRANCHES),
            .SEGMENTS(SEGMENTS),
            .ACC_BITS(ACC_BITS),
            .SCALE_BITS(SCALE_BITS),
            .MULTIPLIERS(MULTIPLIERS),
            .STAGES(STAGES)
        ) scaler (
            .clk(clk),
            .reset(reset),
            .bank(bank[q*BANK+:BANK]),
            .scales(scales[q*SCALES+:SCALES]),
            .biases(biases[q*SEGMENTS*48+:SEGMENTS*48]),
            .take(take),
            .used(used),
            .operand_index(operand_index),
            .scale_index(scale_index),
            .bias_index(slot_segment),
            .add(enters[ADD]),
            .add_starts(add_starts),
            .add_used(add_used),
            .add_slot(add_slot),
            .add_slot_used(add_slot_used),
            .add_partial(add_partial),
            .round(enters[ROUND]),
            .clamp(enters[CLAMP+:CARRIED]),
            .raw(raw),
            .shift(shift),
            .low(low),
            .high(high),
            .outputs(write_data[q*MULTIPLIERS*48+:MULTIPLIERS*48])
        );
    end
endmodule
