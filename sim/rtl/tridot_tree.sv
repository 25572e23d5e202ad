// Adder tree of one branch of an engine: LANES leaves to one sum, and to SEGMENTS sums at a tap.
//
// Level l adds pairs of level l - 1 and is one bit wider. Registers stand after every LEVELS_PER_STAGE levels
// from the leaves and after the last level; the tap has a register of its own where its level has none. With
// one lane there is no level, and the leaf is the sum.
module tridot_tree #(
    parameter int LANES = 4,
    parameter int LEAF_BITS = 9,
    parameter int LEVELS_PER_STAGE = 1,
    parameter int SEGMENTS = 1,
    // What follows from these; not to be set.
    parameter int LEVELS = $clog2(LANES),
    parameter int TAP = $clog2(LANES / SEGMENTS),
    parameter int STAGES = (LEVELS + LEVELS_PER_STAGE - 1) / LEVELS_PER_STAGE
) (
    input logic clk,
    input logic reset,
    // Stage i holds a sum of a step after the next edge; bit STAGES is not used here.
    input logic [STAGES:0] load,
    // The layer ends at the tap; no other loads a register that only the tap has.
    input logic segmented,
    input logic [LANES*LEAF_BITS-1:0] leaves,
    output logic [LEAF_BITS+LEVELS-1:0] sum,
    output logic [SEGMENTS*(LEAF_BITS+TAP)-1:0] taps
);
    for (genvar l = 1; l <= LEVELS; l++) begin : level
        localparam int WIDTH = LEAF_BITS + l;
        localparam int SUMS = LANES >> l;
        logic [2*SUMS*(WIDTH-1)-1:0] below;
        logic [SUMS*WIDTH-1:0] sums;
        logic [SUMS*WIDTH-1:0] held;

        if (l == 1) begin : from_leaves
            assign below = leaves;
        end else begin : from_level
            assign below = level[l-1].held;
        end

        for (genvar i = 0; i < SUMS; i++) begin : adder
            logic signed [WIDTH-1:0] left, right;
            assign left = WIDTH'($signed(below[2*i*(WIDTH-1)+:WIDTH-1]));
            assign right = WIDTH'($signed(below[(2*i+1)*(WIDTH-1)+:WIDTH-1]));
            assign sums[i*WIDTH+:WIDTH] = left + right;
        end

        if (l % LEVELS_PER_STAGE == 0 || l == LEVELS) begin : registered
            always_ff @(posedge clk) begin
                if (reset) held <= '0;
                else if (load[(l-1)/LEVELS_PER_STAGE]) held <= sums;
            end
        end else begin : wired
            assign held = sums;
        end
    end

    if (LEVELS == 0) begin : whole_is_leaf
        assign sum = leaves;
    end else begin : whole_is_level
        assign sum = level[LEVELS].held;
    end

    if (TAP == 0) begin : tap_is_leaves
        assign taps = leaves;
    end else if (TAP % LEVELS_PER_STAGE == 0 || TAP == LEVELS) begin : tap_is_registered
        assign taps = level[TAP].held;
    end else begin : tap_has_its_own
        always_ff @(posedge clk) begin
            if (reset) taps <= '0;
            else if (segmented && load[(TAP-1)/LEVELS_PER_STAGE]) taps <= level[TAP].sums;
        end
    end

    // The last bit of `load` keeps its width positive where there is no stage; few taps have a register.
    logic unused;
    assign unused = &{1'b0, load, segmented, clk, reset};
endmodule
