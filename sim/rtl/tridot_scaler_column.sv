// The scaler of one column: multiply, add to the partial y, round and shift, clamp.
//
// The four parts are dealt to the stages in this order, one each; the last stage does all that remains, and
// stages past the fourth only carry.
module tridot_scaler_column #(
    parameter int ROWS = 1,
    parameter int BRANCHES = 1,
    parameter int SEGMENTS = 1,
    parameter int ACC_BITS = 32,
    parameter int SCALE_BITS = 16,
    parameter int MULTIPLIERS = 1,
    parameter int STAGES = 1,
    // What follows from these; not to be set.
    parameter int OPERAND_BITS = $clog2(ROWS * BRANCHES * SEGMENTS + 1),
    parameter int SCALE_INDEX_BITS = $clog2(SEGMENTS * BRANCHES + 1),
    parameter int SEGMENT_BITS = $clog2(SEGMENTS + 1),
    parameter int PARTIAL_BITS = $clog2(ROWS * SEGMENTS + 1),
    parameter int SLOT_BITS = $clog2(MULTIPLIERS + 1),
    parameter int CARRIED = STAGES < 4 ? 1 : STAGES - 3
) (
    input logic clk,
    input logic reset,
    // The column's part of the shadow bank, and its parameter registers.
    input logic [ROWS*BRANCHES*SEGMENTS*ACC_BITS-1:0] bank,
    input logic [SEGMENTS*BRANCHES*SCALE_BITS-1:0] scales,
    input logic [SEGMENTS*48-1:0] biases,
    // The take: of each multiplier, the operand and its m; of each slot, the bias.
    input logic take,
    input logic [MULTIPLIERS-1:0] used,
    input logic [MULTIPLIERS*OPERAND_BITS-1:0] operand_index,
    input logic [MULTIPLIERS*SCALE_INDEX_BITS-1:0] scale_index,
    input logic [MULTIPLIERS*SEGMENT_BITS-1:0] bias_index,
    // What is added, one stage later if there are two.
    input logic add,
    input logic add_starts,
    input logic [MULTIPLIERS-1:0] add_used,
    input logic [MULTIPLIERS*SLOT_BITS-1:0] add_slot,
    input logic [MULTIPLIERS-1:0] add_slot_used,
    input logic [MULTIPLIERS*PARTIAL_BITS-1:0] add_partial,
    // What is rounded and clamped, and moves on to the output.
    input logic round,
    input logic [CARRIED-1:0] clamp,
    // The layer.
    input logic raw,
    input logic [5:0] shift,
    input logic signed [8:0] low,
    input logic signed [8:0] high,
    output logic [MULTIPLIERS*48-1:0] outputs
);
    localparam int PRODUCT_BITS = ACC_BITS + SCALE_BITS;

    // Multiply.
    logic [MULTIPLIERS*PRODUCT_BITS-1:0] products;
    for (genvar j = 0; j < MULTIPLIERS; j++) begin : multiplier
        logic signed [ACC_BITS-1:0] operand;
        logic signed [SCALE_BITS-1:0] scale;
        logic signed [PRODUCT_BITS-1:0] product;
        // One without a value multiplies 0: what another takes does not reach it.
        assign operand = used[j] ? bank[operand_index[j*OPERAND_BITS+:OPERAND_BITS]*ACC_BITS+:ACC_BITS] : '0;
        assign scale = scales[scale_index[j*SCALE_INDEX_BITS+:SCALE_INDEX_BITS]*SCALE_BITS+:SCALE_BITS];
        assign product = operand * scale;
        tridot_stage #(
            .WIDTH(PRODUCT_BITS),
            .DEPTH(STAGES < 2 ? 0 : 1)
        ) register (
            .clk(clk),
            .reset(reset),
            .load(take && used[j]),
            .d(product),
            .q(products[j*PRODUCT_BITS+:PRODUCT_BITS])
        );
    end

    // Add to the partial y, or to the bias.
    logic [ROWS*SEGMENTS*48-1:0] partials;
    logic [MULTIPLIERS*48-1:0] sums;
    for (genvar i = 0; i < MULTIPLIERS; i++) begin : slot
        logic [47:0] bias, start, sum;
        // An operand without sign would make a whole expression unsigned, so all of these have one.
        logic signed [47:0] y, half, shifted, ended, rounded, least, most, clamped;

        // The parameter registers may belong to the next round already when the bias is added.
        tridot_stage #(
            .WIDTH(48),
            .DEPTH(STAGES < 2 ? 0 : 1)
        ) bias_register (
            .clk(clk),
            .reset(reset),
            .load(take),
            .d(biases[bias_index[i*SEGMENT_BITS+:SEGMENT_BITS]*48+:48]),
            .q(bias)
        );

        assign start = add_starts ? bias : partials[add_partial[i*PARTIAL_BITS+:PARTIAL_BITS]*48+:48];
        always_comb begin
            sum = start;
            for (int j = 0; j < MULTIPLIERS; j = j + 1)
                if (add_used[j] && add_slot[j*SLOT_BITS+:SLOT_BITS] == SLOT_BITS'(i))
                    sum = sum + 48'($signed(products[j*PRODUCT_BITS+:PRODUCT_BITS]));
        end
        assign sums[i*48+:48] = sum;

        tridot_stage #(
            .WIDTH(48),
            .DEPTH(STAGES < 3 ? 0 : 1)
        ) y_register (
            .clk(clk),
            .reset(reset),
            .load(add && add_slot_used[i]),
            .d(sum),
            .q(y)
        );

        // Round half up and shift.
        assign half = 48'sd1 << (shift - 6'd1);
        assign shifted = (y + half) >>> shift;
        assign ended = raw ? y : shifted;
        tridot_stage #(
            .WIDTH(48),
            .DEPTH(STAGES < 4 ? 0 : 1)
        ) rounded_register (
            .clk(clk),
            .reset(reset),
            .load(round),
            .d(ended),
            .q(rounded)
        );

        // Clamp.
        assign least = 48'(low);
        assign most = 48'(high);
        assign clamped =
            raw ? rounded : rounded < least ? least : most < rounded ? most : rounded;
        tridot_stage #(
            .WIDTH(48),
            .DEPTH(CARRIED)
        ) output_register (
            .clk(clk),
            .reset(reset),
            .load(clamp),
            .d(clamped),
            .q(outputs[i*48+:48])
        );
    end

    always_ff @(posedge clk) begin
        if (reset) partials <= '0;
        else if (add) begin
            for (int i = 0; i < MULTIPLIERS; i = i + 1)
                if (add_slot_used[i])
                    partials[add_partial[i*PARTIAL_BITS+:PARTIAL_BITS]*48+:48] <= sums[i*48+:48];
        end
    end

    // Where parts share a stage, some of these load nothing.
    logic unused;
    assign unused = &{1'b0, take, round};
endmodule
