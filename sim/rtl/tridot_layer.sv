// The registers that describe a layer; the host writes them while no layer runs.
//
// README.md says what each holds. Addresses are those of the activation memory, and wrap.
module tridot_layer #(
    parameter int CODE_BITS = 1
) (
    input logic clk,
    input logic reset,
    input logic write,
    input logic [4:0] address,
    input logic [31:0] data,
    output logic layer_depthwise,
    output logic layer_per_tap,
    output logic layer_segmented,
    output logic layer_merged,
    output logic layer_signed,
    output logic layer_raw,
    output logic [5:0] layer_shift,
    output logic signed [8:0] layer_low,
    output logic signed [8:0] layer_high,
    output logic [3:0] layer_slices,
    output logic [4:0] layer_planes,
    output logic [15:0] layer_height,
    output logic [15:0] layer_width,
    output logic [16:0] layer_input_channels,
    output logic [15:0] layer_kernel_height,
    output logic [15:0] layer_kernel_width,
    output logic [15:0] layer_output_height,
    output logic [15:0] layer_output_width,
    output logic [16:0] layer_channels,
    output logic [31:0] layer_pixels,
    output logic [15:0] layer_first_y,
    output logic [15:0] layer_first_x,
    output logic [15:0] layer_step_y,
    output logic [15:0] layer_step_x,
    output logic [CODE_BITS-1:0] layer_tap_step,
    output logic [CODE_BITS-1:0] layer_line_step,
    output logic [CODE_BITS-1:0] layer_origin,
    output logic [CODE_BITS-1:0] layer_origin_step,
    output logic [CODE_BITS-1:0] layer_origin_line,
    output logic [CODE_BITS-1:0] layer_origin_image
);
    always_ff @(posedge clk) begin
        if (reset) begin
            {layer_raw, layer_signed, layer_merged} <= '0;
            {layer_segmented, layer_per_tap, layer_depthwise} <= '0;
            layer_shift <= '0;
            layer_low <= '0;
            layer_high <= '0;
            layer_slices <= '0;
            layer_planes <= '0;
            layer_height <= '0;
            layer_width <= '0;
            layer_input_channels <= '0;
            layer_kernel_height <= '0;
            layer_kernel_width <= '0;
            layer_output_height <= '0;
            layer_output_width <= '0;
            layer_channels <= '0;
            layer_pixels <= '0;
            layer_first_y <= '0;
            layer_first_x <= '0;
            layer_step_y <= '0;
            layer_step_x <= '0;
            layer_tap_step <= '0;
            layer_line_step <= '0;
            layer_origin <= '0;
            layer_origin_step <= '0;
            layer_origin_line <= '0;
            layer_origin_image <= '0;
        end else if (write) begin
            case (address)
                5'd0: begin
                    {layer_raw, layer_signed, layer_merged} <= data[5:3];
                    {layer_segmented, layer_per_tap, layer_depthwise} <= data[2:0];
                end
                5'd1: layer_shift <= data[5:0];
                5'd2: layer_low <= data[8:0];
                5'd3: layer_high <= data[8:0];
                5'd4: layer_slices <= data[3:0];
                5'd5: layer_planes <= data[4:0];
                5'd6: layer_height <= data[15:0];
                5'd7: layer_width <= data[15:0];
                5'd8: layer_input_channels <= data[16:0];
                5'd9: layer_kernel_height <= data[15:0];
                5'd10: layer_kernel_width <= data[15:0];
                5'd11: layer_output_height <= data[15:0];
                5'd12: layer_output_width <= data[15:0];
                5'd13: layer_channels <= data[16:0];
                5'd14: layer_pixels <= data;
                5'd15: layer_first_y <= data[15:0];
                5'd16: layer_first_x <= data[15:0];
                5'd17: layer_step_y <= data[15:0];
                5'd18: layer_step_x <= data[15:0];
                5'd19: layer_tap_step <= CODE_BITS'(data);
                5'd20: layer_line_step <= CODE_BITS'(data);
                5'd21: layer_origin <= CODE_BITS'(data);
                5'd22: layer_origin_step <= CODE_BITS'(data);
                5'd23: layer_origin_line <= CODE_BITS'(data);
                5'd24: layer_origin_image <= CODE_BITS'(data);
                default: ;
            endcase
        end
    end
endmodule
