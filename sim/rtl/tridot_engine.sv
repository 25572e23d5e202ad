// One ternary dot-product engine: operand registers, leaves, a tree a branch, accumulators.
//
// A trit is two bits of two's complement: 00 is 0, 01 is +1, 11 is -1.
module tridot_engine #(
    parameter int LANES = 4,
    parameter int BRANCHES = 1,
    parameter int LEVELS_PER_STAGE = 1,
    parameter int SLICE_BITS = 8,
    parameter int ACC_BITS = 32,
    parameter int GATE = 0,
    parameter int SEGMENTS = 1,
    // What follows from these; not to be set.
    parameter int LEVELS = $clog2(LANES),
    parameter int STAGES = (LEVELS + LEVELS_PER_STAGE - 1) / LEVELS_PER_STAGE
) (
    input logic clk,
    input logic reset,
    // Row and column bus.
    input logic [LANES*SLICE_BITS-1:0] codes,
    input logic [BRANCHES*LANES*2-1:0] trits,
    // The step on the bus enters the operand registers (GATE).
    input logic operand_load,
    // The step at the leaves: its trits, and whether its codes are two's complement.
    input logic [BRANCHES*LANES*2-1:0] leaf_trits,
    input logic leaf_signed,
    input logic [STAGES:0] tree_load,
    // The step at the accumulators.
    input logic acc_load,
    input logic acc_first,
    input logic acc_widen,
    input logic [2:0] acc_shift,
    // The layer: branches merge into the first; the tree ends at the tap.
    input logic merged,
    input logic segmented,
    // Segment g of branch b at (b * SEGMENTS + g) * ACC_BITS.
    output logic [BRANCHES*SEGMENTS*ACC_BITS-1:0] accumulators
);
    localparam int LEAF_BITS = SLICE_BITS + 1;
    localparam int SUM_BITS = LEAF_BITS + LEVELS;
    localparam int TAP_BITS = LEAF_BITS + $clog2(LANES / SEGMENTS);

    // The sums of all branches and segments as the accumulators see them. All that follows is exact modulo
    // 2^ACC_BITS.
    logic [BRANCHES*SEGMENTS*ACC_BITS-1:0] sums;

    for (genvar b = 0; b < BRANCHES; b++) begin : branch
        logic [LANES*LEAF_BITS-1:0] leaves;
        logic [SUM_BITS-1:0] sum;
        logic [SEGMENTS*TAP_BITS-1:0] taps;

        for (genvar n = 0; n < LANES; n++) begin : lane
            logic [1:0] trit;
            logic [SLICE_BITS-1:0] code;
            logic [LEAF_BITS-1:0] extended;
            assign trit = leaf_trits[(b*LANES+n)*2+:2];

            if (GATE != 0) begin : gated
                logic [SLICE_BITS-1:0] operand;
                always_ff @(posedge clk) begin
                    if (reset) operand <= '0;
                    else if (operand_load && trits[(b*LANES+n)*2])
                        operand <= codes[n*SLICE_BITS+:SLICE_BITS];
                end
                assign code = operand;
            end else begin : wired
                assign code = codes[n*SLICE_BITS+:SLICE_BITS];
            end

            assign extended = {leaf_signed & code[SLICE_BITS-1], code};
            assign leaves[n*LEAF_BITS+:LEAF_BITS] =
                !trit[0] ? '0 : trit[1] ? -extended : extended;
        end

        tridot_tree #(
            .LANES(LANES),
            .LEAF_BITS(LEAF_BITS),
            .LEVELS_PER_STAGE(LEVELS_PER_STAGE),
            .SEGMENTS(SEGMENTS)
        ) tree (
            .clk(clk),
            .reset(reset),
            .load(tree_load),
            .segmented(segmented),
            .leaves(leaves),
            .sum(sum),
            .taps(taps)
        );

        // Narrow accumulators drop the top bits of wide sums.
        logic unused_top;
        assign unused_top = &{1'b0, sum, taps};

        for (genvar g = 0; g < SEGMENTS; g++) begin : segment
            logic [ACC_BITS-1:0] whole, tap;
            assign whole = g == 0 ? ACC_BITS'($signed(sum)) : '0;
            assign tap = ACC_BITS'($signed(taps[g*TAP_BITS+:TAP_BITS]));
            assign sums[(b*SEGMENTS+g)*ACC_BITS+:ACC_BITS] = segmented ? tap : whole;
        end
    end

    for (genvar g = 0; g < SEGMENTS; g++) begin : accumulate
        // Branch b counts 2^b where branches merge.
        logic [ACC_BITS-1:0] merged_sum;
        always_comb begin
            merged_sum = '0;
            for (int b = 0; b < BRANCHES; b = b + 1)
                merged_sum = merged_sum + (sums[(b*SEGMENTS+g)*ACC_BITS+:ACC_BITS] << b);
        end

        for (genvar b = 0; b < BRANCHES; b++) begin : branch_of
            logic [ACC_BITS-1:0] accumulator, kept, sum;
            assign sum = b == 0 && merged ? merged_sum : sums[(b*SEGMENTS+g)*ACC_BITS+:ACC_BITS];
            assign kept = acc_first ? '0 : acc_widen ? accumulator << BRANCHES : accumulator;
            always_ff @(posedge clk) begin
                if (reset) accumulator <= '0;
                else if (acc_load && (segmented || g == 0) && (!merged || b == 0))
                    accumulator <= kept + (sum << acc_shift);
            end
            assign accumulators[(b*SEGMENTS+g)*ACC_BITS+:ACC_BITS] = accumulator;
        end
    end

    // Without operand registers the bus's trits are the leaves' trits.
    logic unused;
    assign unused = &{1'b0, operand_load, trits};
endmodule
