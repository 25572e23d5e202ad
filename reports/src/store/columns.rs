//! The columns of the file, in order.

use tridot_sim::energy::Breakdown;

/// Where the cells of an architecture begin among [`INPUTS`].
pub(super) const ARCHITECTURE: usize = 11;

/// Which row this is.
pub(super) const HEAD: [&str; 3] = ["format", "layer", "layers"];

/// What determines a result: the key of a Record.
pub(super) const INPUTS: [&str; 37] = [
    "network",
    "network_digest",
    "scheme",
    "granularity",
    "activation_bits",
    "data",
    "seed",
    "float_samples",
    "float_correct",
    "integer_samples",
    "integer_correct",
    "architecture",
    "clock_mhz",
    "array_rows",
    "array_columns",
    "array_clock_gating",
    "engine_lanes",
    "engine_branches",
    "engine_tree_levels_per_stage",
    "engine_activation_bits_per_step",
    "engine_accumulator_bits",
    "engine_zero_trits",
    "engine_chunking",
    "depthwise_mode",
    "depthwise_segments",
    "scaler_multipliers",
    "scaler_stages",
    "scaler_scale_bits",
    "vector_lanes",
    "vector_latency_cycles",
    "energy_table",
    "energy_table_digest",
    "model",
    "input",
    "input_digest",
    "images",
    "toggles",
];

/// What came out, without the parts of the energy.
const RESULTS: [&str; 17] = [
    "computational_full_adders",
    "sparse_full_adders",
    "representational_bits",
    "storage_bits",
    "macs",
    "weights",
    "cycles",
    "steps",
    "stall_scaler_cycles",
    "empty_cycles",
    "vector_cycles",
    "products",
    "utilization",
    "latency_us",
    "toggle_tiles_counted",
    "toggle_tiles",
    "energy_pj",
];

/// What came out.
pub(super) fn results() -> Vec<String> {
    let parts = Breakdown::NAMES.iter().map(|part| format!("energy_{part}_pj"));
    let area = ["area_um2".to_owned()];
    RESULTS.iter().map(|&name| name.to_owned()).chain(parts).chain(area).collect()
}

/// Every column of the file.
pub fn columns() -> Vec<String> {
    let before = HEAD.iter().chain(&INPUTS).map(|&name| name.to_owned());
    before.chain(results()).chain(["warnings", "command"].map(str::to_owned)).collect()
}
