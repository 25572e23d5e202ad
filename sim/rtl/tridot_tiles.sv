// The tile of a layer: ROWS pixels in raster order, the innermost loop, and `tile_channels` output channels.
module tridot_tiles #(
    parameter int ROWS = 1,
    // What follows from these; not to be set.
    parameter int ROW_BITS = $clog2(ROWS + 1)
) (
    input logic clk,
    input logic reset,
    // The first tile; the one after this one.
    input logic start,
    input logic next,
    // The layer.
    input logic [31:0] pixels,
    input logic [16:0] channels,
    input logic [16:0] tile_channels,
    // Rows with a pixel and channels of this tile; the last of its channels, of the layer.
    output logic [ROW_BITS-1:0] active_rows,
    output logic [16:0] active_channels,
    output logic last_pixels,
    output logic last_channels
);
    logic [31:0] pixels_left;
    logic [16:0] channels_left;

    assign last_pixels = pixels_left <= ROWS;
    assign last_channels = channels_left <= tile_channels;
    assign active_rows = last_pixels ? ROW_BITS'(pixels_left) : ROW_BITS'(ROWS);
    assign active_channels = last_channels ? channels_left : tile_channels;

    always_ff @(posedge clk) begin
        if (reset) begin
            pixels_left <= '0;
            channels_left <= '0;
        end else if (start) begin
            pixels_left <= pixels;
            channels_left <= channels;
        end else if (next) begin
            pixels_left <= last_pixels ? pixels : pixels_left - ROWS;
            if (last_pixels) channels_left <= channels_left - active_channels;
        end
    end
endmodule
