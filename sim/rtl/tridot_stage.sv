// DEPTH registers in a row, or a wire; register i loads where `load[i]` is high.
module tridot_stage #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1,
    // What follows from these; not to be set.
    parameter int LOADS = DEPTH == 0 ? 1 : DEPTH
) (
    input logic clk,
    input logic reset,
    input logic [LOADS-1:0] load,
    input logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
    if (DEPTH == 0) begin : wired
        assign q = d;
    end else begin : registered
        for (genvar i = 0; i < DEPTH; i++) begin : register
            logic [WIDTH-1:0] held;
            logic [WIDTH-1:0] previous;
            if (i == 0) begin : from_input
                assign previous = d;
            end else begin : from_register
                assign previous = register[i-1].held;
            end
            always_ff @(posedge clk) begin
                if (reset) held <= '0;
                else if (load[i]) held <= previous;
            end
        end
        assign q = register[DEPTH-1].held;
    end

    // A wire has no clock.
    logic unused;
    assign unused = &{1'b0, clk, reset, load};
endmodule
