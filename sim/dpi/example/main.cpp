// Runs `dpi_example` under Verilator.
#include "Vdpi_example.h"
#include "verilated.h"

int main(int count, char** arguments) {
    Verilated::commandArgs(count, arguments);
    Vdpi_example top;
    while (!Verilated::gotFinish()) top.eval();
}
