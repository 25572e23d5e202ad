// Where outputs go in the output memory, and the end of the layer.
//
// The outputs of a tile leave the scalers in order, so those of the next tile begin after the last of this one.
module tridot_writer #(
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int SEGMENTS = 1,
    parameter int MULTIPLIERS = 1,
    parameter int OUTPUT_BITS = 1,
    // What follows from these; not to be set.
    parameter int ROW_BITS = $clog2(ROWS + 1),
    parameter int SEGMENT_BITS = $clog2(SEGMENTS + 1)
) (
    input logic clk,
    input logic reset,
    input logic start,
    // The layer.
    input logic [16:0] layer_channels,
    input logic [31:0] layer_pixels,
    input logic [16:0] tile_channels,
    input logic on_column_0,
    // What the scalers write at the next edge.
    input logic [MULTIPLIERS-1:0] write_valid,
    input logic [MULTIPLIERS*ROW_BITS-1:0] write_row,
    input logic [MULTIPLIERS*SEGMENT_BITS-1:0] write_segment,
    // Slot i of column q at q * MULTIPLIERS + i.
    output logic [COLUMNS*MULTIPLIERS-1:0] write,
    output logic [COLUMNS*MULTIPLIERS*OUTPUT_BITS-1:0] write_address,
    // The last output is written at the next edge.
    output logic last
);
    logic [ROW_BITS-1:0] active_rows;
    logic [16:0] active_channels, active_columns, active_segments;
    logic ends_tile, last_pixels, last_channels;
    tridot_tiles #(
        .ROWS(ROWS)
    ) tiles (
        .clk(clk),
        .reset(reset),
        .start(start),
        .next(ends_tile),
        .pixels(layer_pixels),
        .channels(layer_channels),
        .tile_channels(tile_channels),
        .active_rows(active_rows),
        .active_channels(active_channels),
        .last_pixels(last_pixels),
        .last_channels(last_channels)
    );
    assign active_columns = on_column_0 ? 17'd1 : active_channels;
    assign active_segments = on_column_0 ? active_channels : 17'd1;
    assign last = ends_tile && last_pixels && last_channels;

    // The first output of the tile, and of its channels.
    logic [OUTPUT_BITS-1:0] tile_address, first_channel;
    always_ff @(posedge clk) begin
        if (reset || start) begin
            tile_address <= '0;
            first_channel <= '0;
        end else if (ends_tile && last_pixels) begin
            tile_address <= first_channel + OUTPUT_BITS'(tile_channels);
            first_channel <= first_channel + OUTPUT_BITS'(tile_channels);
        end else if (ends_tile) begin
            tile_address <= tile_address + OUTPUT_BITS'(ROWS * 32'(layer_channels));
        end
    end

    logic [MULTIPLIERS-1:0] ends;
    for (genvar i = 0; i < MULTIPLIERS; i++) begin : slot
        logic [ROW_BITS-1:0] row;
        logic [SEGMENT_BITS-1:0] segment;
        logic [OUTPUT_BITS-1:0] address;
        assign row = write_row[i*ROW_BITS+:ROW_BITS];
        assign segment = write_segment[i*SEGMENT_BITS+:SEGMENT_BITS];
        assign address =
            tile_address + OUTPUT_BITS'(32'(row) * 32'(layer_channels)) + OUTPUT_BITS'(segment);
        assign ends[i] = write_valid[i] && row + ROW_BITS'(1) == active_rows
            && 17'(segment) + 17'd1 == active_segments;
        for (genvar q = 0; q < COLUMNS; q++) begin : column
            assign write[q*MULTIPLIERS+i] = write_valid[i] && q < 32'(active_columns);
            assign write_address[(q*MULTIPLIERS+i)*OUTPUT_BITS+:OUTPUT_BITS] =
                address + OUTPUT_BITS'(q);
        end
    end
    assign ends_tile = |ends;
endmodule
