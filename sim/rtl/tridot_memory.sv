// A memory of words with one write port and one read port, whose output register loads where `load` is high.
module tridot_memory #(
    parameter int WORDS = 2,
    parameter int WIDTH = 1,
    // What follows from these; not to be set.
    parameter int ADDRESS_BITS = $clog2(WORDS)
) (
    input logic clk,
    input logic reset,
    input logic write,
    input logic [ADDRESS_BITS-1:0] write_address,
    input logic [WIDTH-1:0] write_data,
    input logic load,
    input logic [ADDRESS_BITS-1:0] address,
    output logic [WIDTH-1:0] data
);
    logic [WIDTH-1:0] words[0:WORDS-1];

    always_ff @(posedge clk) if (write) words[write_address] <= write_data;

    always_ff @(posedge clk) begin
        if (reset) data <= '0;
        else if (load) data <= words[address];
    end
endmodule
