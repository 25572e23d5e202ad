// The activation memory: a tensor of codes, NHWC, eight bits each, of which any chunk can be read at once.
//
// A port delivers a slice of its code, or 0 where `read` is low: padding, idle rows, lanes past the end.
module tridot_code_memory #(
    parameter int WORDS = 2,
    parameter int PORTS = 1,
    parameter int SLICE_BITS = 8,
    // What follows from these; not to be set.
    parameter int ADDRESS_BITS = $clog2(WORDS)
) (
    input logic clk,
    input logic reset,
    input logic write,
    input logic [ADDRESS_BITS-1:0] write_address,
    input logic [7:0] write_data,
    input logic load,
    input logic [2:0] shift,
    input logic [PORTS-1:0] read,
    input logic [PORTS*ADDRESS_BITS-1:0] address,
    output logic [PORTS*SLICE_BITS-1:0] data
);
    logic [7:0] codes[0:WORDS-1];

    always_ff @(posedge clk) if (write) codes[write_address] <= write_data;

    for (genvar i = 0; i < PORTS; i++) begin : port
        logic [7:0] code;
        logic [SLICE_BITS-1:0] slice;
        assign code = codes[address[i*ADDRESS_BITS+:ADDRESS_BITS]];
        always_ff @(posedge clk) begin
            if (reset) slice <= '0;
            else if (load) slice <= read[i] ? SLICE_BITS'(code >> shift) : '0;
        end
        assign data[i*SLICE_BITS+:SLICE_BITS] = slice;
    end
endmodule
