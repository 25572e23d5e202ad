//! Records → CSV.

use tridot_sim::arch::{Architecture, DepthwiseMode};
use tridot_sim::complexity::Measures;
use tridot_sim::network::Accuracy;

use super::FORMAT;
use super::columns::columns;
use super::names::{CHUNKING, CLOCK_GATING, GRANULARITY, MODEL, ZERO_TRITS, name_of};
use crate::record::{
    ENERGY_PARTS, Energy, Input, Inputs, LayerRecord, NetworkInputs, Record, Results, Toggling,
    WARNINGS_APART,
};

pub(super) fn csv(records: &[Record]) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let mut row = |cells: Vec<String>| {
        writer.write_record(cells).expect("rows are equally long, and memory takes them");
    };
    row(columns());
    for record in records {
        let inputs = inputs(&record.inputs);
        let mut one = |layer: &str, layers: String, results: Vec<String>| {
            let head = [FORMAT.to_string(), layer.to_owned(), layers];
            let rest = [inputs.clone(), results, end(record)];
            row(head.into_iter().chain(rest.into_iter().flatten()).collect());
        };
        one("", record.layers.len().to_string(), total(record));
        for part in &record.layers {
            one(&part.name, String::new(), layer(part, &record.inputs.architecture));
        }
    }
    let bytes = writer.into_inner().expect("memory takes what is written");
    String::from_utf8(bytes).expect("cells are text")
}

/// The cells of the inputs, which are the key of a Record.
pub(super) fn inputs(inputs: &Inputs) -> Vec<String> {
    let mut cells = network(&inputs.network);
    cells.extend(architecture(&inputs.architecture));
    let table = inputs.energy_table.as_ref();
    cells.push(table.map_or_else(String::new, |table| table.name.clone()));
    cells.push(optional(table.map(|table| table.digest)));
    cells.push(name_of(&MODEL, &inputs.model));
    match &inputs.input {
        Input::Synthetic { seed } => cells.extend([synthetic(*seed), String::new()]),
        Input::Trace(trace) => cells.extend([trace.name.clone(), trace.digest.to_string()]),
    }
    cells.push(inputs.images.to_string());
    cells.push(match inputs.toggling {
        Toggling::None => "none".to_owned(),
        Toggling::Exact => "exact".to_owned(),
        Toggling::Sampled { one_tile_of } => format!("one tile of {one_tile_of}"),
    });
    cells
}

/// How synthetic pictures are called; told from a trace by the empty digest.
pub(crate) fn synthetic(seed: u64) -> String {
    format!("synthetic, seed {seed}")
}

fn network(network: &NetworkInputs) -> Vec<String> {
    let accuracy = |accuracy: Option<Accuracy>| {
        [optional(accuracy.map(|a| a.samples)), optional(accuracy.map(|a| a.correct))]
    };
    let mut cells = vec![
        network.name.clone(),
        network.digest.to_string(),
        network.scheme.clone(),
        network.granularity.map_or_else(String::new, |value| name_of(&GRANULARITY, &value)),
        network.activation_bits.clone(),
        network.data.clone().unwrap_or_default(),
        network.seed.to_string(),
    ];
    cells.extend(accuracy(network.float_accuracy));
    cells.extend(accuracy(network.integer_accuracy));
    cells
}

/// The cells of a machine.
pub(super) fn architecture(arch: &Architecture) -> Vec<String> {
    let (mode, segments) = match arch.depthwise {
        DepthwiseMode::Column => ("column", None),
        DepthwiseMode::Segments(segments) => ("segments", Some(segments)),
        DepthwiseMode::Diagonal => ("diagonal", None),
    };
    vec![
        arch.name.clone(),
        arch.clock.0.to_string(),
        arch.rows.to_string(),
        arch.columns.to_string(),
        name_of(&CLOCK_GATING, &arch.clock_gating),
        arch.lanes.to_string(),
        arch.branches.to_string(),
        arch.tree_levels_per_stage.to_string(),
        arch.activation_bits_per_step.to_string(),
        arch.accumulator_bits.to_string(),
        name_of(&ZERO_TRITS, &arch.zero_trits),
        name_of(&CHUNKING, &arch.chunking),
        mode.to_owned(),
        optional(segments),
        arch.multipliers.to_string(),
        arch.scaler_stages.to_string(),
        arch.scale_bits.to_string(),
        arch.vector_lanes.to_string(),
        arch.vector_latency_cycles.to_string(),
    ]
}

/// What is told of a result: on each of its rows.
pub(super) fn end(record: &Record) -> Vec<String> {
    vec![record.warnings.join(WARNINGS_APART), record.command.clone()]
}

/// The cells of the whole network's results.
pub(super) fn total(record: &Record) -> Vec<String> {
    let mut cells = measures(Some(&record.measures));
    cells.extend(results(&record.total, &record.inputs.architecture));
    cells.push(optional(record.area.map(|area| area.0)));
    cells
}

/// The cells of a layer's results.
pub(super) fn layer(layer: &LayerRecord, arch: &Architecture) -> Vec<String> {
    let mut cells = measures(layer.measures.as_ref());
    cells.extend(results(&layer.results, arch));
    cells.push(String::new());
    cells
}

fn measures(measures: Option<&Measures>) -> Vec<String> {
    vec![
        optional(measures.map(|m| m.computational_full_adders)),
        optional(measures.and_then(|m| m.sparse_full_adders)),
        optional(measures.map(|m| m.representational_bits)),
        optional(measures.map(|m| m.storage_bits)),
        optional(measures.map(|m| m.macs)),
        optional(measures.map(|m| m.weights)),
    ]
}

fn results(results: &Results, arch: &Architecture) -> Vec<String> {
    let mut cells = vec![
        results.cycles.to_string(),
        results.steps.to_string(),
        results.stall_scaler.to_string(),
        results.empty.to_string(),
        results.vector_cycles.to_string(),
        results.products.to_string(),
        utilization(results, arch),
        latency(results, arch),
        results.toggle_tiles_counted.to_string(),
        results.toggle_tiles.to_string(),
        energy_total(results.energy.as_ref()),
    ];
    match results.energy {
        Some(energy) => cells.extend(energy.0.map(|part| part.value().to_string())),
        None => cells.extend(vec![String::new(); ENERGY_PARTS]),
    }
    cells
}

/// Derived from cycles, products and the architecture.
pub(super) fn utilization(results: &Results, arch: &Architecture) -> String {
    results.utilization(arch).to_string()
}

/// Derived from cycles and the clock.
pub(super) fn latency(results: &Results, arch: &Architecture) -> String {
    results.cycles.at(arch.clock).0.to_string()
}

/// Derived from the parts: the sum of what is written, so that a reader finds the same.
pub(super) fn energy_total(energy: Option<&Energy>) -> String {
    optional(energy.map(Energy::value))
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
