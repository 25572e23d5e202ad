// The whole machine: registers of the layer, sequencer, memories, core.
//
// The host fills the memories and the layer's registers, pulses `start`, waits while `busy` is high, and reads the
// output memory.
module tridot_machine #(
    parameter int ROWS = 1,
    parameter int COLUMNS = 1,
    parameter int LANES = 4,
    parameter int BRANCHES = 1,
    parameter int LEVELS_PER_STAGE = 1,
    parameter int SLICE_BITS = 8,
    parameter int ACC_BITS = 32,
    parameter int GATE = 0,
    parameter int SEGMENTS = 1,
    parameter int MULTIPLIERS = 1,
    parameter int SCALER_STAGES = 4,
    parameter int SCALE_BITS = 16,
    // Words of the memories.
    parameter int CODE_WORDS = 2,
    parameter int WEIGHT_WORDS = 2,
    parameter int SCALE_WORDS = 2,
    parameter int BIAS_WORDS = 2,
    parameter int OUTPUT_WORDS = 2,
    // What follows from these; not to be set.
    parameter int WEIGHT_WIDTH = COLUMNS * BRANCHES * LANES * 2,
    parameter int SCALE_WIDTH = COLUMNS * SEGMENTS * BRANCHES * SCALE_BITS,
    parameter int BIAS_WIDTH = COLUMNS * SEGMENTS * 48,
    parameter int WIDER_WIDTH = WEIGHT_WIDTH < SCALE_WIDTH ? SCALE_WIDTH : WEIGHT_WIDTH,
    parameter int LOAD_BITS = WIDER_WIDTH < BIAS_WIDTH ? BIAS_WIDTH : WIDER_WIDTH,
    parameter int OUTPUT_BITS = $clog2(OUTPUT_WORDS)
) (
    input logic clk,
    input logic reset,
    // The host's writes while no layer runs: bit 0 selects the registers, 1 codes, 2 trits, 3 multipliers, 4 biases.
    input logic [4:0] load_select,
    input logic [31:0] load_address,
    input logic [LOAD_BITS-1:0] load_data,
    // Edge 0 of the layer, and whether its last output is still to be written.
    input logic start,
    output logic busy,
    output logic [31:0] cycles,
    output logic [31:0] steps,
    output logic [31:0] stalls,
    // The host's reads of outputs, delivered after the next edge.
    input logic [OUTPUT_BITS-1:0] read_address,
    output logic [47:0] read_data,
    // What happens at the next edge; for observation, may stay open: outputs written, slot i of column q at
    // q * MULTIPLIERS + i, and a move of the accumulators.
    output logic [COLUMNS*MULTIPLIERS-1:0] write,
    output logic [COLUMNS*MULTIPLIERS*OUTPUT_BITS-1:0] write_address,
    output logic [COLUMNS*MULTIPLIERS*48-1:0] write_data,
    output logic move,
    output logic [COLUMNS*ROWS*BRANCHES*SEGMENTS*ACC_BITS-1:0] accumulators
);
    localparam int CODE_BITS = $clog2(CODE_WORDS);
    localparam int WEIGHT_BITS = $clog2(WEIGHT_WORDS);
    localparam int SCALE_ADDRESS_BITS = $clog2(SCALE_WORDS);
    localparam int BIAS_ADDRESS_BITS = $clog2(BIAS_WORDS);
    localparam int ROW_BITS = $clog2(ROWS + 1);
    localparam int SEGMENT_BITS = $clog2(SEGMENTS + 1);
    localparam int VALUE_BITS = $clog2(BRANCHES + 1);

    logic layer_depthwise;
    logic layer_per_tap;
    logic layer_segmented;
    logic layer_merged;
    logic layer_signed;
    logic layer_raw;
    logic [5:0] layer_shift;
    logic signed [8:0] layer_low;
    logic signed [8:0] layer_high;
    logic [3:0] layer_slices;
    logic [4:0] layer_planes;
    logic [15:0] layer_height;
    logic [15:0] layer_width;
    logic [16:0] layer_input_channels;
    logic [15:0] layer_kernel_height;
    logic [15:0] layer_kernel_width;
    logic [15:0] layer_output_height;
    logic [15:0] layer_output_width;
    logic [16:0] layer_channels;
    logic [31:0] layer_pixels;
    logic [15:0] layer_first_y;
    logic [15:0] layer_first_x;
    logic [15:0] layer_step_y;
    logic [15:0] layer_step_x;
    logic [CODE_BITS-1:0] layer_tap_step;
    logic [CODE_BITS-1:0] layer_line_step;
    logic [CODE_BITS-1:0] layer_origin;
    logic [CODE_BITS-1:0] layer_origin_step;
    logic [CODE_BITS-1:0] layer_origin_line;
    logic [CODE_BITS-1:0] layer_origin_image;
    tridot_layer #(
        .CODE_BITS(CODE_BITS)
    ) layer (
        .clk(clk),
        .reset(reset),
        .write(load_select[0]),
        .address(5'(load_address)),
        .data(32'(load_data)),
        .layer_depthwise(layer_depthwise),
        .layer_per_tap(layer_per_tap),
        .layer_segmented(layer_segmented),
        .layer_merged(layer_merged),
        .layer_signed(layer_signed),
        .layer_raw(layer_raw),
        .layer_shift(layer_shift),
        .layer_low(layer_low),
        .layer_high(layer_high),
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
        .layer_origin_image(layer_origin_image)
    );

    logic enable, feed, round_load;
    logic [2:0] feed_shift;
    logic [ROWS*LANES-1:0] code_read;
    logic [ROWS*LANES*CODE_BITS-1:0] code_address;
    logic [WEIGHT_BITS-1:0] weight_address;
    logic [SCALE_ADDRESS_BITS-1:0] scale_address;
    logic [BIAS_ADDRESS_BITS-1:0] bias_address;
    logic step_valid, step_signed, step_first, step_widen, step_last;
    logic [2:0] step_shift;
    logic [ROWS*LANES*SLICE_BITS-1:0] step_codes;
    logic [WEIGHT_WIDTH-1:0] step_trits;
    logic [VALUE_BITS-1:0] round_values;
    logic [ROW_BITS-1:0] round_rows;
    logic [SEGMENT_BITS-1:0] round_segments;
    logic round_starts, round_ends;
    logic [SCALE_WIDTH-1:0] round_scales;
    logic [BIAS_WIDTH-1:0] round_biases;
    logic [MULTIPLIERS-1:0] write_valid;
    logic [MULTIPLIERS*ROW_BITS-1:0] write_row;
    logic [MULTIPLIERS*SEGMENT_BITS-1:0] write_segment;

    tridot_sequencer #(
        .ROWS(ROWS),
        .COLUMNS(COLUMNS),
        .LANES(LANES),
        .BRANCHES(BRANCHES),
        .SLICE_BITS(SLICE_BITS),
        .SEGMENTS(SEGMENTS),
        .MULTIPLIERS(MULTIPLIERS),
        .CODE_BITS(CODE_BITS),
        .WEIGHT_BITS(WEIGHT_BITS),
        .SCALE_ADDRESS_BITS(SCALE_ADDRESS_BITS),
        .BIAS_ADDRESS_BITS(BIAS_ADDRESS_BITS),
        .OUTPUT_BITS(OUTPUT_BITS)
    ) sequencer (
        .clk(clk),
        .reset(reset),
        .start(start),
        .busy(busy),
        .cycles(cycles),
        .steps(steps),
        .stalls(stalls),
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
        .feed(feed),
        .feed_shift(feed_shift),
        .code_read(code_read),
        .code_address(code_address),
        .weight_address(weight_address),
        .enable(enable),
        .step_valid(step_valid),
        .step_signed(step_signed),
        .step_first(step_first),
        .step_widen(step_widen),
        .step_last(step_last),
        .step_shift(step_shift),
        .round_load(round_load),
        .scale_address(scale_address),
        .bias_address(bias_address),
        .move(move),
        .round_values(round_values),
        .round_rows(round_rows),
        .round_segments(round_segments),
        .round_starts(round_starts),
        .round_ends(round_ends),
        .write_valid(write_valid),
        .write_row(write_row),
        .write_segment(write_segment),
        .write(write),
        .write_address(write_address)
    );

    tridot_code_memory #(
        .WORDS(CODE_WORDS),
        .PORTS(ROWS * LANES),
        .SLICE_BITS(SLICE_BITS)
    ) code_memory (
        .clk(clk),
        .reset(reset),
        .write(load_select[1]),
        .write_address(CODE_BITS'(load_address)),
        .write_data(8'(load_data)),
        .load(feed),
        .shift(feed_shift),
        .read(code_read),
        .address(code_address),
        .data(step_codes)
    );

    tridot_memory #(
        .WORDS(WEIGHT_WORDS),
        .WIDTH(WEIGHT_WIDTH)
    ) trit_memory (
        .clk(clk),
        .reset(reset),
        .write(load_select[2]),
        .write_address(WEIGHT_BITS'(load_address)),
        .write_data(WEIGHT_WIDTH'(load_data)),
        .load(feed),
        .address(weight_address),
        .data(step_trits)
    );

    tridot_memory #(
        .WORDS(SCALE_WORDS),
        .WIDTH(SCALE_WIDTH)
    ) scale_memory (
        .clk(clk),
        .reset(reset),
        .write(load_select[3]),
        .write_address(SCALE_ADDRESS_BITS'(load_address)),
        .write_data(SCALE_WIDTH'(load_data)),
        .load(round_load),
        .address(scale_address),
        .data(round_scales)
    );

    tridot_memory #(
        .WORDS(BIAS_WORDS),
        .WIDTH(BIAS_WIDTH)
    ) bias_memory (
        .clk(clk),
        .reset(reset),
        .write(load_select[4]),
        .write_address(BIAS_ADDRESS_BITS'(load_address)),
        .write_data(BIAS_WIDTH'(load_data)),
        .load(round_load),
        .address(bias_address),
        .data(round_biases)
    );

    tridot_core #(
        .ROWS(ROWS),
        .COLUMNS(COLUMNS),
        .LANES(LANES),
        .BRANCHES(BRANCHES),
        .LEVELS_PER_STAGE(LEVELS_PER_STAGE),
        .SLICE_BITS(SLICE_BITS),
        .ACC_BITS(ACC_BITS),
        .GATE(GATE),
        .SEGMENTS(SEGMENTS),
        .MULTIPLIERS(MULTIPLIERS),
        .SCALER_STAGES(SCALER_STAGES),
        .SCALE_BITS(SCALE_BITS)
    ) core (
        .clk(clk),
        .reset(reset),
        .layer_segmented(layer_segmented),
        .layer_merged(layer_merged),
        .layer_raw(layer_raw),
        .layer_shift(layer_shift),
        .layer_low(layer_low),
        .layer_high(layer_high),
        .enable(enable),
        .step_valid(step_valid),
        .step_signed(step_signed),
        .step_first(step_first),
        .step_widen(step_widen),
        .step_last(step_last),
        .step_shift(step_shift),
        .step_codes(step_codes),
        .step_trits(step_trits),
        .move(move),
        .round_values(round_values),
        .round_rows(round_rows),
        .round_segments(round_segments),
        .round_starts(round_starts),
        .round_ends(round_ends),
        .round_scales(round_scales),
        .round_biases(round_biases),
        .write_valid(write_valid),
        .write_row(write_row),
        .write_segment(write_segment),
        .write_data(write_data),
        .accumulators(accumulators)
    );

    tridot_output_memory #(
        .WORDS(OUTPUT_WORDS),
        .PORTS(COLUMNS * MULTIPLIERS)
    ) output_memory (
        .clk(clk),
        .write(write),
        .write_address(write_address),
        .write_data(write_data),
        .address(read_address),
        .data(read_data)
    );

    // Memories have fewer words than the host could address.
    logic unused;
    assign unused = &{1'b0, load_address};
endmodule
