// The DPI model in a test bench: runs a layer, compares the outputs of a whole run with those written edge by edge.
//
//   build with: verilator --cc --exe --build --top-module dpi_example tridot_golden_pkg.sv dpi_example.sv main.cpp libtridot_golden.so
//   run: obj_dir/Vdpi_example +network=<file> +architecture=<file> +layer=<name>
module dpi_example;
    import tridot_golden_pkg::*;

    string network, architecture, layer;
    chandle golden;
    int codes, outputs, edges;
    longint cycles, sum;

    initial begin
        if (!$value$plusargs("network=%s", network) || !$value$plusargs("architecture=%s", architecture)
            || !$value$plusargs("layer=%s", layer)) begin
            $display("FAILED: +network, +architecture and +layer are needed");
            $finish;
        end
        golden = tridot_golden_open(network, architecture);
        codes = tridot_golden_layer(golden, layer, 1);
        for (int i = 0; i < codes; i = i + 1)
            if (tridot_golden_input(golden, i, i % 2) != 0) $display("FAILED: %s", tridot_golden_error(golden));
        cycles = tridot_golden_run(golden);
        outputs = tridot_golden_outputs(golden);
        if (codes < 0 || cycles < 0 || outputs < 0) $display("FAILED: %s", tridot_golden_error(golden));
        sum = 0;
        for (int i = 0; i < outputs; i = i + 1) sum = sum + tridot_golden_output(golden, i);
        // The same layer edge by edge takes as many edges.
        edges = 1;
        if (tridot_golden_start(golden) != 0) $display("FAILED: %s", tridot_golden_error(golden));
        while (tridot_golden_step(golden) == 1) edges = edges + 1;
        if (longint'(edges) != cycles || tridot_golden_written(golden) != outputs)
            $display("FAILED: %0d edges, %0d cycles", edges, cycles);
        else $display("PASSED: %0d outputs, sum %0d, %0d cycles", outputs, sum, cycles);
        tridot_golden_close(golden);
        $finish;
    end
endmodule
