// The output memory: a tensor of outputs, NHWC, sign extended to 48 bits, with as many write ports as outputs
// can end at once.
module tridot_output_memory #(
    parameter int WORDS = 2,
    parameter int PORTS = 1,
    // What follows from these; not to be set.
    parameter int ADDRESS_BITS = $clog2(WORDS)
) (
    input logic clk,
    input logic [PORTS-1:0] write,
    input logic [PORTS*ADDRESS_BITS-1:0] write_address,
    input logic [PORTS*48-1:0] write_data,
    // Delivered after the next edge.
    input logic [ADDRESS_BITS-1:0] address,
    output logic [47:0] data
);
    logic [47:0] outputs[0:WORDS-1];

    always_ff @(posedge clk) begin
        for (int i = 0; i < PORTS; i = i + 1)
            if (write[i])
                outputs[write_address[i*ADDRESS_BITS+:ADDRESS_BITS]] <= write_data[i*48+:48];
    end

    always_ff @(posedge clk) data <= outputs[address];
endmodule
