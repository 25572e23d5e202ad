// A self-checking test bench: runs golden vectors on `tridot_machine`, compares every output and its edge.
//
//   vvp bench.vvp +vectors=<folder> [+events] [+dump=<file.vcd>] [+limit=<cycles at most>]
//
// With +dump it writes a waveform, with +events it prints what happens, as harness.cpp does.
// Put your own machine in place of `tridot_machine` to check it.
module tridot_bench #(
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
    parameter int CODE_WORDS = 2,
    parameter int WEIGHT_WORDS = 2,
    parameter int SCALE_WORDS = 2,
    parameter int BIAS_WORDS = 2,
    parameter int OUTPUT_WORDS = 2
);
    localparam int WEIGHT_WIDTH = COLUMNS * BRANCHES * LANES * 2;
    localparam int SCALE_WIDTH = COLUMNS * SEGMENTS * BRANCHES * SCALE_BITS;
    localparam int BIAS_WIDTH = COLUMNS * SEGMENTS * 48;
    localparam int WIDER_WIDTH = WEIGHT_WIDTH < SCALE_WIDTH ? SCALE_WIDTH : WEIGHT_WIDTH;
    localparam int LOAD_BITS = WIDER_WIDTH < BIAS_WIDTH ? BIAS_WIDTH : WIDER_WIDTH;
    localparam int OUTPUT_BITS = $clog2(OUTPUT_WORDS);
    localparam int PORTS = COLUMNS * MULTIPLIERS;

    logic clk, reset, start, busy;
    logic [4:0] load_select;
    logic [31:0] load_address;
    logic [LOAD_BITS-1:0] load_data;
    logic [31:0] cycles, steps, stalls;
    logic [47:0] read_data;
    logic [PORTS-1:0] write;
    logic [PORTS*OUTPUT_BITS-1:0] write_address;
    logic [PORTS*48-1:0] write_data;
    logic move;
    logic [COLUMNS*ROWS*BRANCHES*SEGMENTS*ACC_BITS-1:0] accumulators;

    tridot_machine #(
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
        .SCALE_BITS(SCALE_BITS),
        .CODE_WORDS(CODE_WORDS),
        .WEIGHT_WORDS(WEIGHT_WORDS),
        .SCALE_WORDS(SCALE_WORDS),
        .BIAS_WORDS(BIAS_WORDS),
        .OUTPUT_WORDS(OUTPUT_WORDS)
    ) machine (
        .clk(clk),
        .reset(reset),
        .load_select(load_select),
        .load_address(load_address),
        .load_data(load_data),
        .start(start),
        .busy(busy),
        .cycles(cycles),
        .steps(steps),
        .stalls(stalls),
        .read_address({OUTPUT_BITS{1'b0}}),
        .read_data(read_data),
        .write(write),
        .write_address(write_address),
        .write_data(write_data),
        .move(move),
        .accumulators(accumulators)
    );

    // What must come out, and how often it did.
    logic [47:0] expected[0:OUTPUT_WORDS-1];
    logic [31:0] expected_edge[0:OUTPUT_WORDS-1];
    int outputs, written, wrong, wrong_edges, limit, last_edge;
    string folder, dump;
    logic events;

    initial clk = 1'b0;
    always #5 clk = !clk;

    // Words of a file into a memory, one an edge.
    task automatic load(input string name, input int select);
        int file, address;
        logic [LOAD_BITS-1:0] word;
        file = $fopen({folder, "/", name}, "r");
        if (file == 0) $fatal(1, "no file %s/%s", folder, name);
        address = 0;
        while ($fscanf(file, "%h", word) == 1) begin
            load_select <= 5'd1 << select;
            load_address <= address;
            load_data <= word;
            address = address + 1;
            @(posedge clk);
        end
        load_select <= '0;
        @(posedge clk);
        $fclose(file);
    endtask

    task automatic expect_outputs;
        int file, edges;
        logic [47:0] word, at;
        file = $fopen({folder, "/outputs.hex"}, "r");
        edges = $fopen({folder, "/edges.hex"}, "r");
        if (file == 0 || edges == 0) $fatal(1, "no outputs.hex and edges.hex in %s", folder);
        outputs = 0;
        last_edge = 0;
        while ($fscanf(file, "%h", word) == 1 && $fscanf(edges, "%h", at) == 1) begin
            expected[outputs] = word;
            expected_edge[outputs] = at[31:0];
            if (last_edge < expected_edge[outputs]) last_edge = expected_edge[outputs];
            outputs = outputs + 1;
        end
        $fclose(file);
        $fclose(edges);
    endtask

    // What an edge samples; edge 0 samples `start`.
    logic running;
    int now;
    always @(posedge clk) begin
        now <= start ? 1 : now + 1;
        if (events && running && move) $display("move %0d %h", start ? 0 : now, accumulators);
        for (int i = 0; i < PORTS; i = i + 1)
            if (running && write[i]) compare(
                start ? 0 : now, int'(write_address[i*OUTPUT_BITS+:OUTPUT_BITS]), write_data[i*48+:48]);
    end

    task automatic compare(input int at, input int address, input logic [47:0] value);
        written = written + 1;
        if (events) $display("write %0d %0d %0d", at, address, $signed(value));
        if (value !== expected[address]) begin
            wrong = wrong + 1;
            if (wrong == 1 && !events)
                $display("output %0d: expected %h, got %h", address, expected[address], value);
        end
        if (at !== expected_edge[address]) begin
            wrong_edges = wrong_edges + 1;
            if (wrong_edges == 1 && !events)
                $display("output %0d: expected at edge %0d, got %0d", address, expected_edge[address], at);
        end
    endtask

    initial begin
        if (!$value$plusargs("limit=%d", limit)) limit = 0;
        if (!$value$plusargs("vectors=%s", folder)) $fatal(1, "a folder is needed: +vectors=<folder>");
        events = $test$plusargs("events") != 0;
        if ($value$plusargs("dump=%s", dump)) begin
            $dumpfile(dump);
            $dumpvars(0, machine);
        end
        expect_outputs;
        // As long again as the last output takes, and a while: hardware that is late is told so, not cut off.
        if (limit == 0) limit = 2 * last_edge + 10000;
        reset = 1'b1;
        start = 1'b0;
        running = 1'b0;
        load_select = '0;
        load_address = '0;
        load_data = '0;
        written = 0;
        wrong = 0;
        wrong_edges = 0;
        repeat (2) @(posedge clk);
        reset <= 1'b0;
        @(posedge clk);
        load("layer.hex", 0);
        load("codes.hex", 1);
        load("trits.hex", 2);
        load("scales.hex", 3);
        load("biases.hex", 4);
        start <= 1'b1;
        running <= 1'b1;
        @(posedge clk);
        start <= 1'b0;
        @(posedge clk);
        while (busy === 1'b1 && cycles < limit) @(posedge clk);
        if (busy === 1'b1) $display("no end after %0d cycles", cycles);
        repeat (16) @(posedge clk);
        if (events) $display("done %0d %0d %0d", cycles, steps, stalls);
        else $display("%0d of %0d outputs, %0d wrong, %0d at another edge, %0d cycles, %0d steps, %0d stalls",
            written, outputs, wrong, wrong_edges, cycles, steps, stalls);
        if (written != outputs || wrong != 0 || wrong_edges != 0) $fatal(1, "not as the vectors say");
        $finish;
    end
endmodule
