// The order in which the scalers take the values of the shadow bank; the same in all columns.
//
// Outputs go row by row, within a row segment by segment. Where one output's values fill no more than half of
// the multipliers, several whole outputs are taken at once, else at most MULTIPLIERS values of one output.
module tridot_drain #(
    parameter int ROWS = 1,
    parameter int BRANCHES = 1,
    parameter int SEGMENTS = 1,
    parameter int MULTIPLIERS = 1,
    // What follows from these; not to be set.
    parameter int ROW_BITS = $clog2(ROWS + 1),
    parameter int SEGMENT_BITS = $clog2(SEGMENTS + 1),
    parameter int VALUE_BITS = $clog2(BRANCHES + 1),
    parameter int SLOT_BITS = $clog2(MULTIPLIERS + 1)
) (
    input logic clk,
    input logic reset,
    // A round moves to the bank at the next edge: values of an output, rows and segments with an output,
    // whether y starts as bias, whether its outputs are complete with it.
    input logic move,
    input logic [VALUE_BITS-1:0] round_values,
    input logic [ROW_BITS-1:0] round_rows,
    input logic [SEGMENT_BITS-1:0] round_segments,
    input logic round_starts,
    input logic round_ends,
    // The bank has values; it gives its last at the next edge.
    output logic full,
    output logic last,
    // The take at the next edge.
    output logic starts,
    output logic ends,
    // Outputs: slot i.
    output logic [MULTIPLIERS-1:0] slot_used,
    output logic [MULTIPLIERS*ROW_BITS-1:0] slot_row,
    output logic [MULTIPLIERS*SEGMENT_BITS-1:0] slot_segment,
    // Multiplier j works for this slot, on this value of the output; those used stay so after the last take.
    output logic [MULTIPLIERS-1:0] used,
    output logic [MULTIPLIERS*SLOT_BITS-1:0] slot,
    output logic [MULTIPLIERS*VALUE_BITS-1:0] value
);
    logic [VALUE_BITS-1:0] values, first_value;
    logic [ROW_BITS-1:0] rows, row, next_row;
    logic [SEGMENT_BITS-1:0] segments, segment, next_segment;
    logic round_starts_held, round_ends_held;

    localparam int THERE_BITS = MULTIPLIERS < 2 ? 1 : $clog2(MULTIPLIERS);

    // Slots with an output, and how the multipliers are dealt for each number of values of an output. Both hold on after
    // the last take, as the place does.
    logic [MULTIPLIERS-1:0] there;
    logic last_value;
    logic [MULTIPLIERS-1:0] dealt;
    logic [SLOT_BITS-1:0] outputs_at_once;
    always_comb begin
        outputs_at_once = SLOT_BITS'(1);
        last_value = 32'(first_value) + MULTIPLIERS >= 32'(values);
        dealt = '0;
        slot = '0;
        value = '0;
        for (int p = 1; p <= BRANCHES; p = p + 1) begin
            if (values == VALUE_BITS'(p)) begin
                if (2 * p <= MULTIPLIERS) outputs_at_once = SLOT_BITS'(MULTIPLIERS / p);
                for (int j = 0; j < MULTIPLIERS; j = j + 1) begin
                    if (2 * p <= MULTIPLIERS) begin
                        dealt[j] = j < MULTIPLIERS / p * p;
                        slot[j*SLOT_BITS+:SLOT_BITS] = SLOT_BITS'(j / p);
                        value[j*VALUE_BITS+:VALUE_BITS] = VALUE_BITS'(j % p);
                    end else begin
                        dealt[j] = 32'(first_value) + j < p;
                        value[j*VALUE_BITS+:VALUE_BITS] = first_value + VALUE_BITS'(j);
                    end
                end
            end
        end
    end

    // Slot after slot, the next output in order.
    always_comb begin
        next_row = row;
        next_segment = segment;
        for (int i = 0; i < MULTIPLIERS; i = i + 1) begin
            there[i] = i < 32'(outputs_at_once) && next_row != rows;
            slot_row[i*ROW_BITS+:ROW_BITS] = next_row;
            slot_segment[i*SEGMENT_BITS+:SEGMENT_BITS] = next_segment;
            if (there[i] && last_value) begin
                next_segment = next_segment + SEGMENT_BITS'(1);
                if (next_segment == segments) begin
                    next_segment = '0;
                    next_row = next_row + ROW_BITS'(1);
                end
            end
        end
    end

    assign slot_used = full ? there : '0;
    always_comb
        for (int j = 0; j < MULTIPLIERS; j = j + 1)
            used[j] = dealt[j] && there[slot[j*SLOT_BITS+:THERE_BITS]];

    assign last = full && next_row == rows;
    assign starts = round_starts_held && first_value == '0;
    assign ends = round_ends_held && last_value;

    always_ff @(posedge clk) begin
        if (reset) full <= 1'b0;
        else if (move) full <= 1'b1;
        else if (last) full <= 1'b0;
    end

    // After the last take the place stays, so that the multipliers keep their operands until the next round.
    always_ff @(posedge clk) begin
        if (reset || move) begin
            row <= '0;
            segment <= '0;
            first_value <= '0;
        end else if (full && !last) begin
            row <= next_row;
            segment <= next_segment;
            first_value <= last_value ? '0 : first_value + VALUE_BITS'(MULTIPLIERS);
        end
    end

    always_ff @(posedge clk) begin
        if (reset) begin
            values <= '0;
            rows <= '0;
            segments <= '0;
            round_starts_held <= 1'b0;
            round_ends_held <= 1'b0;
        end else if (move) begin
            values <= round_values;
            rows <= round_rows;
            segments <= round_segments;
            round_starts_held <= round_starts;
            round_ends_held <= round_ends;
        end
    end
endmodule
