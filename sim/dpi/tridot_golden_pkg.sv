// The DPI model in SystemVerilog; tridot_golden.h says what each function does.
package tridot_golden_pkg;
    import "DPI-C" function chandle tridot_golden_open(input string network, input string architecture);
    import "DPI-C" function void tridot_golden_close(input chandle handle);
    import "DPI-C" function string tridot_golden_error(input chandle handle);
    import "DPI-C" function int tridot_golden_layer(input chandle handle, input string name, input int images);
    import "DPI-C" function int tridot_golden_input(input chandle handle, input int index, input int code);
    import "DPI-C" function longint tridot_golden_run(input chandle handle);
    import "DPI-C" function int tridot_golden_outputs(input chandle handle);
    import "DPI-C" function longint tridot_golden_output(input chandle handle, input int index);
    import "DPI-C" function longint tridot_golden_edge(input chandle handle, input int index);
    import "DPI-C" function int tridot_golden_accumulators(input chandle handle);
    import "DPI-C" function longint tridot_golden_accumulator(
        input chandle handle, input int index, input int plane);
    import "DPI-C" function int tridot_golden_start(input chandle handle);
    import "DPI-C" function int tridot_golden_step(input chandle handle);
    import "DPI-C" function int tridot_golden_bus_code(input chandle handle, input int row, input int lane);
    import "DPI-C" function int tridot_golden_bus_trit(
        input chandle handle, input int column, input int branch, input int lane);
    import "DPI-C" function longint tridot_golden_register(
        input chandle handle, input int row, input int column, input int branch, input int segment);
    import "DPI-C" function int tridot_golden_written(input chandle handle);
endpackage
