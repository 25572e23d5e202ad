// ROWS x COLUMNS engines with their row and column buses, and the pipeline of what each step is.
//
// All registers advance while `enable` is high and keep their values while it is low.
module tridot_array #(
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int LANES = 4,
    parameter int BRANCHES = 1,
    parameter int LEVELS_PER_STAGE = 1,
    parameter int SLICE_BITS = 8,
    parameter int ACC_BITS = 32,
    parameter int GATE = 0,
    parameter int SEGMENTS = 1
) (
    input logic clk,
    input logic reset,
    input logic enable,
    // The step at the memories' output registers.
    input logic step_valid,
    input logic step_signed,
    input logic step_first,
    input logic step_widen,
    input logic step_last,
    input logic [2:0] step_shift,
    input logic [ROWS*LANES*SLICE_BITS-1:0] step_codes,
    input logic [COLUMNS*BRANCHES*LANES*2-1:0] step_trits,
    // The layer.
    input logic merged,
    input logic segmented,
    // The accumulators hold a complete round.
    output logic complete,
    // Segment g of branch b in row r of column q at ((q * ROWS + r) * BRANCHES + b) * SEGMENTS + g.
    output logic [COLUMNS*ROWS*BRANCHES*SEGMENTS*ACC_BITS-1:0] accumulators
);
    localparam int LEVELS = $clog2(LANES);
    localparam int STAGES = (LEVELS + LEVELS_PER_STAGE - 1) / LEVELS_PER_STAGE;
    localparam int TAP = $clog2(LANES / SEGMENTS);
    localparam int TAP_STAGES = (TAP + LEVELS_PER_STAGE - 1) / LEVELS_PER_STAGE;
    localparam int CODES = LANES * SLICE_BITS;
    localparam int TRITS = BRANCHES * LANES * 2;
    localparam int SUMS = BRANCHES * SEGMENTS * ACC_BITS;

    // Row and column buses.
    logic [ROWS*CODES-1:0] codes;
    logic [COLUMNS*TRITS-1:0] trits;
    always_ff @(posedge clk) begin
        if (reset) begin
            codes <= '0;
            trits <= '0;
        end else if (enable && step_valid) begin
            codes <= step_codes;
            trits <= step_trits;
        end
    end

    // What the step on the bus is: signed, first, widen, last, shift.
    logic bus_valid;
    logic [6:0] bus_word;
    always_ff @(posedge clk) begin
        if (reset) bus_valid <= 1'b0;
        else if (enable) bus_valid <= step_valid;
    end
    always_ff @(posedge clk) begin
        if (reset) bus_word <= '0;
        else if (enable) bus_word <= {step_signed, step_first, step_widen, step_last, step_shift};
    end

    // The same at the leaves, which are one register further with operand registers.
    logic leaf_valid;
    logic [6:0] leaf_word;
    logic [COLUMNS*TRITS-1:0] leaf_trits;
    if (GATE != 0) begin : gated
        always_ff @(posedge clk) begin
            if (reset) begin
                leaf_valid <= 1'b0;
                leaf_word <= '0;
                leaf_trits <= '0;
            end else if (enable) begin
                leaf_valid <= bus_valid;
                leaf_word <= bus_word;
                if (bus_valid) leaf_trits <= trits;
            end
        end
    end else begin : wired
        assign leaf_valid = bus_valid;
        assign leaf_word = bus_word;
        assign leaf_trits = trits;
    end

    // Bit and word 0 are the leaves', i + 1 those of tree stage i.
    logic [STAGES:0] valid;
    logic [(STAGES+1)*6-1:0] words;
    assign valid[0] = leaf_valid;
    assign words[5:0] = leaf_word[5:0];
    for (genvar i = 0; i < STAGES; i++) begin : stage
        logic stage_valid;
        logic [5:0] stage_word;
        always_ff @(posedge clk) begin
            if (reset) begin
                stage_valid <= 1'b0;
                stage_word <= '0;
            end else if (enable) begin
                stage_valid <= valid[i];
                stage_word <= words[i*6+:6];
            end
        end
        assign valid[i+1] = stage_valid;
        assign words[(i+1)*6+:6] = stage_word;
    end

    // A segmented layer leaves the tree at the tap.
    logic [STAGES:0] tree_load;
    for (genvar i = 0; i <= STAGES; i++) begin : load
        assign tree_load[i] = enable && valid[i] && (i < TAP_STAGES || !segmented);
    end

    logic acc_valid, acc_first, acc_widen, acc_last;
    logic [2:0] acc_shift;
    assign acc_valid = segmented ? valid[TAP_STAGES] : valid[STAGES];
    assign {acc_first, acc_widen, acc_last, acc_shift} =
        segmented ? words[TAP_STAGES*6+:6] : words[STAGES*6+:6];

    // A complete round moves at the next edge at which the array advances.
    always_ff @(posedge clk) begin
        if (reset) complete <= 1'b0;
        else if (enable) complete <= acc_valid && acc_last;
    end

    for (genvar q = 0; q < COLUMNS; q++) begin : column
        for (genvar r = 0; r < ROWS; r++) begin : row
            tridot_engine #(
                .LANES(LANES),
                .BRANCHES(BRANCHES),
                .LEVELS_PER_STAGE(LEVELS_PER_STAGE),
                .SLICE_BITS(SLICE_BITS),
                .ACC_BITS(ACC_BITS),
                .GATE(GATE),
                .SEGMENTS(SEGMENTS)
            ) engine (
                .clk(clk),
                .reset(reset),
                .codes(codes[r*CODES+:CODES]),
                .trits(trits[q*TRITS+:TRITS]),
                .operand_load(enable && bus_valid),
                .leaf_trits(leaf_trits[q*TRITS+:TRITS]),
                .leaf_signed(leaf_word[6]),
                .tree_load(tree_load),
                .acc_load(enable && acc_valid),
                .acc_first(acc_first),
                .acc_widen(acc_widen),
                .acc_shift(acc_shift),
                .merged(merged),
                .segmented(segmented),
                .accumulators(accumulators[(q*ROWS+r)*SUMS+:SUMS])
            );
        end
    end
endmodule
