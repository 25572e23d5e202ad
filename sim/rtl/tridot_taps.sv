// A chunk of K: tap and channel of each lane, and its offset from the first element of a row's window.
//
// Dense and `flat`: K in its order, lane after lane. `per_tap`: channels of one tap. Segmented: the lanes of
// segment g hold all taps of channel g, in one chunk. A lane past the end is not used.
module tridot_taps #(
    parameter int LANES = 4,
    parameter int SEGMENTS = 1,
    parameter int CODE_BITS = 1
) (
    input logic clk,
    input logic reset,
    // The first chunk; the one after this one, or after the last the first.
    input logic start,
    input logic next,
    // The layer. `run` channels of a tap follow each other.
    input logic per_tap,
    input logic segmented,
    input logic [16:0] run,
    input logic [16:0] active_channels,
    input logic [15:0] kernel_height,
    input logic [15:0] kernel_width,
    input logic [CODE_BITS-1:0] tap_step,
    input logic [CODE_BITS-1:0] line_step,
    output logic last,
    output logic [LANES-1:0] used,
    output logic [LANES*16-1:0] tap_row,
    output logic [LANES*16-1:0] tap_column,
    output logic [LANES*CODE_BITS-1:0] offset
);
    localparam int WIDTH = LANES / SEGMENTS;

    // Lane 0: its tap, the offset of the tap, its channel.
    logic [15:0] row, column;
    logic [CODE_BITS-1:0] tap;
    logic [16:0] channel;

    for (genvar n = 0; n < LANES; n++) begin : lane
        logic [15:0] row_now, column_now, row_next, column_next;
        logic [CODE_BITS-1:0] tap_now, tap_next;
        logic [16:0] channel_now, channel_next;
        logic ends_tap, ends_line;

        if (n == 0) begin : first
            assign {row_now, column_now, tap_now, channel_now} = {row, column, tap, channel};
        end else begin : after
            logic restarts;
            assign restarts = segmented && n % WIDTH == 0;
            assign {row_now, column_now, tap_now} =
                restarts ? '0 :
                per_tap ? {row, column, tap} :
                {lane[n-1].row_next, lane[n-1].column_next, lane[n-1].tap_next};
            assign channel_now =
                restarts ? '0 : per_tap ? channel + 17'(n) : lane[n-1].channel_next;
        end

        assign ends_tap = channel_now + 17'd1 == run;
        assign ends_line = column_now + 16'd1 == kernel_width;
        assign channel_next = ends_tap ? '0 : channel_now + 17'd1;
        assign column_next = !ends_tap ? column_now : ends_line ? '0 : column_now + 16'd1;
        assign row_next = ends_tap && ends_line ? row_now + 16'd1 : row_now;
        assign tap_next = !ends_tap ? tap_now : tap_now + (ends_line ? line_step : tap_step);

        assign used[n] = per_tap ? channel_now < run :
            row_now < kernel_height && (!segmented || 17'(n / WIDTH) < active_channels);
        assign tap_row[n*16+:16] = row_now;
        assign tap_column[n*16+:16] = column_now;
        assign offset[n*CODE_BITS+:CODE_BITS] = tap_now + CODE_BITS'(channel_now)
            + (segmented ? CODE_BITS'(n / WIDTH) : '0);
    end

    // The first lane of the next chunk.
    logic [15:0] row_next, column_next;
    logic [CODE_BITS-1:0] tap_next;
    logic [16:0] channel_next;
    logic more, ends_line;
    assign more = channel + 17'(LANES) < run;
    assign ends_line = column + 16'd1 == kernel_width;
    always_comb begin
        if (!per_tap) begin
            row_next = lane[LANES-1].row_next;
            column_next = lane[LANES-1].column_next;
            tap_next = lane[LANES-1].tap_next;
            channel_next = lane[LANES-1].channel_next;
        end else if (more) begin
            row_next = row;
            column_next = column;
            tap_next = tap;
            channel_next = channel + 17'(LANES);
        end else begin
            row_next = ends_line ? row + 16'd1 : row;
            column_next = ends_line ? '0 : column + 16'd1;
            tap_next = tap + (ends_line ? line_step : tap_step);
            channel_next = '0;
        end
    end
    assign last = segmented || row_next >= kernel_height;

    always_ff @(posedge clk) begin
        if (reset || start || (next && last)) begin
            row <= '0;
            column <= '0;
            tap <= '0;
            channel <= '0;
        end else if (next) begin
            row <= row_next;
            column <= column_next;
            tap <= tap_next;
            channel <= channel_next;
        end
    end
endmodule
