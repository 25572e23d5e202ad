/* The DPI model: layers of an integer network on an architecture, as the reference for test benches.
 *
 * A handle is one network on one architecture. All state is in it: handles are independent, and calls on one handle from
 * several threads wait for each other. No call unwinds. What fails returns -1, and tridot_golden_error says why, until the
 * next call on the handle. Indices of outputs are NHWC over all images; edges count from the one that samples start. */
#ifndef TRIDOT_GOLDEN_H
#define TRIDOT_GOLDEN_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tridot_golden tridot_golden;

/* Opens a network file and an architecture file. Never null; what fails is told by tridot_golden_error. */
tridot_golden *tridot_golden_open(const char *network, const char *architecture);
/* Frees a handle; null is allowed. */
void tridot_golden_close(tridot_golden *handle);
/* Why the last call failed; empty if it did not. The text lives until the next call on the handle. */
const char *tridot_golden_error(tridot_golden *handle);

/* Chooses a dot-product layer by name, for so many images whose codes are 0 at first; returns how many codes there are. */
int tridot_golden_layer(tridot_golden *handle, const char *name, int images);
/* Sets an input code. */
int tridot_golden_input(tridot_golden *handle, int index, int code);

/* Runs the whole layer; returns its cycles. */
long long tridot_golden_run(tridot_golden *handle);
/* After a run: how many outputs, an output, the edge that writes it, what the scaler takes for it (planes, or 1). */
int tridot_golden_outputs(tridot_golden *handle);
long long tridot_golden_output(tridot_golden *handle, int index);
long long tridot_golden_edge(tridot_golden *handle, int index);
int tridot_golden_accumulators(tridot_golden *handle);
long long tridot_golden_accumulator(tridot_golden *handle, int index, int plane);

/* Begins the layer anew, edge by edge; before edge 0. */
int tridot_golden_start(tridot_golden *handle);
/* One clock edge; returns 1 while outputs are still to be written, 0 after the last. */
int tridot_golden_step(tridot_golden *handle);
/* After a step: registers of the array, as the RTL has them; how many outputs are written so far. */
int tridot_golden_bus_code(tridot_golden *handle, int row, int lane);
int tridot_golden_bus_trit(tridot_golden *handle, int column, int branch, int lane);
long long tridot_golden_register(tridot_golden *handle, int row, int column, int branch, int segment);
int tridot_golden_written(tridot_golden *handle);

#ifdef __cplusplus
}
#endif
#endif
