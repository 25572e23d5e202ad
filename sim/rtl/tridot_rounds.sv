// The next round and the addresses of its multipliers and biases.
//
// The round that `move` hands over stands in registers, as its words do in the output registers of the two
// parameter memories; all of them load the round after it at that edge.
module tridot_rounds #(
    parameter int ROWS = 1,
    parameter int BRANCHES = 1,
    parameter int SEGMENTS = 1,
    parameter int SCALE_ADDRESS_BITS = 1,
    parameter int BIAS_ADDRESS_BITS = 1,
    // What follows from these; not to be set.
    parameter int ROW_BITS = $clog2(ROWS + 1),
    parameter int SEGMENT_BITS = $clog2(SEGMENTS + 1),
    parameter int VALUE_BITS = $clog2(BRANCHES + 1)
) (
    input logic clk,
    input logic reset,
    input logic start,
    input logic move,
    // The layer.
    input logic layer_merged,
    input logic [4:0] layer_planes,
    input logic [16:0] layer_channels,
    input logic [31:0] layer_pixels,
    input logic [16:0] tile_channels,
    input logic on_column_0,
    // What the parameter memories see, and when their output registers load.
    output logic load,
    output logic [SCALE_ADDRESS_BITS-1:0] scale_address,
    output logic [BIAS_ADDRESS_BITS-1:0] bias_address,
    // The round whose words are in these registers.
    output logic [VALUE_BITS-1:0] round_values,
    output logic [ROW_BITS-1:0] round_rows,
    output logic [SEGMENT_BITS-1:0] round_segments,
    output logic round_starts,
    output logic round_ends
);
    logic [4:0] planes_left;
    logic [ROW_BITS-1:0] active_rows;
    logic [16:0] active_channels;
    logic first, opens_tile, last_pass, last_pixels, last_channels;
    assign last_pass = layer_merged || 32'(planes_left) <= BRANCHES;
    assign load = first || move;

    // The first round is there long before the first move.
    always_ff @(posedge clk) begin
        if (reset) first <= 1'b0;
        else first <= start;
    end

    always_ff @(posedge clk) begin
        if (reset) planes_left <= '0;
        else if (start || (load && last_pass)) planes_left <= layer_planes;
        else if (load) planes_left <= planes_left - 5'(BRANCHES);
    end
    always_ff @(posedge clk) begin
        if (reset) opens_tile <= 1'b0;
        else if (start) opens_tile <= 1'b1;
        else if (load) opens_tile <= last_pass;
    end

    tridot_tiles #(
        .ROWS(ROWS)
    ) tiles (
        .clk(clk),
        .reset(reset),
        .start(start),
        .next(load && last_pass),
        .pixels(layer_pixels),
        .channels(layer_channels),
        .tile_channels(tile_channels),
        .active_rows(active_rows),
        .active_channels(active_channels),
        .last_pixels(last_pixels),
        .last_channels(last_channels)
    );

    // Words of multipliers lie in the order of column tiles and passes, words of biases in that of column tiles.
    logic [SCALE_ADDRESS_BITS-1:0] column_address;
    always_ff @(posedge clk) begin
        if (reset || start) begin
            scale_address <= '0;
            column_address <= '0;
            bias_address <= '0;
        end else if (load && last_pass && last_pixels) begin
            scale_address <= scale_address + SCALE_ADDRESS_BITS'(1);
            column_address <= scale_address + SCALE_ADDRESS_BITS'(1);
            bias_address <= bias_address + BIAS_ADDRESS_BITS'(1);
        end else if (load && last_pass) begin
            scale_address <= column_address;
        end else if (load) begin
            scale_address <= scale_address + SCALE_ADDRESS_BITS'(1);
        end
    end

    always_ff @(posedge clk) begin
        if (reset) begin
            round_values <= '0;
            round_rows <= '0;
            round_segments <= '0;
            {round_starts, round_ends} <= '0;
        end else if (load) begin
            round_values <= layer_merged ? VALUE_BITS'(1) :
                last_pass ? VALUE_BITS'(planes_left) : VALUE_BITS'(BRANCHES);
            round_rows <= active_rows;
            round_segments <= on_column_0 ? SEGMENT_BITS'(active_channels) : SEGMENT_BITS'(1);
            round_starts <= opens_tile;
            round_ends <= last_pass;
        end
    end

    // After the last round nothing moves. On column 0 there are no more channels than segments.
    logic unused;
    assign unused = &{1'b0, last_channels, active_channels};
endmodule
