// The output pixels of a row tile: where the window of each row begins in the input, pads included.
//
// Row r + 1 is one pixel after row r, across lines and images. `origin` is the address of the window's first
// element, were it there; addresses wrap.
module tridot_pixels #(
    parameter int ROWS = 1,
    parameter int CODE_BITS = 1
) (
    input logic clk,
    input logic reset,
    // The first tile, at the layer's start and after its last; the one after this one.
    input logic start,
    input logic next,
    // The layer.
    input logic [15:0] output_height,
    input logic [15:0] output_width,
    input logic [15:0] first_y,
    input logic [15:0] first_x,
    input logic [15:0] step_y,
    input logic [15:0] step_x,
    input logic [CODE_BITS-1:0] first_origin,
    input logic [CODE_BITS-1:0] origin_step,
    input logic [CODE_BITS-1:0] origin_line,
    input logic [CODE_BITS-1:0] origin_image,
    output logic [ROWS*16-1:0] y,
    output logic [ROWS*16-1:0] x,
    output logic [ROWS*CODE_BITS-1:0] origin
);
    // Row 0.
    logic [15:0] line, column, row_y, row_x;
    logic [CODE_BITS-1:0] row_origin;

    for (genvar r = 0; r < ROWS; r++) begin : row
        logic [15:0] line_now, column_now, y_now, x_now, line_next, column_next, y_next, x_next;
        logic [CODE_BITS-1:0] origin_now, origin_next;
        logic ends_line, ends_image;

        if (r == 0) begin : first
            assign {line_now, column_now, y_now, x_now, origin_now} =
                {line, column, row_y, row_x, row_origin};
        end else begin : after
            assign {line_now, column_now, y_now, x_now, origin_now} = {
                row[r-1].line_next,
                row[r-1].column_next,
                row[r-1].y_next,
                row[r-1].x_next,
                row[r-1].origin_next
            };
        end

        assign ends_line = column_now + 16'd1 == output_width;
        assign ends_image = ends_line && line_now + 16'd1 == output_height;
        assign column_next = ends_line ? '0 : column_now + 16'd1;
        assign x_next = ends_line ? first_x : x_now + step_x;
        assign line_next = ends_image ? '0 : ends_line ? line_now + 16'd1 : line_now;
        assign y_next = ends_image ? first_y : ends_line ? y_now + step_y : y_now;
        assign origin_next =
            origin_now + (ends_image ? origin_image : ends_line ? origin_line : origin_step);

        assign y[r*16+:16] = y_now;
        assign x[r*16+:16] = x_now;
        assign origin[r*CODE_BITS+:CODE_BITS] = origin_now;
    end

    always_ff @(posedge clk) begin
        if (reset) begin
            {line, column, row_y, row_x} <= '0;
            row_origin <= '0;
        end else if (start) begin
            {line, column} <= '0;
            row_y <= first_y;
            row_x <= first_x;
            row_origin <= first_origin;
        end else if (next) begin
            line <= row[ROWS-1].line_next;
            column <= row[ROWS-1].column_next;
            row_y <= row[ROWS-1].y_next;
            row_x <= row[ROWS-1].x_next;
            row_origin <= row[ROWS-1].origin_next;
        end
    end
endmodule
