// The output-stationary dataflow: which step comes next, which round, where outputs go, when the layer ends.
//
// No other module knows how a layer is cut into tiles, passes, chunks and slices.
module tridot_sequencer #(
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int LANES = 4,
    parameter int BRANCHES = 1,
    parameter int SLICE_BITS = 8,
    parameter int SEGMENTS = 1,
    parameter int MULTIPLIERS = 1,
    parameter int CODE_BITS = 1,
    parameter int WEIGHT_BITS = 1,
    parameter int SCALE_ADDRESS_BITS = 1,
    parameter int BIAS_ADDRESS_BITS = 1,
    parameter int OUTPUT_BITS = 1,
    // What follows from these; not to be set.
    parameter int ROW_BITS = $clog2(ROWS + 1),
    parameter int SEGMENT_BITS = $clog2(SEGMENTS + 1),
    parameter int VALUE_BITS = $clog2(BRANCHES + 1)
) (
    input logic clk,
    input logic reset,
    // Sampled where no layer runs: edge 0 of the layer that the registers describe.
    input logic start,
    output logic busy,
    // Of the layer that runs, or ran last.
    output logic [31:0] cycles,
    output logic [31:0] steps,
    output logic [31:0] stalls,
    // The layer.
    input logic layer_depthwise,
    input logic layer_per_tap,
    input logic layer_segmented,
    input logic layer_merged,
    input logic layer_signed,
    input logic [3:0] layer_slices,
    input logic [4:0] layer_planes,
    input logic [15:0] layer_height,
    input logic [15:0] layer_width,
    input logic [16:0] layer_input_channels,
    input logic [15:0] layer_kernel_height,
    input logic [15:0] layer_kernel_width,
    input logic [15:0] layer_output_height,
    input logic [15:0] layer_output_width,
    input logic [16:0] layer_channels,
    input logic [31:0] layer_pixels,
    input logic [15:0] layer_first_y,
    input logic [15:0] layer_first_x,
    input logic [15:0] layer_step_y,
    input logic [15:0] layer_step_x,
    input logic [CODE_BITS-1:0] layer_tap_step,
    input logic [CODE_BITS-1:0] layer_line_step,
    input logic [CODE_BITS-1:0] layer_origin,
    input logic [CODE_BITS-1:0] layer_origin_step,
    input logic [CODE_BITS-1:0] layer_origin_line,
    input logic [CODE_BITS-1:0] layer_origin_image,
    // Activation and weight memory.
    output logic feed,
    output logic [2:0] feed_shift,
    output logic [ROWS*LANES-1:0] code_read,
    output logic [ROWS*LANES*CODE_BITS-1:0] code_address,
    output logic [WEIGHT_BITS-1:0] weight_address,
    // The core's steps.
    input logic enable,
    output logic step_valid,
    output logic step_signed,
    output logic step_first,
    output logic step_widen,
    output logic step_last,
    output logic [2:0] step_shift,
    // Multiplier and bias memory.
    output logic round_load,
    output logic [SCALE_ADDRESS_BITS-1:0] scale_address,
    output logic [BIAS_ADDRESS_BITS-1:0] bias_address,
    // The core's rounds.
    input logic move,
    output logic [VALUE_BITS-1:0] round_values,
    output logic [ROW_BITS-1:0] round_rows,
    output logic [SEGMENT_BITS-1:0] round_segments,
    output logic round_starts,
    output logic round_ends,
    // The core's outputs, and the output memory.
    input logic [MULTIPLIERS-1:0] write_valid,
    input logic [MULTIPLIERS*ROW_BITS-1:0] write_row,
    input logic [MULTIPLIERS*SEGMENT_BITS-1:0] write_segment,
    output logic [COLUMNS*MULTIPLIERS-1:0] write,
    output logic [COLUMNS*MULTIPLIERS*OUTPUT_BITS-1:0] write_address
);
    localparam int DIAGONAL_CHANNELS = LANES < COLUMNS ? LANES : COLUMNS;

    // Channels of a column tile, one a column; or one a segment, on column 0 alone.
    logic on_column_0;
    logic [16:0] tile_channels;
    assign on_column_0 = layer_depthwise && !layer_per_tap;
    assign tile_channels = !layer_depthwise ? 17'(COLUMNS) :
        layer_segmented ? 17'(SEGMENTS) :
        layer_per_tap ? 17'(DIAGONAL_CHANNELS) : 17'd1;

    logic starts, valid, last;
    assign starts = start && !busy;
    always_ff @(posedge clk) begin
        if (reset) busy <= 1'b0;
        else if (starts) busy <= 1'b1;
        else if (last) busy <= 1'b0;
    end

    // The edges from that of `start` to that of the last write.
    always_ff @(posedge clk) begin
        if (reset) begin
            cycles <= '0;
            steps <= '0;
            stalls <= '0;
        end else if (starts) begin
            cycles <= 32'd1;
            steps <= '0;
            stalls <= '0;
        end else if (busy) begin
            cycles <= cycles + 32'd1;
            steps <= steps + 32'(feed);
            stalls <= stalls + 32'(!enable);
        end
    end

    assign feed = enable && valid;
    tridot_feeder #(
        .ROWS(ROWS),
        .LANES(LANES),
        .BRANCHES(BRANCHES),
        .SLICE_BITS(SLICE_BITS),
        .SEGMENTS(SEGMENTS),
        .CODE_BITS(CODE_BITS),
        .WEIGHT_BITS(WEIGHT_BITS)
    ) feeder (
        .clk(clk),
        .reset(reset),
        .start(starts),
        .enable(enable),
        .layer_depthwise(layer_depthwise),
        .layer_per_tap(layer_per_tap),
        .layer_segmented(layer_segmented),
        .layer_merged(layer_merged),
        .layer_signed(layer_signed),
        .layer_slices(layer_slices),
        .layer_planes(layer_planes),
        .layer_height(layer_height),
        .layer_width(layer_width),
        .layer_input_channels(layer_input_channels),
        .layer_kernel_height(layer_kernel_height),
        .layer_kernel_width(layer_kernel_width),
        .layer_output_height(layer_output_height),
        .layer_output_width(layer_output_width),
        .layer_channels(layer_channels),
        .layer_pixels(layer_pixels),
        .layer_first_y(layer_first_y),
        .layer_first_x(layer_first_x),
        .layer_step_y(layer_step_y),
        .layer_step_x(layer_step_x),
        .layer_tap_step(layer_tap_step),
        .layer_line_step(layer_line_step),
        .layer_origin(layer_origin),
        .layer_origin_step(layer_origin_step),
        .layer_origin_line(layer_origin_line),
        .layer_origin_image(layer_origin_image),
        .tile_channels(tile_channels),
        .valid(valid),
        .shift(feed_shift),
        .code_read(code_read),
        .code_address(code_address),
        .weight_address(weight_address),
        .step_valid(step_valid),
        .step_signed(step_signed),
        .step_first(step_first),
        .step_widen(step_widen),
        .step_last(step_last),
        .step_shift(step_shift)
    );

    tridot_rounds #(
        .ROWS(ROWS),
        .BRANCHES(BRANCHES),
        .SEGMENTS(SEGMENTS),
        .SCALE_ADDRESS_BITS(SCALE_ADDRESS_BITS),
        .BIAS_ADDRESS_BITS(BIAS_ADDRESS_BITS)
    ) rounds (
        .clk(clk),
        .reset(reset),
        .start(starts),
        .move(move),
        .layer_merged(layer_merged),
        .layer_planes(layer_planes),
        .layer_channels(layer_channels),
        .layer_pixels(layer_pixels),
        .tile_channels(tile_channels),
        .on_column_0(on_column_0),
        .load(round_load),
        .scale_address(scale_address),
        .bias_address(bias_address),
        .round_values(round_values),
        .round_rows(round_rows),
        .round_segments(round_segments),
        .round_starts(round_starts),
        .round_ends(round_ends)
    );

    tridot_writer #(
        .ROWS(ROWS),
        .COLUMNS(COLUMNS),
        .SEGMENTS(SEGMENTS),
        .MULTIPLIERS(MULTIPLIERS),
        .OUTPUT_BITS(OUTPUT_BITS)
    ) writer (
        .clk(clk),
        .reset(reset),
        .start(starts),
        .layer_channels(layer_channels),
        .layer_pixels(layer_pixels),
        .tile_channels(tile_channels),
        .on_column_0(on_column_0),
        .write_valid(write_valid),
        .write_row(write_row),
        .write_segment(write_segment),
        .write(write),
        .write_address(write_address),
        .last(last)
    );
endmodule
