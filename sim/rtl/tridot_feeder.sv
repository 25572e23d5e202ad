// The loops over the steps of a layer, and the addresses of a step.
//
// From outside in: column tile, row tile, pass, chunk, bit slice. The step that the memories see is held in
// registers; it and the memories' output registers advance where `enable` is high.
module tridot_feeder #(
    parameter int ROWS = 1,
    parameter int LANES = 4,
    parameter int BRANCHES = 1,
    parameter int SLICE_BITS = 8,
    parameter int SEGMENTS = 1,
    parameter int CODE_BITS = 1,
    parameter int WEIGHT_BITS = 1
) (
    input logic clk,
    input logic reset,
    input logic start,
    input logic enable,
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
    input logic [16:0] tile_channels,
    // What the memories see: whether there is a step, and of lane n in row r at r * LANES + n its code.
    output logic valid,
    output logic [2:0] shift,
    output logic [ROWS*LANES-1:0] code_read,
    output logic [ROWS*LANES*CODE_BITS-1:0] code_address,
    output logic [WEIGHT_BITS-1:0] weight_address,
    // What the step in the memories' output registers is.
    output logic step_valid,
    output logic step_signed,
    output logic step_first,
    output logic step_widen,
    output logic step_last,
    output logic [2:0] step_shift
);
    localparam int ROW_BITS = $clog2(ROWS + 1);

    // Which loops end with this step.
    logic [3:0] slice;
    logic [4:0] planes_left;
    logic advance, last_slice, last_chunk, last_pass, last_pixels, last_channels;
    logic ends_chunk, ends_pass, ends_tile, ends_column, ends_layer;
    assign advance = enable && valid;
    assign last_slice = slice + 4'd1 == layer_slices;
    assign last_pass = 32'(planes_left) <= BRANCHES;
    assign ends_chunk = advance && last_slice;
    assign ends_pass = ends_chunk && last_chunk;
    assign ends_tile = ends_pass && last_pass;
    assign ends_column = ends_tile && last_pixels;
    assign ends_layer = ends_column && last_channels;

    always_ff @(posedge clk) begin
        if (reset) valid <= 1'b0;
        else if (start) valid <= 1'b1;
        else if (ends_layer) valid <= 1'b0;
    end

    // Slices and passes; the first step of each chunk and pass.
    logic opens_pass, opens_tile;
    always_ff @(posedge clk) begin
        if (reset || start || ends_chunk) slice <= '0;
        else if (advance) slice <= slice + 4'd1;
    end
    always_ff @(posedge clk) begin
        if (reset) planes_left <= '0;
        else if (start || ends_tile) planes_left <= layer_planes;
        else if (ends_pass) planes_left <= planes_left - 5'(BRANCHES);
    end
    always_ff @(posedge clk) begin
        if (reset) {opens_pass, opens_tile} <= '0;
        else if (start) {opens_pass, opens_tile} <= '1;
        else if (advance) {opens_pass, opens_tile} <= {ends_pass, ends_tile};
    end

    // Tiles.
    logic [ROW_BITS-1:0] active_rows;
    logic [16:0] active_channels;
    logic [CODE_BITS-1:0] first_channel;
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
    always_ff @(posedge clk) begin
        if (reset || start) first_channel <= '0;
        else if (ends_column && layer_depthwise)
            first_channel <= first_channel + CODE_BITS'(tile_channels);
    end

    // Words of trits lie in the order of column tiles, passes, chunks; each row tile reads its column tile's again.
    logic [WEIGHT_BITS-1:0] column_address;
    always_ff @(posedge clk) begin
        if (reset || start) begin
            weight_address <= '0;
            column_address <= '0;
        end else if (ends_column) begin
            weight_address <= weight_address + WEIGHT_BITS'(1);
            column_address <= weight_address + WEIGHT_BITS'(1);
        end else if (ends_tile) begin
            weight_address <= column_address;
        end else if (ends_chunk) begin
            weight_address <= weight_address + WEIGHT_BITS'(1);
        end
    end

    // Windows of the rows, taps of the lanes.
    logic [ROWS*16-1:0] y, x;
    logic [ROWS*CODE_BITS-1:0] origin;
    tridot_pixels #(
        .ROWS(ROWS),
        .CODE_BITS(CODE_BITS)
    ) pixels (
        .clk(clk),
        .reset(reset),
        .start(start || ends_column),
        .next(ends_tile),
        .output_height(layer_output_height),
        .output_width(layer_output_width),
        .first_y(layer_first_y),
        .first_x(layer_first_x),
        .step_y(layer_step_y),
        .step_x(layer_step_x),
        .first_origin(layer_origin),
        .origin_step(layer_origin_step),
        .origin_line(layer_origin_line),
        .origin_image(layer_origin_image),
        .y(y),
        .x(x),
        .origin(origin)
    );

    logic [LANES-1:0] used;
    logic [LANES*16-1:0] tap_row, tap_column;
    logic [LANES*CODE_BITS-1:0] offset;
    tridot_taps #(
        .LANES(LANES),
        .SEGMENTS(SEGMENTS),
        .CODE_BITS(CODE_BITS)
    ) taps (
        .clk(clk),
        .reset(reset),
        .start(start),
        .next(ends_chunk),
        .per_tap(layer_per_tap),
        .segmented(layer_segmented),
        .run(!layer_depthwise ? layer_input_channels : layer_per_tap ? active_channels : 17'd1),
        .active_channels(active_channels),
        .kernel_height(layer_kernel_height),
        .kernel_width(layer_kernel_width),
        .tap_step(layer_tap_step),
        .line_step(layer_line_step),
        .last(last_chunk),
        .used(used),
        .tap_row(tap_row),
        .tap_column(tap_column),
        .offset(offset)
    );

    for (genvar r = 0; r < ROWS; r++) begin : row
        for (genvar n = 0; n < LANES; n++) begin : lane
            // Above and left of the picture these are large, as they have no sign.
            logic [15:0] code_y, code_x;
            assign code_y = y[r*16+:16] + tap_row[n*16+:16];
            assign code_x = x[r*16+:16] + tap_column[n*16+:16];
            assign code_read[r*LANES+n] = ROW_BITS'(r) < active_rows && used[n]
                && code_y < layer_height && code_x < layer_width;
            assign code_address[(r*LANES+n)*CODE_BITS+:CODE_BITS] =
                origin[r*CODE_BITS+:CODE_BITS] + offset[n*CODE_BITS+:CODE_BITS] + first_channel;
        end
    end

    assign shift = 3'(32'(slice) * SLICE_BITS);

    // Beside the memories' output registers.
    always_ff @(posedge clk) begin
        if (reset) step_valid <= 1'b0;
        else if (enable) step_valid <= valid;
    end
    always_ff @(posedge clk) begin
        if (reset) begin
            {step_signed, step_first, step_widen, step_last} <= '0;
            step_shift <= '0;
        end else if (advance) begin
            step_signed <= layer_signed && last_slice;
            step_first <= layer_merged ? opens_tile : opens_pass;
            step_widen <= layer_merged && opens_pass && !opens_tile;
            step_last <= last_slice && last_chunk && (last_pass || !layer_merged);
            step_shift <= shift;
        end
    end
endmodule
